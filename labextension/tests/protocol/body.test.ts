import { encode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';

import { decodeBody, encodeBody } from '../../src/protocol/body';
import { DecodeError, EncodingError } from '../../src/protocol/errors';
import { CODEC } from '../../src/protocol/records';
import { ArrayValue, Civil, Frame, Instant, isArrayValue, isFrame } from '../../src/protocol/values';

const roundTrip = (content: unknown): unknown => {
  const { codec, bytes } = encodeBody(content);
  return decodeBody(codec, bytes);
};

/** A codec 2 body around a head. */
function bodyOf(head: Uint8Array, arrays = 0): Uint8Array {
  const bytes = new Uint8Array(((4 + head.length + 7) & ~7) + arrays);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  return bytes;
}

const decodeHead = (...bytes: number[]): unknown => decodeBody(CODEC.msgpack, bodyOf(Uint8Array.from(bytes)));

describe('encodeBody', () => {
  it('is JSON where JSON can say it', () => {
    const content = { a: 1, b: [1.5, null, true, { c: 'ü' }], left: undefined };
    expect(encodeBody(content).codec).toBe(CODEC.json);
    expect(roundTrip(content)).toEqual({ a: 1, b: [1.5, null, true, { c: 'ü' }] });
  });

  it.each([
    ['NaN', { x: Number.NaN }],
    ['infinity, deep inside', { x: [{ y: -Infinity }] }],
    ['a bigint', { x: 2n ** 63n }],
    ['bytes', { x: Uint8Array.of(1, 2) }],
    ['a large float', { x: 1e300 }]
  ])('is msgpack for %s', (_what, content) => {
    expect(encodeBody(content).codec).toBe(CODEC.msgpack);
    expect(roundTrip(content)).toEqual(content);
  });

  it('keeps whole numbers whole beside bigints', () => {
    expect(roundTrip({ big: 2n ** 60n, milliseconds: 1_700_000_000_000, negative: -(2 ** 40), small: 5 }))
      .toEqual({ big: 2n ** 60n, milliseconds: 1_700_000_000_000, negative: -(2 ** 40), small: 5 });
    // 0xcf: an unsigned integer of 64 bits, not a float.
    expect(encodeBody({ t: 1_700_000_000_000, x: Number.NaN }).bytes).toContain(0xcf);
  });

  it.each([[0], [1], [3], [40]])('lays out %i typed arrays at multiples of 8', count => {
    const content = Object.fromEntries(Array.from({ length: count }, (_, i) => [`array${i}`, new Float32Array(i + 1).fill(i)]));
    const back = roundTrip({ ...content, x: Number.NaN }) as Record<string, ArrayValue>;
    for (let i = 0; i < count; i++) {
      const array = back[`array${i}`];
      expect(isArrayValue(array)).toBe(true);
      expect(array).toMatchObject({ dtype: 'f4', shape: [i + 1], values: new Float32Array(i + 1).fill(i) });
    }
  });

  it('knows every typed array, and what it read itself', () => {
    const arrays = [
      Int8Array.of(-1), Int16Array.of(-2), Int32Array.of(-3), BigInt64Array.of(-4n), Uint16Array.of(1), Uint32Array.of(2), BigUint64Array.of(3n),
      Float64Array.of(0.5)
    ];
    const back = roundTrip({ arrays }) as { arrays: ArrayValue[] };
    expect(back.arrays.map(one => one.values)).toEqual(arrays);
    const values = {
      grid: new ArrayValue('u1', [2, 2], Uint8Array.of(1, 2, 3, 4)), when: new Instant(1700000000.25), wall: new Civil('datetime', 1700000000250000),
      table: new Frame(['x', 's'], [new ArrayValue('f8', [2], Float64Array.of(1, 2)), ['a', null]])
    };
    expect(roundTrip(values)).toEqual(values);
    expect(roundTrip(values.table)).toEqual(values.table);
    expect(roundTrip({ d: new Date(1500) })).toEqual({ d: new Instant(1.5) });
    expect(roundTrip({ d: new Date(-1500) })).toEqual({ d: new Instant(-1.5) });
  });

  it.each<[string, unknown, RegExp]>([
    ['a function', { a: { b: () => 1 } }, /^message\.a\.b is a function/],
    ['a Map', { a: [new Map()] }, /^message\.a\[0\] is a Map/],
    ['a symbol', { a: Symbol('x') }, /is a symbol/],
    ['no map', [1], /plain object/],
    ['null', null, /plain object/],
    ['an invalid date', { a: new Date(Number.NaN) }, /invalid date/],
    ['more than 64 bits', { a: 2n ** 64n }, /past 64 bits/],
    ['too much', { a: 'x'.repeat(17 * 2 ** 20) }, /limit is 16777216/]
  ])('refuses %s with a sentence', (_what, content, sentence) => {
    expect(() => encodeBody(content)).toThrow(EncodingError);
    expect(() => encodeBody(content)).toThrow(sentence);
  });

  it('refuses what contains itself', () => {
    const content: Record<string, unknown> = {};
    content.self = content;
    expect(() => encodeBody(content)).toThrow(/contains itself/);
  });

  it('takes the key __proto__ for a key', () => {
    const content = JSON.parse('{"__proto__": {"polluted": 1}}') as object;
    const back = roundTrip(content) as object;
    expect(Object.keys(back)).toEqual(['__proto__']);
    expect((back as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('decodeBody', () => {
  it('makes views on what was received, not copies', () => {
    const { bytes } = encodeBody({ x: Float64Array.of(1, 2) });
    const { x } = decodeBody(CODEC.msgpack, bytes) as { x: ArrayValue };
    expect(x.values.buffer).toBe(bytes.buffer);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const copied = decodeBody(CODEC.msgpack, shifted.subarray(1)) as { x: ArrayValue };
    expect(copied.x.values).toEqual(Float64Array.of(1, 2));
    expect(copied.x.values.buffer).not.toBe(shifted.buffer);
  });

  it('brands its values so that a message cannot pretend', () => {
    const pretender = roundTrip({ x: { dtype: 'f8', shape: [1], values: [1] } }) as { x: unknown };
    expect([isArrayValue(pretender.x), isFrame(pretender.x), isArrayValue(null)]).toEqual([false, false, false]);
  });

  it.each<[string, number, Uint8Array]>([
    ['JSON that is a list', CODEC.json, new TextEncoder().encode('[1]')],
    ['JSON cut short', CODEC.json, new TextEncoder().encode('{"a":')],
    ['bad UTF-8', CODEC.json, Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)],
    ['an Arrow table', CODEC.arrow, Uint8Array.of(1)],
    ['an empty body', CODEC.msgpack, new Uint8Array(0)],
    ['an array alone', CODEC.msgpack, bodyOf(Uint8Array.of(0x90))]
  ])('refuses %s', (_what, codec, bytes) => {
    expect(() => decodeBody(codec as 0 | 1 | 2 | 3, bytes)).toThrow(DecodeError);
  });

  it('makes a map of raw bytes, as Python does', () => {
    expect(decodeBody(CODEC.raw, Uint8Array.of(1, 2))).toEqual({ body: Uint8Array.of(1, 2) });
  });

  it('allocates nothing for announced elements that are not there', () => {
    // 1,000 lists inside each other, each announcing 16 million elements.
    const nested = Array.from({ length: 1000 }, () => [0xdd, 0x01, 0, 0, 0]).flat();
    expect(() => decodeHead(0x81, 0xa1, 0x61, ...nested)).toThrow(DecodeError);
    expect(() => decodeHead(0xdf, 0xff, 0xff, 0xff, 0xff)).toThrow(/announces more/);
    expect(() => decodeHead(0x81, 0xa1, 0x61, 0xdb, 0xff, 0xff, 0xff, 0xff)).toThrow(DecodeError);
    expect(() => decodeHead(0x81, 0xa1)).toThrow(DecodeError);
    expect(() => decodeHead(0x80, 0x00)).toThrow(/bytes after/);
    expect(() => decodeHead(0x81, 0xa1, 0x61, 0xc1)).toThrow(DecodeError);
    const deep = Array.from({ length: 100 }, () => 0x91);
    expect(() => decodeHead(0x81, 0xa1, 0x61, ...deep, 0xc0)).toThrow(/nested/);
  });

  it('scans every form of msgpack as the decoder reads it', () => {
    const value = {
      small: 1, negative: -5, u8: 200, u16: 60_000, u32: 4e9, i8: -100, i16: -30_000, i32: -2e9, f: 1.5, yes: true, no: false, nothing: null,
      text: 'x'.repeat(40), long: 'y'.repeat(300), longest: 'z'.repeat(70_000), bytes: new Uint8Array(300), most: new Uint8Array(70_000),
      list: Array.from({ length: 20 }, (_, i) => i), lists: Array.from({ length: 70_000 }, () => 0),
      map: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i])),
      maps: Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))
    };
    expect(decodeBody(CODEC.msgpack, bodyOf(encode(value)))).toEqual(value);
    expect(decodeBody(CODEC.msgpack, bodyOf(encode({ f: 1.5 }, { forceFloat32: true })))).toEqual({ f: 1.5 });
  });

  it.each<[string, unknown]>([
    ['columns that differ', new Frame(['a', 'b'], [[1], [1, 2]])],
    ['a name too many', new Frame(['a', 'b'], [[1]])],
    ['a column that is text', new Frame(['a'], ['xyz' as unknown as string[]])]
  ])('refuses a frame with %s', (_what, frame) => {
    expect(() => roundTrip(frame)).toThrow(DecodeError);
  });
});
