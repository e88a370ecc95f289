import type { TranslationBundle } from '@jupyterlab/translation';

import type { ConsumersModel, Failure } from '../panels/consumers/model';
import { baseName } from '../parts/format';
import type { Settings } from '../settings';

/** Seconds between two notices: a consumer that fails a thousand times is told of once. */
const QUIET = 30;

/** Tells of consumers that have failed, not too often. */
export class Notices {
  private last = -Infinity;
  private waiting: Failure[] = [];

  /**
   * @param show - put a sentence where the reader sees it
   * @param isLooking - whether the reader sees the consumers anyway
   */
  constructor(
    private readonly consumers: ConsumersModel,
    private readonly settings: Settings,
    private readonly trans: TranslationBundle,
    private readonly show: (sentence: string) => void,
    private readonly isLooking: () => boolean,
    private readonly clock: () => number = () => performance.now() / 1000
  ) {
    consumers.failures.connect(this.hear, this);
  }

  dispose(): void {
    this.consumers.failures.disconnect(this.hear, this);
  }

  private hear(_: unknown, failures: readonly Failure[]): void {
    if (!this.settings.notify || this.isLooking()) {
      this.waiting = [];
      return;
    }
    this.waiting.push(...failures);
    const now = this.clock();
    if (now - this.last < QUIET) {
      return;
    }
    this.last = now;
    const [newest] = this.waiting.slice(-1);
    const times = this.waiting.reduce((sum, failure) => sum + failure.times, 0);
    this.waiting = [];
    if (newest === undefined) {
      return;
    }
    const { channel, error, client } = newest.row;
    const words = this.trans.__('Consumer of "%1" in %2 failed: %3', channel, baseName(client), error);
    this.show(times > 1 ? `${words} ${this.trans.__('(%1 failures)', times)}` : words);
  }
}
