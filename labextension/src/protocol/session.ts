/**
 * The client's side of the protocol, without IO: text and bytes in, events out, the time handed in.
 *
 * The host calls `connected` when its WebSocket is open, hands every message to `receive`, takes `events()`
 * and then `outgoing()` after each call, calls `tick` no later than `deadline`, and `disconnected` at the end.
 * Everything that changes the state stands in `TRANSITIONS`, everything that a state listens to in `HEEDED`.
 */

import { Deliveries } from './deliveries';
import type { EncodedBody } from './body';
import { decodeRecords, encodeControl, joinMessages } from './codec';
import type { Control } from './codec';
import { readServerControl } from './controls';
import type { ServerControl, ServerOp } from './controls';
import { CLOSE, ProtocolError } from './errors';
import { Message } from './events';
import type { Limits, Position, SessionEvent, Settlement, SubscriptionRequest, TargetKind, WireError } from './events';
import { Publisher } from './publisher';
import { KIND } from './records';
import type { DataRecord } from './records';
import { Subscriptions } from './subscriptions';

export type SessionState = 'CLOSED' | 'CONNECTING' | 'OPEN';
type Trigger = 'connected' | 'welcomed' | 'lost';

const TRANSITIONS: Readonly<Record<SessionState, Readonly<Partial<Record<Trigger, SessionState>>>>> = {
  CLOSED: { connected: 'CONNECTING', lost: 'CLOSED' },
  CONNECTING: { welcomed: 'OPEN', lost: 'CLOSED' },
  OPEN: { lost: 'CLOSED' }
};

const HEEDED: Readonly<Record<SessionState, ReadonlySet<ServerOp>>> = {
  CLOSED: new Set(),
  CONNECTING: new Set<ServerOp>(['welcome', 'error', 'heartbeat', 'goaway']),
  OPEN: new Set<ServerOp>([
    'subscribed', 'unsubscribed', 'gap', 'accepted', 'rejected', 'result', 'error', 'heartbeat', 'goaway',
    'layer'
  ])
};

/** Seconds without a word from the server after which it counts as gone. */
const SILENCE = 30;
/** Connection numbers remembered, to know one's own messages in the history. */
const OWN_CONNECTIONS = 256;

export interface SessionOptions {
  readonly client: 'page' | 'script';
  readonly version: string;
  /** 32 hexadecimal digits, random, one for each instance. */
  readonly producer: string;
  readonly label?: string | null;
}

const UNAVAILABLE: WireError = { code: 'unavailable', message: 'the connection to the server was lost', temporary: true };

export class ClientSession {
  private current: SessionState = 'CLOSED';
  private now = 0;
  private heard = 0;
  private limits: Limits = { message: 0, window: 1, windowBytes: 1, subscriptions: 0 };
  private server: string | null = null;
  private readonly connections = new Set<number>();

  private readonly subscriptions = new Subscriptions();
  private readonly publisher = new Publisher();
  private readonly deliveries = new Deliveries();
  private readonly calls = new Set<number>();
  private lastCall = 0;

  private out: (string | DataRecord)[] = [];
  /** Written between hello and welcome: it goes out after the welcome. */
  private held: string[] = [];
  private happened: SessionEvent[] = [];

  constructor(private readonly options: SessionOptions) {}

  get state(): SessionState {
    return this.current;
  }

  /** Whether this number of a connection was ours. */
  own(sender: number): boolean {
    return this.connections.has(sender);
  }

  /** Messages sent and not yet accepted. */
  get backlog(): { readonly messages: number; readonly bytes: number } {
    return this.publisher.backlog;
  }

  // -- the host's side ------------------------------------------------------------------------------

  /** The WebSocket is open: say hello, with everything that shall go on. */
  connected(now: number, ticket: string | null = null): void {
    this.step('connected');
    this.now = this.heard = now;
    this.lastCall = 0;
    const { client, version, producer, label = null } = this.options;
    this.put({
      op: 'hello', client, version, producer, ticket, label,
      subscriptions: this.subscriptions.requests(),
      channels: [], memberships: [], consumers: [], ...this.deliveries.told()
    });
  }

  /** The WebSocket is closed. Subscriptions, unaccepted messages and credit wait for the next; calls do not. */
  disconnected(now: number): void {
    this.now = now;
    this.step('lost');
    this.out = [];
    this.held = [];
    this.subscriptions.disconnected();
    for (const id of this.calls) {
      this.happened.push({ event: 'error', id, code: UNAVAILABLE.code, error: UNAVAILABLE });
    }
    this.calls.clear();
  }

  /** Time has passed. */
  tick(now: number): void {
    this.now = now;
    if (this.current === 'CLOSED') {
      return;
    }
    if (now - this.heard >= SILENCE) {
      this.fail(CLOSE.NO_HEARTBEAT, `nothing heard from the server for ${SILENCE} s`);
    } else if (this.current === 'OPEN') {
      this.out.push(...this.publisher.due(now));
    }
  }

  /** When `tick` is due, in the host's clock; `null` while closed. */
  get deadline(): number | null {
    if (this.current === 'CLOSED') {
      return null;
    }
    return Math.min(this.heard + SILENCE, this.subscriptions.deadline ?? Infinity, this.publisher.deadline ?? Infinity);
  }

  /** A WebSocket message. */
  receive(data: string | ArrayBuffer | Uint8Array, now: number): void {
    if (this.current === 'CLOSED') {
      return;
    }
    this.now = this.heard = now;
    try {
      if (typeof data === 'string') {
        this.control(readServerControl(data));
      } else {
        this.records(decodeRecords(data));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) {
        throw error;
      }
      this.fail(error.closeCode, error.message);
    }
  }

  /** What happened since the last look. */
  events(): SessionEvent[] {
    const { happened } = this;
    this.happened = [];
    return happened;
  }

  /** The WebSocket messages to send now, acknowledgements first. */
  outgoing(): (string | Uint8Array<ArrayBuffer>)[] {
    const acknowledged = this.subscriptions.acknowledge(this.now);
    if (acknowledged.length > 0) {
      this.out.unshift(encodeControl({ op: 'ack', logs: acknowledged }));
    }
    const { out } = this;
    if (out.length === 0) {
      return [];
    }
    this.out = [];
    return joinMessages(out);
  }

  // -- subscriptions --------------------------------------------------------------------------------

  /** Subscribe, or replace the subscription of this group. */
  subscribe(request: SubscriptionRequest): void {
    const subscription = this.subscriptions.subscribe(request);
    if (this.current !== 'CLOSED') {
      this.put({ op: 'subscribe', ...subscription.request() });
    }
  }

  /** End the subscription of this group; nothing of it comes any more. */
  unsubscribe(group: string): void {
    const connected = this.current !== 'CLOSED';
    if (this.subscriptions.unsubscribe(group, connected) && connected) {
      this.put({ op: 'unsubscribe', group });
    }
  }

  /** Where the subscription of this group stands on the wire. */
  subscription(group: string): { readonly position: Position | null; readonly delivered: number; readonly top: number } | null {
    return this.subscriptions.get(group);
  }

  // -- sending --------------------------------------------------------------------------------------

  /** Send to a group or a channel; kept until the server has accepted it. Returns its number. */
  publish(kind: TargetKind, name: string, body: EncodedBody, receipt: boolean): number {
    const sequence = this.publisher.add({ kind, name, body, receipt });
    const record = this.current === 'OPEN' ? this.publisher.write(sequence) : null;
    if (record !== null) {
      this.out.push(record);
    }
    return sequence;
  }

  /** Take back a message that is not accepted yet. */
  withdraw(sequence: number): void {
    const withdrawal = this.publisher.withdraw(sequence, this.current === 'OPEN');
    if (withdrawal !== null) {
      this.put({ op: 'withdraw', ...withdrawal });
    }
  }

  /** Ask the server; the answer is a `result` or an `error` event with this id. */
  call(method: string, args: Readonly<Record<string, unknown>>): number {
    const id = ++this.lastCall;
    if (this.current === 'CLOSED') {
      this.happened.push({ event: 'error', id, code: UNAVAILABLE.code, error: UNAVAILABLE });
    } else {
      this.put({ op: 'call', id, method, arguments: args });
      this.calls.add(id);
    }
    return id;
  }

  /** How many more deliveries of this channel are welcome. */
  credit(channel: string, credit: number): void {
    this.deliveries.credit(channel, credit);
    if (this.current === 'OPEN') {
      this.put({ op: 'credit', channel, credit });
    }
  }

  /** Say what became of deliveries. */
  settle(leases: readonly (readonly [lease: number, how: Settlement])[]): void {
    const held = this.deliveries.settle(leases);
    if (this.current === 'OPEN' && held.length > 0) {
      this.put({ op: 'settle', leases: held });
    }
  }

  // -- receiving ------------------------------------------------------------------------------------

  private records(records: readonly DataRecord[]): void {
    if (this.current !== 'OPEN') {
      throw new ProtocolError('state', 'a data record before the welcome');
    }
    for (const record of records) {
      switch (record.kind) {
        case KIND.MESSAGE:
          this.message(record);
          break;
        case KIND.ENTRY:
          if (this.calls.has(record.id)) {
            this.happened.push({ event: 'entry', id: record.id, offset: record.sequence, record });
          }
          break;
        case KIND.DELIVERY:
          this.deliveries.delivered(record);
          this.happened.push({ event: 'delivery', channel: record.name, lease: record.sequence, record });
          break;
        case KIND.PUBLISH:
        case KIND.SEND:
          throw new ProtocolError('kind', 'a record that only a server receives');
      }
    }
  }

  private message(record: DataRecord): void {
    const subscription = this.subscriptions.message(record, this.now, this.limits);
    if (subscription !== null) {
      this.happened.push(new Message(subscription.group, subscription.epoch, this.connections.has(record.sender), record));
    }
  }

  private control(control: ServerControl | null): void {
    if (control === null) {
      return;
    }
    if (!HEEDED[this.current].has(control.op)) {
      throw new ProtocolError('state', `${control.op} in the state ${this.current}`);
    }
    switch (control.op) {
      case 'welcome':
        this.welcome(control);
        break;
      case 'subscribed':
        this.emit(this.subscriptions.subscribed(control));
        break;
      case 'unsubscribed':
        this.emit(this.subscriptions.unsubscribed(control.group, control.error));
        break;
      case 'gap':
        this.emit(this.subscriptions.gap(control));
        break;
      case 'accepted':
        this.happened.push(...this.publisher.accepted(control));
        break;
      case 'rejected':
        this.emit(this.publisher.rejected(control, this.now));
        break;
      case 'result':
        if (this.calls.delete(control.id)) {
          this.happened.push({ event: 'result', id: control.id, value: control.value });
        }
        break;
      case 'error':
        if (control.id === null || this.calls.delete(control.id)) {
          this.happened.push({ event: 'error', id: control.id, code: control.error.code, error: control.error });
        }
        break;
      case 'heartbeat':
        this.subscriptions.heartbeat(control.logs);
        this.put({ op: 'heartbeat' });
        break;
      case 'goaway':
        this.happened.push({ event: 'goaway', reason: control.reason, spread: control.spread });
        break;
      case 'layer':
        this.happened.push({ event: 'layer', trouble: control.trouble });
        break;
      case 'challenge':
      case 'proof':
        break;
    }
  }

  private welcome({ server, version, connection, user, limits, backend, trouble }: ServerControl & { readonly op: 'welcome' }): void {
    this.step('welcomed');
    this.limits = limits;
    if (server !== this.server) {
      // Another process counts its connections anew.
      this.connections.clear();
      this.deliveries.forgetLeases();
      this.server = server;
    } else if (this.connections.size >= OWN_CONNECTIONS) {
      const [oldest] = this.connections;
      this.connections.delete(oldest ?? connection);
    }
    this.connections.add(connection);
    this.happened.push({ event: 'welcomed', server, version, connection, user, limits, backend, trouble });
    this.out.push(...this.held);
    this.held = [];
    for (const [channel, credit] of this.deliveries.open()) {
      this.put({ op: 'credit', channel, credit });
    }
    const { withdrawals, records } = this.publisher.resume();
    for (const withdrawal of withdrawals) {
      this.put({ op: 'withdraw', ...withdrawal });
    }
    this.out.push(...records);
  }

  // -- helpers --------------------------------------------------------------------------------------

  private step(trigger: Trigger): void {
    const next = TRANSITIONS[this.current][trigger];
    if (next === undefined) {
      throw new Error(`${trigger} in the state ${this.current}`);
    }
    this.current = next;
  }

  private emit(event: SessionEvent | null): void {
    if (event !== null) {
      this.happened.push(event);
    }
  }

  private fail(code: number, reason: string): void {
    this.happened.push({ event: 'close', code, reason });
    this.disconnected(this.now);
  }

  private put(record: Control): void {
    const text = encodeControl(record);
    if (this.current === 'CONNECTING' && record.op !== 'hello' && record.op !== 'heartbeat') {
      this.held.push(text);
    } else {
      this.out.push(text);
    }
  }
}
