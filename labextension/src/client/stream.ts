/**
 * One group on this page: a single subscription on the wire, any number of listeners, each with the stream it asked for.
 *
 * A listener that wants more of the past than the wire brings reads it in pages until it has reached the live
 * stream. Its place is its cursor (epoch, offset); whatever comes, live or read, is compared with it. So nothing is
 * heard twice and nothing is left out unannounced, whatever happens to the connection or the log in between.
 */

import type { Message, Mode, Position, Since, SubscribedEvent, SubscriptionRequest, WireError } from '../protocol/events';
import { CatchUp } from './catchup';
import type { PageHandler, Scene } from './catchup';
import { Reader } from './reader';
import type { Disposer, StreamListener, StreamStatistics, SubscribeOptions } from './types';

/** What a stream needs of the client. */
export interface Wire {
  /** Whether hello has left: what it said cannot be changed any more. */
  readonly greeted: boolean;
  request(request: SubscriptionRequest): void;
  unsubscribe(group: string): void;
  position(group: string): Position | null;
  top(group: string): number;
  own(sender: number): boolean;
  read(request: Readonly<Record<string, unknown>>, handler: PageHandler): void;
  after(seconds: number, callback: () => void): void;
  /** `settle` is to be called soon. */
  changed(stream: GroupStream): void;
}

export class GroupStream implements Scene {
  readers: readonly Reader[] = [];
  /** What the wire was asked for; `null`: nothing yet. */
  private asked: { readonly mode: Mode; readonly since: Since } | null = null;
  /** Where the wire is, as far as the listeners were told; `null` before the first `subscribed`. */
  private live: { epoch: string; offset: number } | null = null;
  /** `subscribed` has come on this connection. */
  private standing = false;
  private readonly catchUp = new CatchUp(this);
  private gaps = 0;
  private lost = 0;

  constructor(
    readonly group: string,
    private readonly wire: Wire
  ) {}

  get empty(): boolean {
    return this.readers.length === 0;
  }

  get statistics(): StreamStatistics {
    return { delivered: this.live?.offset ?? 0, top: this.top, gaps: this.gaps, lost: this.lost };
  }

  add(options: SubscribeOptions, listener: StreamListener): Disposer {
    const reader = new Reader(options, listener);
    // A new list: whoever is going through the old one is not disturbed.
    this.readers = [...this.readers, reader];
    this.wire.changed(this);
    return {
      dispose: () => {
        reader.phase = 'ended';
        if (this.readers.includes(reader)) {
          this.remove(reader);
          this.wire.changed(this);
        }
      }
    };
  }

  /** Make the wire's subscription what the listeners need. Returns whether the stream is still needed. */
  settle(): boolean {
    if (this.readers.length === 0) {
      if (this.asked !== null) {
        this.wire.unsubscribe(this.group);
      }
      return false;
    }
    const mode: Mode = this.readers.some(reader => reader.options.mode === 'log') ? 'log' : 'latest';
    if (this.asked === null || (this.live === null && !this.wire.greeted)) {
      // Nothing has left yet: all who are here share one beginning.
      const since = this.readers.map(reader => reader.options.since).reduce(wider);
      if (this.asked?.mode !== mode || this.asked.since !== since) {
        this.asked = { mode, since };
        this.wire.request({ group: this.group, mode, since });
      }
    } else if (this.live !== null) {
      const position = this.wire.position(this.group);
      if (mode !== this.asked.mode && position !== null) {
        this.asked = { mode, since: this.asked.since };
        this.wire.request({ group: this.group, mode, position });
      }
      if (this.standing) {
        for (const reader of this.readers) {
          if (reader.phase === 'waiting') {
            this.begin(reader, null);
          }
        }
      }
    }
    return true;
  }

  /** The connection is gone; open reads have failed already. */
  disconnected(): void {
    this.standing = false;
  }

  // -- for catching up ------------------------------------------------------------------------------

  get place(): { readonly epoch: string; readonly offset: number } | null {
    return this.standing ? this.live : null;
  }

  get top(): number {
    return Math.max(this.live?.offset ?? 0, this.wire.top(this.group));
  }

  own(sender: number): boolean {
    return this.wire.own(sender);
  }

  read(request: Readonly<Record<string, unknown>>, handler: PageHandler): void {
    this.wire.read(request, handler);
  }

  after(seconds: number, callback: () => void): void {
    this.wire.after(seconds, callback);
  }

  refused(reader: Reader, error: WireError): void {
    this.remove(reader);
    reader.end(error);
    this.wire.changed(this);
  }

  // -- the live stream ------------------------------------------------------------------------------

  subscribed(event: SubscribedEvent): void {
    const first = this.live === null;
    this.live = { epoch: event.epoch, offset: event.offset };
    this.standing = true;
    this.catchUp.interrupted();
    if (!event.recovered && !first && !event.cleared) {
      this.gaps += 1;
      this.lost += event.lost ?? 0;
    }
    for (const reader of this.readers) {
      switch (reader.phase) {
        case 'waiting':
          this.begin(reader, first ? event : null);
          break;
        case 'live':
          resume(reader, event);
          break;
        case 'reading':
          reader.announce = true;
          this.catchUp.proceed(reader);
          break;
        case 'ended':
          break;
      }
    }
    // The mode may have had to wait for a position.
    this.wire.changed(this);
  }

  messages(batch: readonly Message[]): void {
    const first = batch[0];
    const last = batch[batch.length - 1];
    if (first === undefined || last === undefined || this.live === null) {
      return;
    }
    this.live.offset = last.offset;
    let catching = false;
    for (const reader of this.readers) {
      if (reader.phase === 'live') {
        hand(reader, batch, last);
      } else {
        catching ||= reader.phase === 'reading';
      }
    }
    this.catchUp.messages(batch, catching);
  }

  gap(from: number, to: number, reason: string): void {
    if (this.live === null) {
      return;
    }
    this.live.offset = to;
    this.gaps += 1;
    this.lost += to - from + 1;
    for (const reader of this.readers) {
      const { cursor } = reader;
      if (reader.phase === 'live' && cursor !== null && to > cursor.offset) {
        const missing = to - Math.max(from - 1, cursor.offset);
        cursor.offset = to;
        reader.gap(reason, missing);
      }
    }
    this.catchUp.interrupted();
  }

  /** The server ended the subscription, or refused it. */
  ended(error: { readonly code: string; readonly message: string }): void {
    const { readers } = this;
    this.readers = [];
    this.asked = null;
    this.live = null;
    this.standing = false;
    for (const reader of readers) {
      reader.end(error);
    }
    this.wire.changed(this);
  }

  /** Where a listener starts: with the live stream if that brings what it wants, else in the past. */
  private begin(reader: Reader, event: SubscribedEvent | null): void {
    if (this.live === null) {
      return;
    }
    const { epoch, offset } = this.live;
    const { top } = this;
    const { since } = reader.options;
    const start = since === 'now' ? top : event === null || this.asked === null ? null : startWithin(this.asked.since, since, offset, top);
    if (start === null) {
      reader.phase = 'reading';
      this.catchUp.proceed(reader);
    } else {
      reader.phase = 'live';
      reader.cursor = { epoch, offset: start, tag: 0 };
      reader.subscribed(epoch, top, true);
    }
  }

  private remove(reader: Reader): void {
    this.readers = this.readers.filter(one => one !== reader);
  }
}

/** Hand a live batch to a listener, without what it has heard already. */
function hand(reader: Reader, batch: readonly Message[], last: Message): void {
  const { cursor } = reader;
  const first = batch[0];
  if (cursor === null || first === undefined || last.offset <= cursor.offset) {
    return;
  }
  // The usual case: all of it is new, and every listener is given the same list.
  const news = first.offset > cursor.offset ? batch : batch.filter(message => message.offset > cursor.offset);
  cursor.offset = last.offset;
  reader.messages(news);
}

/** The wire's subscription stands again: what does that leave out for this listener? */
function resume(reader: Reader, event: SubscribedEvent): void {
  const { cursor } = reader;
  if (cursor === null) {
    return;
  }
  let recovered = true;
  if (cursor.epoch !== event.epoch) {
    cursor.epoch = event.epoch;
    cursor.offset = event.offset;
    recovered = false;
    reader.epoch(event.cleared);
  } else if (!event.recovered && event.reason === 'tag') {
    cursor.offset = event.offset;
    recovered = false;
    reader.gap('tag', null);
  } else if (!event.recovered && event.offset > cursor.offset) {
    const missing = event.offset - cursor.offset;
    cursor.offset = event.offset;
    recovered = false;
    reader.gap('trimmed', missing);
  }
  reader.subscribed(event.epoch, event.top, recovered);
}

/** The beginning that has both: earliest, then the longer tail, then now. */
function wider(one: Since, other: Since): Since {
  if (one === 'earliest' || other === 'earliest') {
    return 'earliest';
  }
  if (one === 'now' || other === 'now') {
    return one === 'now' ? other : one;
  }
  return one.last >= other.last ? one : other;
}

/** Where a listener starts in a stream that begins with `wire`; `null`: before it. */
function startWithin(wire: Since, wish: Since, offset: number, top: number): number | null {
  if (wish === 'now') {
    return top;
  }
  if (wider(wire, wish) !== wire && !(typeof wire === 'object' && typeof wish === 'object' && wire.last === wish.last)) {
    return null;
  }
  return wish === 'earliest' ? offset : Math.max(offset, top - wish.last);
}
