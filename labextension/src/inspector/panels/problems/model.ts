import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api, DeadLetter, Diagnosis } from '../../api';
import { sentence } from '../../api';
import type { SectionModel } from '../../keyed';
import type { Pace } from '../../poller';
import { Poller } from '../../poller';

/** What went wrong is looked at more seldom than what goes on. */
const SLOWER = 3;

export type Problem =
  | { readonly key: string; readonly kind: 'dead'; readonly time: number; readonly letter: DeadLetter }
  | { readonly key: string; readonly kind: 'diagnosis'; readonly time: number; readonly diagnosis: Diagnosis };

/** Dead letters and diagnoses, newest first. */
export class ProblemsModel implements SectionModel {
  problems: readonly Problem[] = [];
  /** Dead letters that the server keeps; the newest 20 are in the list. */
  dead = 0;
  refusal: string | null = null;
  loaded = false;
  private readonly signal = new Signal<this, void>(this);
  private readonly poller: Poller;

  constructor(
    private readonly api: Api,
    seconds: () => number,
    pace?: Pace
  ) {
    this.poller = new Poller(api.client, () => this.ask(), () => Math.max(SLOWER, seconds()), pace);
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  start(): void {
    this.poller.start();
  }

  stop(): void {
    this.poller.stop();
  }

  hurry(): void {
    this.poller.hurry();
  }

  dispose(): void {
    this.poller.dispose();
    Signal.clearData(this);
  }

  private async ask(): Promise<void> {
    try {
      const diagnoses = await this.api.diagnoses();
      const letters = await this.api.deadLetters();
      this.problems = [
        ...letters.map(letter => ({ key: `dead ${letter.number}`, kind: 'dead', time: letter.time, letter }) as const),
        ...diagnoses.map(
          diagnosis => ({ key: `${diagnosis.kind} ${diagnosis.client} ${diagnosis.subject || diagnosis.sentence}`, kind: 'diagnosis', time: diagnosis.time, diagnosis }) as const
        )
      ].sort((a, b) => b.time - a.time);
      this.dead = letters.length;
      this.loaded = true;
      this.refusal = null;
    } catch (error) {
      if (this.api.client.state.status !== 'live') {
        return;
      }
      this.refusal = sentence(error);
    }
    this.signal.emit();
  }
}
