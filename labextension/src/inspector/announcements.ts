import { Signal } from '@lumino/signaling';

import type { Disposer, StreamListener, StreamMessage, SubscribeOptions } from '../client/types';
import { number, record, text } from './api';

/** Where the server says that its problems have changed; its newest entry is how they stand. */
export const PROBLEMS = 'nbchannels.problems';

/** A problem that has just come. */
export interface News {
  /** Of a dead letter why it was given up, else the kind of the diagnosis. */
  readonly kind: string;
  /** Of a dead letter its channel, else what the diagnosis is about. */
  readonly name: string;
  /** The consumer or client. */
  readonly who: string;
  readonly sentence: string;
}

interface Subscribing {
  subscribe(group: string, options: SubscribeOptions, listener: StreamListener): Disposer;
}

/**
 * What the server says of problems without being asked: how many there are, and the newest.
 * One subscription on the page's connection; while nothing happens nothing comes.
 */
export class Announcements implements StreamListener, Disposer {
  /** Emitted with each announcement; with news, if a problem has come while this page was here. */
  readonly changed = new Signal<this, News | null>(this);
  /** Dead letters and diagnoses that the server keeps. */
  dead = 0;
  diagnoses = 0;
  /** Whether the server tells; else one has to ask. */
  told = false;
  private subscription: Disposer | null = null;
  /** What was there before this page is no news. */
  private caughtUp = false;

  constructor(private readonly client: Subscribing) {}

  get problems(): number {
    return this.dead + this.diagnoses;
  }

  /** Begin to listen. Idempotent. */
  open(): void {
    if (this.subscription === null) {
      this.caughtUp = false;
      this.subscription = this.client.subscribe(PROBLEMS, { since: { last: 1 }, mode: 'latest' }, this);
    }
  }

  dispose(): void {
    this.subscription?.dispose();
    this.subscription = null;
    Signal.clearData(this);
  }

  messages(batch: readonly StreamMessage[]): void {
    const newest = batch[batch.length - 1];
    if (newest === undefined) {
      return;
    }
    const told = record(newest.content());
    this.dead = number(told.dead);
    this.diagnoses = number(told.diagnoses);
    const news = this.caughtUp ? newsOf(told.news) : null;
    this.caughtUp = true;
    this.changed.emit(news);
  }

  subscribed({ top }: { readonly top: number }): void {
    this.told = true;
    this.caughtUp ||= top === 0;
  }

  discontinuity({ kind }: { readonly kind: 'gap' | 'epoch' }): void {
    if (kind === 'epoch') {
      // Another server, or all was flushed: what was told is not so any more. How it stands now is the newest entry there.
      this.dead = this.diagnoses = 0;
      this.subscription?.dispose();
      this.subscription = null;
      this.open();
      this.changed.emit(null);
    }
  }

  ended({ message }: { readonly message: string }): void {
    // The sections say why, when they are opened; they ask by themselves.
    this.told = false;
    this.dead = this.diagnoses = 0;
    this.subscription = null;
    console.warn(`nbchannels: the server does not tell of problems: ${message}`);
    this.changed.emit(null);
  }
}

function newsOf(value: unknown): News | null {
  const { kind, name, who, sentence } = record(value);
  return text(kind) === '' ? null : { kind: text(kind), name: text(name), who: text(who), sentence: text(sentence) };
}
