import type { TranslationBundle } from '@jupyterlab/translation';

import type { Client, Disposer, StreamListener, StreamMessage } from './client/types';

/** The type of the messages that `notify` sends. */
export const NOTIFICATION = 'nbchannels.notification';

/** Milliseconds between two notifications; what comes meanwhile is held back and counted. */
const QUIET = 4000;
const LONGEST = 2000;
const LEVELS = ['info', 'success', 'warning', 'error'] as const;

export type Level = (typeof LEVELS)[number];

interface Told {
  readonly text: string;
  readonly level: Level;
  readonly group: string;
}

/** The time of the page, handed in. */
export interface Clock {
  now(): number;
  after(milliseconds: number, callback: () => void): void;
}

const PAGE_CLOCK: Clock = {
  now: () => performance.now(),
  after: (milliseconds, callback) => {
    setTimeout(callback, milliseconds);
  }
};

/** Hears what `notify` tells the groups that views on this page watch, and shows it, not too often. */
export class Notifications {
  /** Whether the reader wants to be told. */
  enabled = true;
  private readonly watched = new Map<string, { count: number; subscription: Disposer }>();
  private readonly waiting: Told[] = [];
  private held = 0;
  private last = -Infinity;
  private isDue = false;

  /** @param show - put a text where the reader sees it; it may come from anyone */
  constructor(
    private readonly client: () => Client,
    private readonly trans: TranslationBundle,
    private readonly show: (text: string, level: Level) => void,
    private readonly clock: Clock = PAGE_CLOCK
  ) {}

  /** A view of this group is on the page, until this is disposed of. */
  watch(group: string): Disposer {
    const known = this.watched.get(group);
    if (known === undefined) {
      const listener: StreamListener = {
        messages: batch => {
          this.hear(batch);
        }
      };
      this.watched.set(group, { count: 1, subscription: this.client().subscribe(group, { since: 'now', mode: 'log' }, listener) });
    } else {
      known.count += 1;
    }
    let isOver = false;
    return {
      dispose: () => {
        if (!isOver) {
          isOver = true;
          this.leave(group);
        }
      }
    };
  }

  private leave(group: string): void {
    const known = this.watched.get(group);
    if (known !== undefined) {
      known.count -= 1;
      if (known.count === 0) {
        known.subscription.dispose();
        this.watched.delete(group);
      }
    }
  }

  private hear(batch: readonly StreamMessage[]): void {
    if (!this.enabled) {
      return;
    }
    for (const message of batch) {
      const told = toldOf(message);
      if (told !== null) {
        this.take(told);
      }
    }
  }

  /** Of what is held back the gravest is shown, and of equally grave ones the newest. */
  private take(told: Told): void {
    const first = this.waiting[0];
    if (first === undefined) {
      this.waiting.push(told);
    } else {
      this.held += 1;
      if (LEVELS.indexOf(told.level) >= LEVELS.indexOf(first.level)) {
        this.waiting[0] = told;
      }
    }
    if (this.isDue) {
      return;
    }
    const left = this.last + QUIET - this.clock.now();
    if (left <= 0) {
      this.tell();
    } else {
      this.isDue = true;
      this.clock.after(left, () => {
        this.isDue = false;
        this.tell();
      });
    }
  }

  private tell(): void {
    const told = this.waiting.pop();
    if (told === undefined) {
      return;
    }
    const { held, trans } = this;
    this.held = 0;
    this.last = this.clock.now();
    const words = `${told.group}: ${told.text}`;
    this.show(held > 0 ? `${words} ${trans._n('(and %1 more)', '(and %1 more)', held)}` : words, told.level);
  }
}

/** What a message tells; null if it is no notification. */
function toldOf(message: StreamMessage): Told | null {
  let content: unknown;
  try {
    content = message.content();
  } catch {
    return null; // the view says that it cannot be read
  }
  if (typeof content !== 'object' || content === null || !('type' in content) || content.type !== NOTIFICATION) {
    return null;
  }
  const { text, level } = content as { text?: unknown; level?: unknown };
  if (typeof text !== 'string' || text.trim() === '') {
    return null;
  }
  return { text: text.slice(0, LONGEST), level: LEVELS.find(known => known === level) ?? 'info', group: message.group };
}
