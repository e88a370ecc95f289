import type { TranslationBundle } from '@jupyterlab/translation';

import type { Announcements, News } from '../announcements';
import { baseName } from '../parts/format';
import type { Settings } from '../settings';

/** Seconds between two notices: a consumer that fails a thousand times is told of once. */
const QUIET = 30;
/** What the sender was told on its line, and is often meant so: a number at the icon will do. */
const HINTS: ReadonlySet<string> = new Set(['nobody-listens', 'dropped']);
/** Why a message was given up because of its consumer. */
const FAILED: ReadonlySet<string> = new Set(['failed', 'retries', 'returns']);

/** Tells of problems that have come, not too often. */
export class Notices {
  private last = -Infinity;
  private waiting = 0;

  /**
   * @param show - put a sentence where the reader sees it
   * @param isLooking - whether the reader sees the problems anyway
   */
  constructor(
    private readonly announcements: Announcements,
    private readonly settings: Settings,
    private readonly trans: TranslationBundle,
    private readonly show: (sentence: string) => void,
    private readonly isLooking: () => boolean,
    private readonly clock: () => number = () => performance.now() / 1000
  ) {
    announcements.changed.connect(this.hear, this);
  }

  dispose(): void {
    this.announcements.changed.disconnect(this.hear, this);
  }

  private hear(_: unknown, news: News | null): void {
    if (news === null || HINTS.has(news.kind)) {
      return;
    }
    if (!this.settings.notify || this.isLooking()) {
      this.waiting = 0;
      return;
    }
    this.waiting += 1;
    const now = this.clock();
    if (now - this.last < QUIET) {
      return;
    }
    const others = this.waiting - 1;
    this.last = now;
    this.waiting = 0;
    const words = this.words(news);
    this.show(others > 0 ? `${words} ${this.trans._n('(and %1 more)', '(and %1 more)', others)}` : words);
  }

  private words({ kind, name, who, sentence }: News): string {
    const { trans } = this;
    if (FAILED.has(kind) || kind === 'consumer-failed') {
      return kind === 'consumer-failed'
        ? sentence
        : who === ''
          ? trans.__('A consumer of "%1" failed: %2', name, sentence)
          : trans.__('%1 failed on channel "%2": %3', who, name, sentence);
    }
    return kind === 'expired' ? trans.__('A message of "%1" was given up: nobody took it in time.', name) : `${baseName(who)}: ${sentence}`;
  }
}
