import { Signal } from '@lumino/signaling';

import type { Api } from '../api';
import type { ConsumersModel } from '../panels/consumers/model';
import type { LayerModel } from '../panels/layer/model';
import type { Pace } from '../poller';
import { Poller } from '../poller';
import type { Settings } from '../settings';

/**
 * Two small questions now and then, for the status bar and for notifications, while nothing of the inspector is open.
 * Only on a connection that is live anyway: it never opens one, and never keeps one.
 */
export class Pulse {
  readonly beat = new Signal<this, void>(this);
  private readonly poller: Poller;

  constructor(
    api: Api,
    private readonly settings: Settings,
    private readonly layer: LayerModel,
    private readonly consumers: ConsumersModel,
    pace?: Pace
  ) {
    this.poller = new Poller(api.client, () => this.ask(), () => settings.background, pace);
    settings.changed.connect(this.settle, this);
    this.settle();
  }

  dispose(): void {
    this.poller.dispose();
    this.settings.changed.disconnect(this.settle, this);
    Signal.clearData(this);
  }

  private settle(): void {
    if (this.settings.background === 0) {
      this.poller.stop();
    } else {
      this.poller.start();
    }
  }

  private async ask(): Promise<void> {
    await this.layer.refresh();
    await this.consumers.refresh();
    this.beat.emit();
  }
}
