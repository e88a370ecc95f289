/** The events that a session makes of what it receives, and the words they share with the wire. */

import { decodeBody } from './body';
import { FLAG, recordSize } from './records';
import type { DataRecord } from './records';

/** A position in a group's log: after the entry at `offset`. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
  readonly tag: number;
}

export type Since = 'now' | 'earliest' | { readonly last: number };
export type Mode = 'log' | 'latest';
export type TargetKind = 'group' | 'channel';
export type Settlement = 'done' | 'return' | 'later' | 'fail';

/** What a subscription asks for: a beginning, or a position to go on from. */
export interface SubscriptionRequest {
  readonly group: string;
  readonly mode: Mode;
  readonly since?: Since;
  readonly position?: Position;
}

/** An error as the server words it. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly temporary: boolean;
}

/** One message of a group. It is its own event: nothing else is allocated for it on the way to a view. */
export class Message {
  readonly event = 'message';
  private decoded: { readonly value: unknown } | null = null;

  constructor(
    readonly group: string,
    readonly epoch: string,
    readonly own: boolean,
    readonly record: DataRecord
  ) {}

  get offset(): number {
    return this.record.sequence;
  }

  get time(): number {
    return this.record.time;
  }

  get retried(): boolean {
    return (this.record.flags & FLAG.retried) !== 0;
  }

  get size(): number {
    return recordSize(this.record);
  }

  /** The decoded body, decoded once and shared by all who ask: do not change it. Throws `DecodeError`. */
  content(): unknown {
    this.decoded ??= { value: decodeBody(this.record.codec, this.record.body) };
    return this.decoded.value;
  }
}

export interface Limits {
  readonly message: number;
  readonly window: number;
  readonly windowBytes: number;
  readonly subscriptions: number;
}

export interface WelcomedEvent {
  readonly event: 'welcomed';
  readonly server: string;
  readonly version: string;
  readonly connection: number;
  readonly user: string;
  readonly limits: Limits;
  /** Why the layer of the server does not answer now, in a sentence. */
  readonly trouble: string | null;
  /** One word for where the server's layer lives: `memory`, `redis`, `foreign`; empty if it does not say. */
  readonly backend: string;
}

export interface SubscribedEvent {
  readonly event: 'subscribed';
  readonly group: string;
  readonly epoch: string;
  readonly offset: number;
  readonly tag: number;
  readonly top: number;
  readonly recovered: boolean;
  readonly reason: string | null;
  readonly cleared: boolean;
  readonly lost: number | null;
}

export interface UnsubscribedEvent {
  readonly event: 'unsubscribed';
  readonly group: string;
  /** It answers our own `unsubscribe`. */
  readonly asked: boolean;
  readonly code: string | null;
  readonly error: WireError | null;
}

export interface GapEvent {
  readonly event: 'gap';
  readonly group: string;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

export interface AcceptedEvent {
  readonly event: 'accepted';
  readonly kind: TargetKind;
  readonly name: string;
  readonly sequence: number;
  readonly receipt: Readonly<Record<string, unknown>> | null;
}

export interface RejectedEvent {
  readonly event: 'rejected';
  readonly kind: TargetKind;
  readonly name: string;
  readonly sequence: number;
  readonly code: string;
  readonly error: WireError;
}

export interface ResultEvent {
  readonly event: 'result';
  readonly id: number;
  readonly value: unknown;
}

export interface EntryEvent {
  readonly event: 'entry';
  readonly id: number;
  readonly offset: number;
  readonly record: DataRecord;
}

export interface ErrorEvent {
  readonly event: 'error';
  readonly id: number | null;
  readonly code: string;
  readonly error: WireError;
}

export interface DeliveryEvent {
  readonly event: 'delivery';
  readonly channel: string;
  readonly lease: number;
  readonly record: DataRecord;
}

/** The session asks its host to close the WebSocket and to connect again. */
export interface CloseEvent {
  readonly event: 'close';
  readonly code: number;
  readonly reason: string;
}

export interface GoawayEvent {
  readonly event: 'goaway';
  readonly reason: string;
  readonly spread: number;
}

/** The layer of the server does not answer, for this reason; null: it answers again. */
export interface LayerEvent {
  readonly event: 'layer';
  readonly trouble: string | null;
}

export type SessionEvent =
  | WelcomedEvent
  | SubscribedEvent
  | UnsubscribedEvent
  | Message
  | GapEvent
  | AcceptedEvent
  | RejectedEvent
  | ResultEvent
  | EntryEvent
  | ErrorEvent
  | DeliveryEvent
  | CloseEvent
  | GoawayEvent
  | LayerEvent;
