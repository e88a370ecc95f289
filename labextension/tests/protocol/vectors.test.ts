/** Every vector in tests/vectors/v1: the same files drive the Python suite. */

import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { decodeBody } from '../../src/protocol/body';
import { decodeControl, decodeRecords, encodeControl, encodeRecords } from '../../src/protocol/codec';
import type { Control } from '../../src/protocol/codec';
import { readServerControl } from '../../src/protocol/controls';
import { DecodeError, ProtocolError } from '../../src/protocol/errors';
import type { SessionEvent, Since, SubscriptionRequest, TargetKind } from '../../src/protocol/events';
import { isChannelName, isGroupName } from '../../src/protocol/names';
import { CODEC, FLAG, KIND } from '../../src/protocol/records';
import type { DataRecord } from '../../src/protocol/records';
import { ClientSession } from '../../src/protocol/session';
import { isArrayValue, isCivil, isFrame, isInstant } from '../../src/protocol/values';

type Json = Readonly<Record<string, unknown>>;

/** The cases of a vector file; those that only Python can check are left out. */
function cases<T>(file: string): T[] {
  const url = new URL(`../../../tests/vectors/v1/${file}`, import.meta.url);
  const { cases: all } = JSON.parse(readFileSync(url, 'utf8')) as { cases: (T & { only?: string })[] };
  return all.filter(one => one.only === undefined || one.only === 'typescript');
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

interface RecordVector {
  kind: keyof typeof KIND;
  codec?: keyof typeof CODEC;
  flags?: (keyof typeof FLAG)[];
  name?: string;
  id?: number;
  tag?: number;
  sequence?: number;
  time?: number;
  sender?: number;
  body?: string;
}

function toRecord(vector: RecordVector, body: Uint8Array): DataRecord {
  const { kind, codec = 'json', flags = [], name = '', id = 0, tag = 0, sequence = 0, time = 0, sender = 0 } = vector;
  return {
    kind: KIND[kind], codec: CODEC[codec], flags: flags.reduce((sum, flag) => sum | FLAG[flag], 0),
    name, id, tag, sequence, time, sender, body
  };
}

const keyOf = <T extends Readonly<Record<string, number>>>(table: T, value: number): string =>
  Object.entries(table).find(([, number]) => number === value)?.[0] ?? '?';

describe('records.json', () => {
  it.each(cases<{ name: string; records: RecordVector[]; hex: string }>('records.json'))('$name', vector => {
    const records = vector.records.map(one => toRecord(one, bytes(one.body ?? '')));
    expect(hex(encodeRecords(records))).toBe(vector.hex);
    const decoded = decodeRecords(bytes(vector.hex));
    expect(decoded.map(one => ({ ...one, body: hex(one.body) }))).toEqual(records.map(one => ({ ...one, body: hex(one.body) })));
    expect(decoded.every(one => one.body.byteOffset % 8 === 0)).toBe(true);
  });
});

describe('controls.json', () => {
  it.each(cases<{ direction: string; record: Control }>('controls.json'))('$record.op ($direction)', ({ direction, record }) => {
    expect(decodeControl(encodeControl(record))).toEqual(record);
    if (direction === 'server') {
      expect(readServerControl(JSON.stringify(record))).toMatchObject({ op: record.op });
    }
  });
});

describe('invalid.json', () => {
  it.each(cases<{ name: string; hex?: string; text?: string; error: string; close_code: number; direction?: string }>('invalid.json'))(
    '$name', vector => {
      const decode = (): unknown => (vector.text === undefined ? decodeRecords(bytes(vector.hex ?? '')) : decodeControl(vector.text));
      let error: unknown;
      try {
        decode();
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(ProtocolError);
      expect(error).toMatchObject({ reason: vector.error, closeCode: vector.close_code });
    }
  );
});

describe('names.json', () => {
  it.each(cases<{ name: string; channel: boolean; group: boolean }>('names.json'))('$name', ({ name, channel, group }) => {
    expect([isChannelName(name), isGroupName(name)]).toEqual([channel, group]);
  });
});

/** What JSON cannot say, as bodies.json spells it. */
function spell(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { $float: spellFloat(value) };
  }
  if (typeof value === 'bigint') {
    return { $int: String(value) };
  }
  if (Array.isArray(value)) {
    return value.map(spell);
  }
  if (value instanceof Uint8Array) {
    return { $bytes: hex(value) };
  }
  if (isArrayValue(value)) {
    const values = Array.from(value.values as ArrayLike<number | bigint>, one =>
      typeof one === 'bigint' ? String(one) : Number.isFinite(one) ? one : spellFloat(one));
    return { $array: value.dtype, shape: value.shape, values };
  }
  if (isFrame(value)) {
    return { $frame: value.names.map((name, i) => [name, spell(value.columns[i])]) };
  }
  if (isInstant(value)) {
    return { $instant: value.seconds };
  }
  if (isCivil(value)) {
    return { $civil: [value.kind, value.value] };
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, spell(inner)]));
  }
  return value;
}

const spellFloat = (value: number): string => (Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf');

describe('bodies.json', () => {
  it.each(cases<{ name: string; codec: keyof typeof CODEC; hex: string; value: unknown }>('bodies.json'))('$name', vector => {
    expect(spell(decodeBody(CODEC[vector.codec], bytes(vector.hex)))).toEqual(vector.value);
  });
});

describe('bad_bodies.json', () => {
  it.each(cases<{ name: string; hex: string }>('bad_bodies.json'))('$name', vector => {
    expect(() => decodeBody(CODEC.msgpack, bytes(vector.hex))).toThrow(DecodeError);
  });
});

// -- transcripts -----------------------------------------------------------------------------------

type WireVector = (RecordVector & { op?: undefined }) | Control;

interface Step {
  now?: number;
  call?: [method: string, args: Json];
  receives?: WireVector[];
  sends?: WireVector[];
  emits?: Json[];
  state?: string;
}

function call(session: ClientSession, now: number, method: string, args: Json): void {
  switch (method) {
    case 'connected':
      return session.connected(now);
    case 'disconnected':
      return session.disconnected(now);
    case 'tick':
      return session.tick(now);
    case 'subscribe':
      return session.subscribe(args as unknown as SubscriptionRequest & { since: Since });
    case 'unsubscribe':
      return session.unsubscribe(args.group as string);
    case 'publish': {
      const body = { codec: CODEC[args.codec as keyof typeof CODEC], bytes: new TextEncoder().encode(args.body as string) };
      session.publish(args.kind as TargetKind, args.name as string, body, args.receipt as boolean);
      return;
    }
    case 'withdraw':
      return session.withdraw(args.sequence as number);
    case 'call':
      session.call(args.method as string, args.arguments as Json);
      return;
    case 'credit':
      return session.credit(args.channel as string, args.credit as number);
    case 'settle':
      return session.settle(args.leases as never);
    default:
      throw new Error(`the transcript calls ${method}`);
  }
}

/** A record as the transcripts spell it, zero and empty fields left out. */
function spellRecord(record: DataRecord): Json {
  const flags = Object.keys(FLAG).filter(flag => (record.flags & FLAG[flag as keyof typeof FLAG]) !== 0).sort();
  const full = {
    kind: keyOf(KIND, record.kind), codec: keyOf(CODEC, record.codec), name: record.name, id: record.id, tag: record.tag,
    sequence: record.sequence, time: record.time, sender: record.sender, body: text(record.body)
  };
  return { ...Object.fromEntries(Object.entries(full).filter(([, value]) => value !== 0 && value !== '')), flags };
}

function spellSent(message: string | Uint8Array): unknown[] {
  return typeof message === 'string' ? [JSON.parse(message)] : decodeRecords(message).map(spellRecord);
}

function spellEvent(event: SessionEvent): Json {
  switch (event.event) {
    case 'message':
      return { event: 'message', group: event.group, offset: event.offset, body: text(event.record.body) };
    case 'entry':
    case 'delivery':
      return { ...event, body: text(event.record.body) };
    default:
      return { ...event };
  }
}

describe('client.json', () => {
  it.each(cases<{ name: string; steps: Step[] }>('client.json'))('$name', ({ steps }) => {
    const session = new ClientSession({ client: 'script', version: '0.1.0', producer: '0123456789abcdef0123456789abcdef' });
    let now = 0;
    steps.forEach((step, number) => {
      const where = `step ${number}: ${JSON.stringify(step).slice(0, 120)}`;
      now = step.now ?? now;
      if (step.call !== undefined) {
        call(session, now, ...step.call);
      }
      for (const record of step.receives ?? []) {
        const message = record.op === undefined
          ? encodeRecords([toRecord(record as RecordVector, new TextEncoder().encode((record as RecordVector).body ?? ''))])
          : JSON.stringify(record);
        session.receive(message, now);
      }
      if (step.sends !== undefined) {
        const expected = step.sends.map(one =>
          one.op === undefined ? { ...one, flags: [...((one as RecordVector).flags ?? [])].sort() } : one);
        expect(session.outgoing().flatMap(spellSent), where).toEqual(expected);
      }
      if (step.emits !== undefined) {
        const events = session.events().map(spellEvent);
        expect(events, where).toHaveLength(step.emits.length);
        step.emits.forEach((expected, i) => expect(events[i], where).toMatchObject(expected));
      }
      if (step.state !== undefined) {
        expect(session.state, where).toBe(step.state);
      }
    });
  });
});
