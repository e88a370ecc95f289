import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api, LayerFacts } from '../../api';
import { sentence } from '../../api';
import type { SectionModel } from '../../keyed';
import type { Pace } from '../../poller';
import { Poller } from '../../poller';
import { Rate } from '../../rates';

/** The channel layer of the server as a whole. */
export class LayerModel implements SectionModel {
  facts: LayerFacts | null = null;
  refusal: string | null = null;
  /** Messages to groups and channels together. */
  rate: Rate | null = null;
  private readonly signal = new Signal<this, void>(this);
  private readonly poller: Poller;

  constructor(
    private readonly api: Api,
    seconds: () => number,
    pace?: Pace,
    private readonly clock: () => number = () => performance.now() / 1000
  ) {
    this.poller = new Poller(api.client, () => this.refresh(), seconds, pace);
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  /** Whether somebody looks: what is known is up to date. */
  get isOn(): boolean {
    return this.poller.isOn;
  }

  start(): void {
    this.poller.start();
  }

  stop(): void {
    if (this.isOn) {
      this.poller.stop();
      this.rate = null;
      this.signal.emit();
    }
  }

  dispose(): void {
    this.poller.dispose();
    Signal.clearData(this);
  }

  /** Ask once. */
  async refresh(): Promise<void> {
    try {
      const facts = await this.api.layer();
      this.facts = facts;
      this.refusal = null;
      const sent = (facts.statistics['sent'] ?? 0) + (facts.statistics['group_sent'] ?? 0);
      if (this.rate === null) {
        this.rate = new Rate(sent, this.clock());
      } else {
        this.rate.update(sent, this.clock());
      }
    } catch (error) {
      if (this.api.client.state.status !== 'live') {
        return;
      }
      this.refusal = sentence(error);
    }
    this.signal.emit();
  }
}
