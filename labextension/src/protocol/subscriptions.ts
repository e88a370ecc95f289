/** All subscriptions of a connection: who is meant by a log id, what is on its way out, what is to be acknowledged. */

import type { GapControl, SubscribedControl } from './controls';
import { CLOSE, ProtocolError } from './errors';
import type { GapEvent, Limits, SubscribedEvent, SubscriptionRequest, UnsubscribedEvent, WireError } from './events';
import type { DataRecord } from './records';
import { Subscription } from './subscription';

/** Seconds after the first unacknowledged message. */
const ACK_DELAY = 1;

export class Subscriptions {
  private readonly groups = new Map<string, Subscription>();
  private readonly logs = new Map<number, Subscription>();
  /** Unsubscribed on this connection, the answer outstanding: what still comes for the group belongs to the past. */
  private readonly leaving = new Map<string, number>();
  private readonly unacknowledged = new Set<Subscription>();
  private ackAt: number | null = null;

  get(group: string): Subscription | null {
    return this.groups.get(group) ?? null;
  }

  /** When the next acknowledgement is due. */
  get deadline(): number | null {
    return this.ackAt;
  }

  /** The requests for hello. */
  requests(): Readonly<Record<string, unknown>>[] {
    return [...this.groups.values()].map(one => one.request());
  }

  /** The connection is gone. */
  disconnected(): void {
    this.logs.clear();
    this.leaving.clear();
    this.unacknowledged.clear();
    this.ackAt = null;
    for (const subscription of this.groups.values()) {
      subscription.disconnected();
    }
  }

  /** Subscribe, or replace the subscription of this group. */
  subscribe(request: SubscriptionRequest): Subscription {
    let subscription = this.groups.get(request.group);
    if (subscription === undefined) {
      subscription = new Subscription(request.group, request);
      this.groups.set(request.group, subscription);
    } else {
      subscription.replace(request);
      if (subscription.position === null) {
        // It begins anew: what is still under way belongs to the stream that was given up.
        this.forget(subscription);
      }
    }
    return subscription;
  }

  /** Whether there was one. `connected`: the server will answer. */
  unsubscribe(group: string, connected: boolean): boolean {
    const subscription = this.groups.get(group);
    if (subscription === undefined) {
      return false;
    }
    this.forget(subscription);
    this.groups.delete(group);
    if (connected) {
      this.leaving.set(group, (this.leaving.get(group) ?? 0) + 1);
    }
    return true;
  }

  subscribed(control: SubscribedControl): SubscribedEvent | null {
    const subscription = this.groups.get(control.group);
    if (subscription === undefined || this.leaving.has(control.group)) {
      return null;
    }
    this.forget(subscription);
    this.logs.set(control.id, subscription);
    return subscription.subscribed(control);
  }

  unsubscribed(group: string, error: WireError | null): UnsubscribedEvent | null {
    const left = this.leaving.get(group) ?? 0;
    if (left > 1) {
      this.leaving.set(group, left - 1);
    } else {
      this.leaving.delete(group);
    }
    const subscription = this.groups.get(group);
    if (subscription !== undefined) {
      if (left > 0) {
        // Subscribed again in the meantime: the end of the old one is no news.
        return null;
      }
      this.forget(subscription);
      this.groups.delete(group);
    }
    return { event: 'unsubscribed', group, asked: left > 0, code: error?.code ?? null, error };
  }

  /**
   * A MESSAGE: whose it is, `null` if nobody is to hear of it.
   *
   * @throws ProtocolError on a hole
   */
  message(record: DataRecord, now: number, limits: Limits): Subscription | null {
    const subscription = this.logs.get(record.id);
    if (subscription === undefined) {
      return null;
    }
    const verdict = subscription.message(record);
    if (verdict === 'hole') {
      throw loss(subscription, record.sequence);
    }
    this.unacknowledged.add(subscription);
    if (subscription.windowHalf(limits.window, limits.windowBytes)) {
      this.ackAt = now;
    } else {
      this.ackAt ??= now + ACK_DELAY;
    }
    return verdict === 'new' ? subscription : null;
  }

  /** @throws ProtocolError on a hole before the gap */
  gap(control: GapControl): GapEvent | null {
    const subscription = this.logs.get(control.id);
    const news = subscription?.gap(control) ?? null;
    if (subscription === undefined || news === null) {
      return null;
    }
    if (news === 'hole') {
      throw loss(subscription, control.from);
    }
    return { event: 'gap', group: subscription.group, ...news, reason: control.reason };
  }

  /** @throws ProtocolError if something that was sent never came */
  heartbeat(logs: readonly (readonly [log: number, sent: number, top: number])[]): void {
    for (const [log, sent, top] of logs) {
      const subscription = this.logs.get(log);
      if (subscription?.heartbeat(sent, top) === true) {
        throw loss(subscription, sent + 1);
      }
    }
  }

  /** The pairs for `ack`: all logs as soon as one is due, so that one record does for all. */
  acknowledge(now: number): (readonly [log: number, offset: number])[] {
    if (this.ackAt === null || this.ackAt > now) {
      return [];
    }
    const pairs = [...this.unacknowledged].map(one => one.acknowledge()).filter(pair => pair !== null);
    this.unacknowledged.clear();
    this.ackAt = null;
    return pairs;
  }

  private forget(subscription: Subscription): void {
    if (subscription.log !== null) {
      this.logs.delete(subscription.log);
      subscription.log = null;
    }
    this.unacknowledged.delete(subscription);
  }
}

/** Something before `offset` never came: only a new connection brings it. */
function loss(subscription: Subscription, offset: number): ProtocolError {
  return new ProtocolError('loss', `messages of ${subscription.group} before offset ${offset} were lost`, CLOSE.LOSS);
}
