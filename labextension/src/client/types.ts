/**
 * What a view may ask of the page's one connection to the server.
 *
 * Interfaces only: several copies of this code can live on one page (the labextension and the view
 * bundle), and whoever comes first puts its client at `globalThis[Symbol.for('nbchannels.client.v1')]`.
 */

/** A position in a group's log: after the entry at `offset`. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
  readonly tag: number;
}

/** live: open · connecting: first try · reconnecting: lost, trying again · offline: no server found · refused: told to stop (see `detail`). */
export type ConnectionStatus = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'refused';

export interface ConnectionState {
  readonly status: ConnectionStatus;
  /** A sentence for people: what happened and what to do. */
  readonly detail: string;
  /** Close code or HTTP status behind it, if any. */
  readonly code: number | null;
  /** When it is tried again, in seconds since 1970, while that is known. */
  readonly retryAt?: number;
  /** Why what the server shares messages by (Redis) does not answer now, in a sentence: nothing new comes. Only while live. */
  readonly trouble?: string;
  /** What the server shares messages by with other servers (`redis`); absent if it keeps them itself. Only while live. */
  readonly shared?: string;
  /** The server's layer is another site's own: of what it sent before, and lost, nothing is known. */
  readonly foreign?: boolean;
}

/** One array of a message: `values` is a typed array over the received bytes (no copy); 64-bit integers are BigInt arrays. */
export interface ArrayValue {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number> | ArrayLike<bigint>;
}

/** One message of a group, as stamped by the layer. */
export interface StreamMessage {
  readonly group: string;
  readonly epoch: string;
  readonly offset: number;
  /** Seconds since 1970. */
  readonly time: number;
  /** Sent by this page. */
  readonly own: boolean;
  /** Sent again across a restart of the server: may be a repetition. */
  readonly retried: boolean;
  /** Bytes of the whole record. */
  readonly size: number;
  /**
   * The decoded body (a map, or a `Frame`), decoded on first use and shared by all listeners: do not change it. Throws `DecodeError`.
   * What a map can hold beyond JSON stands in `protocol/values`; tell it apart with `isArrayValue`, `isFrame`, `isInstant`, `isCivil`
   * (never with `instanceof`: another copy of this code may have decoded it). A raw body is `{ body: Uint8Array }`.
   */
  content(): unknown;
}

export type Since = 'now' | 'earliest' | { readonly last: number };

export interface SubscribeOptions {
  readonly since: Since;
  readonly mode: 'log' | 'latest';
}

/** Why a stream does not go on where it stopped. */
export interface Discontinuity {
  /** gap: messages are missing here · epoch: another log began (server restarted, or cleared). */
  readonly kind: 'gap' | 'epoch';
  readonly reason: 'trimmed' | 'conflated' | 'tag' | 'epoch' | 'cleared';
  /** How many messages are missing, if known. */
  readonly lost: number | null;
}

export interface StreamListener {
  /** New messages in order, one call for each WebSocket message. */
  messages(batch: readonly StreamMessage[]): void;
  /** The stream stands: `top` is the newest offset; called again after every (re)subscription. */
  subscribed?(info: { readonly epoch: string; readonly top: number; readonly recovered: boolean }): void;
  discontinuity?(what: Discontinuity): void;
  /** The server ended or refused the subscription. */
  ended?(error: { readonly code: string; readonly message: string }): void;
}

export interface Disposer {
  dispose(): void;
}

export interface Receipt {
  readonly members: number | null;
  readonly subscribers: number | null;
  readonly dropped: number;
  readonly offset: number | null;
  readonly hint: string | null;
}

export interface StreamStatistics {
  /** Offset last delivered and newest offset known: their difference is the lag in messages. */
  readonly delivered: number;
  readonly top: number;
  readonly gaps: number;
  readonly lost: number;
}

/** The page's connection. */
export interface Client {
  readonly version: string;
  readonly state: ConnectionState;
  /** Called at once with the present state and on each change. */
  watchState(callback: (state: ConnectionState) => void): Disposer;
  /** Every listener gets the whole stream it asked for, in order, without duplicates, whatever other listeners of the page asked for. */
  subscribe(group: string, options: SubscribeOptions, listener: StreamListener): Disposer;
  /** Resolves when the server has accepted it, rejects with its reason. `content` must be a plain JSON-like map. */
  publish(group: string, content: Record<string, unknown>): Promise<Receipt>;
  statistics(group: string): StreamStatistics | null;
}
