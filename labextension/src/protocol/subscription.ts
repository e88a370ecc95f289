/**
 * One group's subscription: where it stands on the wire, and what has been handed on.
 *
 * The two differ while a subscription is replaced (a change of mode): the server begins again at the
 * position it was given, although messages behind it were still under way.
 */

import type { GapControl, SubscribedControl } from './controls';
import { ProtocolError } from './errors';
import type { Mode, Position, Since, SubscribedEvent, SubscriptionRequest } from './events';
import { recordSize } from './records';
import type { DataRecord } from './records';

/** A message arrived: hand it on, forget it, or reconnect because one before it is missing. */
export type Verdict = 'new' | 'duplicate' | 'hole';

export class Subscription {
  /** The server's id of this log in this epoch; `null` until `subscribed` has come on this connection. */
  log: number | null = null;
  mode: Mode;
  /** Newest offset known. */
  top = 0;
  private since: Since;
  /** Where to go on: the last message that was handed on, whose tag is known. */
  private anchor: Position | null;
  /** Last offset handed on, as a message or inside a gap. */
  private handed: number;
  /** Last offset received on this connection, as a message or inside a gap. */
  private received = 0;
  /** The last request had a position: what was handed on stays handed on. */
  private resuming = false;
  private messages = 0;
  private bytes = 0;

  constructor(
    readonly group: string,
    request: SubscriptionRequest
  ) {
    this.mode = request.mode;
    this.since = request.since ?? 'now';
    this.anchor = request.position ?? null;
    this.handed = this.anchor?.offset ?? 0;
  }

  /** Ask again, in another way. */
  replace(request: SubscriptionRequest): void {
    this.mode = request.mode;
    this.since = request.since ?? 'now';
    const position = request.position ?? null;
    // The position it stands at: a gap may have been handed on behind it.
    const same = position !== null && position.epoch === this.anchor?.epoch && position.offset === this.anchor.offset;
    if (!same) {
      this.anchor = position;
      this.handed = position?.offset ?? 0;
    }
  }

  /** The position to resume at; `null` until the first `subscribed`. */
  get position(): Position | null {
    return this.anchor;
  }

  /** Last offset handed on. */
  get delivered(): number {
    return this.handed;
  }

  get epoch(): string {
    return this.anchor?.epoch ?? '';
  }

  /** The request as it goes on the wire. */
  request(): Readonly<Record<string, unknown>> {
    this.resuming = this.anchor !== null;
    const { group, mode } = this;
    return this.anchor === null ? { group, mode, since: this.since } : { group, mode, position: this.anchor };
  }

  /** The connection is gone. */
  disconnected(): void {
    this.log = null;
    this.acknowledged();
  }

  /** The server says where the stream begins. */
  subscribed(control: SubscribedControl): SubscribedEvent {
    const { group, epoch, offset, tag, reason, cleared } = control;
    const before = this.handed;
    const sameHistory = this.resuming && epoch === this.epoch && (control.recovered || reason === 'trimmed');
    this.log = control.id;
    this.received = offset;
    this.acknowledged();
    if (!sameHistory || offset > before) {
      this.anchor = { epoch, offset, tag };
      this.handed = offset;
    }
    this.resuming = true;
    this.top = Math.max(control.top, this.handed);
    // What was trimmed may have been handed on before the answer came.
    const trimmed = sameHistory && reason === 'trimmed';
    const lost = trimmed ? Math.max(0, offset - before) : control.lost;
    const recovered = control.recovered || (trimmed && lost === 0);
    return {
      event: 'subscribed', group, epoch, offset: this.handed, tag: this.anchor?.tag ?? tag, top: this.top, recovered,
      reason: recovered ? null : reason, cleared, lost: recovered ? null : lost
    };
  }

  /** A MESSAGE of this log. */
  message(record: DataRecord): Verdict {
    const offset = record.sequence;
    if (offset > this.received + 1) {
      return 'hole';
    }
    // Duplicates fill the server's window as well.
    this.messages += 1;
    this.bytes += recordSize(record);
    this.received = Math.max(this.received, offset);
    if (offset <= this.handed) {
      return 'duplicate';
    }
    this.handed = offset;
    this.anchor = { epoch: this.epoch, offset, tag: record.tag };
    this.top = Math.max(this.top, offset);
    return 'new';
  }

  /** A gap of this log: what of it is news, `null` if nothing, 'hole' if something before it is missing. */
  gap({ from, to }: GapControl): { readonly from: number; readonly to: number } | 'hole' | null {
    if (from > to) {
      throw new ProtocolError('field', `a gap from ${from} to ${to}`);
    }
    if (from > this.received + 1) {
      return 'hole';
    }
    this.received = Math.max(this.received, to);
    this.top = Math.max(this.top, to);
    if (to <= this.handed) {
      return null;
    }
    const news = { from: Math.max(from, this.handed + 1), to };
    // The anchor stays: nobody tells the tag of what was left out.
    this.handed = to;
    return news;
  }

  /** What the heartbeat says: whether something that was sent never came. */
  heartbeat(sent: number, top: number): boolean {
    this.top = Math.max(this.top, top);
    return sent > this.received;
  }

  /** Whether half the window is unacknowledged. */
  windowHalf(messages: number, bytes: number): boolean {
    return this.messages * 2 >= messages || this.bytes * 2 >= bytes;
  }

  /** The pair for `ack`; `null` if there is nothing to acknowledge. */
  acknowledge(): readonly [log: number, offset: number] | null {
    if (this.log === null || this.messages === 0) {
      return null;
    }
    this.acknowledged();
    return [this.log, this.received];
  }

  private acknowledged(): void {
    this.messages = 0;
    this.bytes = 0;
  }
}
