/** The control records a server sends, field by field. */

import { decodeControl } from './codec';
import { ProtocolError } from './errors';
import type { Limits, Position, TargetKind, WireError } from './events';

export type ServerControl =
  | { readonly op: 'welcome'; readonly server: string; readonly version: string; readonly connection: number; readonly user: string; readonly limits: Limits; readonly backend: string; readonly trouble: string | null }
  | SubscribedControl
  | { readonly op: 'unsubscribed'; readonly group: string; readonly error: WireError | null }
  | GapControl
  | AcceptedControl
  | RejectedControl
  | { readonly op: 'result'; readonly id: number; readonly value: unknown }
  | { readonly op: 'error'; readonly id: number | null; readonly error: WireError }
  | { readonly op: 'heartbeat'; readonly logs: readonly (readonly [log: number, sent: number, top: number])[] }
  | { readonly op: 'goaway'; readonly reason: string; readonly spread: number }
  | { readonly op: 'layer'; readonly trouble: string | null }
  | { readonly op: 'challenge' | 'proof' };

export type ServerOp = ServerControl['op'];

export interface SubscribedControl extends Position {
  readonly op: 'subscribed';
  readonly group: string;
  readonly id: number;
  readonly top: number;
  readonly recovered: boolean;
  readonly reason: string | null;
  readonly cleared: boolean;
  readonly lost: number | null;
}

export interface GapControl {
  readonly op: 'gap';
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

export interface TargetReceipt {
  readonly kind: TargetKind;
  readonly name: string;
  readonly sequence: number;
  readonly receipt: Readonly<Record<string, unknown>>;
}

export interface AcceptedControl {
  readonly op: 'accepted';
  readonly targets: readonly (readonly [kind: TargetKind, name: string, sequence: number])[];
  readonly receipts: readonly TargetReceipt[];
}

export interface RejectedControl {
  readonly op: 'rejected';
  readonly kind: TargetKind;
  readonly name: string;
  readonly sequence: number;
  readonly error: WireError;
  readonly retry: number | null;
}

/**
 * Read a control record from the server; `null` for an op of a later version, which is ignored.
 *
 * @throws ProtocolError
 */
export function readServerControl(text: string): ServerControl | null {
  const record = decodeControl(text);
  const read = READERS.get(record.op);
  return read === undefined ? null : read(new Fields(record));
}

/** A field that is missing or of another type ends the connection: guessing would lose messages later. */
function refuse(place: string): never {
  throw new ProtocolError('field', `${place} is missing or not what the protocol says`);
}

function whole(value: unknown, place: string): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : refuse(place);
}

function text(value: unknown, place: string): string {
  return typeof value === 'string' ? value : refuse(place);
}

function target(value: unknown, place: string): TargetKind {
  return value === 'group' || value === 'channel' ? value : refuse(place);
}

function list(value: unknown, place: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(place);
}

function map(value: unknown, place: string): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : refuse(place);
}

/** Typed access to the fields of a record. */
class Fields {
  constructor(private readonly record: Readonly<Record<string, unknown>> & { readonly op?: unknown }) {}

  private place(key: string): string {
    return `${String(this.record.op)}.${key}`;
  }

  any(key: string): unknown {
    return Object.hasOwn(this.record, key) ? this.record[key] : undefined;
  }

  text(key: string): string {
    return text(this.any(key), this.place(key));
  }

  whole(key: string): number {
    return whole(this.any(key), this.place(key));
  }

  /** A number of seconds, not negative. */
  seconds(key: string): number {
    const value = this.any(key);
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : refuse(this.place(key));
  }

  flag(key: string): boolean {
    const value = this.any(key);
    return typeof value === 'boolean' ? value : refuse(this.place(key));
  }

  target(key: string): TargetKind {
    return target(this.any(key), this.place(key));
  }

  list(key: string): readonly unknown[] {
    return list(this.any(key), this.place(key));
  }

  map(key: string): Fields {
    return new Fields({ ...map(this.any(key), this.place(key)), op: this.place(key) });
  }

  /** A text, or nothing. */
  word(key: string): string | null {
    return this.maybe(key, found => this.text(found));
  }

  /** `null` (or nothing) stays `null`. */
  maybe<T>(key: string, read: (key: string) => T): T | null {
    const value = this.any(key);
    return value === null || value === undefined ? null : read(key);
  }

  error(key: string): WireError {
    const error = this.map(key);
    return { code: error.text('code'), message: error.text('message'), temporary: error.any('temporary') === true };
  }
}

/** The fields of `subscribed` that the result of `call read` shares with it. */
export interface Standing extends Position {
  readonly top: number;
  readonly recovered: boolean;
  readonly reason: string | null;
  readonly cleared: boolean;
  readonly lost: number | null;
}

/**
 * Read the value that answers `call read`.
 *
 * @throws ProtocolError
 */
export function readStanding(value: unknown): Standing & { readonly count: number } {
  const fields = new Fields({ ...map(value, 'result.value'), op: 'result.value' });
  return { ...standing(fields), count: fields.whole('count') };
}

function standing(f: Fields): Standing {
  return {
    epoch: f.text('epoch'),
    offset: f.whole('offset'),
    tag: f.whole('tag'),
    top: f.whole('top'),
    recovered: f.flag('recovered'),
    reason: f.maybe('reason', key => f.text(key)),
    cleared: f.any('cleared') === true,
    lost: f.maybe('lost', key => f.whole(key))
  };
}

function readTarget(value: unknown): readonly [TargetKind, string, number] {
  const [kind, name, sequence] = list(value, 'accepted.targets');
  return [target(kind, 'accepted.targets'), text(name, 'accepted.targets'), whole(sequence, 'accepted.targets')];
}

function readReceipt(value: unknown): TargetReceipt {
  const receipt = map(value, 'accepted.receipts');
  const fields = new Fields({ ...receipt, op: 'accepted.receipts' });
  return { kind: fields.target('kind'), name: fields.text('name'), sequence: fields.whole('sequence'), receipt };
}

function readLog(value: unknown): readonly [number, number, number] {
  const [log, sent, top] = list(value, 'heartbeat.logs');
  return [whole(log, 'heartbeat.logs'), whole(sent, 'heartbeat.logs'), whole(top, 'heartbeat.logs')];
}

const READERS: ReadonlyMap<string, (fields: Fields) => ServerControl> = new Map<ServerOp, (f: Fields) => ServerControl>([
  ['welcome', f => {
    const limits = f.map('limits');
    return {
      op: 'welcome',
      server: f.text('server'),
      version: f.text('version'),
      connection: f.whole('connection'),
      user: f.maybe('user', key => f.text(key)) ?? '',
      limits: {
        message: limits.whole('message'),
        window: limits.whole('window'),
        windowBytes: limits.whole('window_bytes'),
        subscriptions: limits.whole('subscriptions')
      },
      trouble: f.maybe('layer', key => f.map(key).maybe('trouble', () => f.map(key).text('trouble'))),
      backend: f.maybe('layer', key => f.map(key))?.word('backend') ?? ''
    };
  }],
  ['subscribed', f => ({ op: 'subscribed', group: f.text('group'), id: f.whole('id'), ...standing(f) })],
  ['unsubscribed', f => ({ op: 'unsubscribed', group: f.text('group'), error: f.maybe('error', key => f.error(key)) })],
  ['gap', f => ({ op: 'gap', id: f.whole('id'), from: f.whole('from'), to: f.whole('to'), reason: f.text('reason') })],
  ['accepted', f => ({ op: 'accepted', targets: f.list('targets').map(readTarget), receipts: f.list('receipts').map(readReceipt) })],
  ['rejected', f => ({
    op: 'rejected',
    kind: f.target('kind'),
    name: f.text('name'),
    sequence: f.whole('sequence'),
    error: f.error('error'),
    retry: f.maybe('retry', key => f.seconds(key))
  })],
  ['result', f => ({ op: 'result', id: f.whole('id'), value: f.any('value') })],
  ['error', f => ({ op: 'error', id: f.maybe('id', key => f.whole(key)), error: f.error('error') })],
  ['heartbeat', f => ({ op: 'heartbeat', logs: f.list('logs').map(readLog) })],
  ['goaway', f => ({ op: 'goaway', reason: f.text('reason'), spread: f.seconds('spread') })],
  ['layer', f => ({ op: 'layer', trouble: f.maybe('trouble', key => f.text(key)) })],
  // Only kernels are challenged; the session refuses these.
  ['challenge', () => ({ op: 'challenge' })],
  ['proof', () => ({ op: 'proof' })]
]);
