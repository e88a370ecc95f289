/**
 * The head of a codec 2 body: msgpack with the extensions of docs/wire-protocol.md.
 *
 * A head is scanned before it is decoded. The decoder allocates what a length says before it has seen
 * the elements, so a few hostile bytes could ask for gigabytes; after the scan every element is known to be there.
 */

import { decodeTimestampToTimeSpec, Decoder, encode, encodeTimeSpecToTimestamp, ExtensionCodec, ExtData } from '@msgpack/msgpack';

import { DecodeError } from './errors';
import { ArrayValue, Civil, columnLength, Frame, Instant, LAYOUTS } from './values';
import type { CivilKind, Column, Dtype } from './values';

const EXTENSION = { timestamp: -1, array: 1, frame: 2, civil: 3 } as const;
const KNOWN: ReadonlySet<number> = new Set(Object.values(EXTENSION));
/** Deeper than anyone nests, shallower than any stack. */
export const MAX_BODY_DEPTH = 64;
const MAX_DIMENSIONS = 64;
const CIVIL_KINDS: ReadonlySet<unknown> = new Set<CivilKind>(['datetime', 'date', 'time', 'timedelta']);

/** The body being decoded: arrays lie behind its head. Decoding is synchronous, so one place is enough. */
let body: Uint8Array = new Uint8Array(0);
let arraysFrom = 0;

const extensions = new ExtensionCodec();
const none = (): null => null;
extensions.register({
  type: EXTENSION.timestamp,
  encode: none,
  decode: data => {
    const { sec, nsec } = decodeTimestampToTimeSpec(data);
    return new Instant(sec + nsec / 1e9);
  }
});
extensions.register({ type: EXTENSION.array, encode: none, decode: data => readArray(readInner(data)) });
extensions.register({ type: EXTENSION.frame, encode: none, decode: data => readFrame(readInner(data)) });
extensions.register({ type: EXTENSION.civil, encode: none, decode: data => readCivil(readInner(data)) });

// With `useBigInt64` every 64-bit integer becomes a bigint and needs a walk afterwards: only where the scan saw one.
const narrow = new Decoder({ extensionCodec: extensions });
const wide = new Decoder({ extensionCodec: extensions, useBigInt64: true });

/**
 * Decode the head `bytes[from, to)`; arrays are views on `bytes`, at or behind `arrays`.
 *
 * @throws DecodeError and whatever the decoder throws
 */
export function decodeHead(bytes: Uint8Array, from: number, to: number, arrays: number): unknown {
  body = bytes;
  arraysFrom = arrays;
  try {
    return read(bytes.subarray(from, to));
  } finally {
    body = new Uint8Array(0);
  }
}

function read(data: Uint8Array): unknown {
  return scan(data) ? settle(wide.decode(data)) : narrow.decode(data);
}

function readInner(data: Uint8Array): readonly unknown[] {
  const inner = read(data);
  if (!Array.isArray(inner)) {
    throw new DecodeError('an extension that is no list');
  }
  return inner;
}

/**
 * Walk over the structure: every announced element must be there. Says whether a 64-bit integer occurs.
 */
function scan(data: Uint8Array): boolean {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  // Values still to come at each level.
  const open: number[] = [1];
  let hasWide = false;
  let at = 0;
  while (open.length > 0) {
    const level = open.length - 1;
    const left = open[level] ?? 0;
    if (left === 0) {
      open.pop();
      continue;
    }
    open[level] = left - 1;
    if (at >= data.length) {
      throw new DecodeError('the head ends in the middle of a value');
    }
    const first = view.getUint8(at++);
    let skip = 0;
    let inner = 0;
    if (first < 0x80 || first >= 0xe0) {
      continue;
    } else if (first < 0x90) {
      inner = 2 * (first & 0x0f);
    } else if (first < 0xa0) {
      inner = first & 0x0f;
    } else if (first < 0xc0) {
      skip = first & 0x1f;
    } else {
      hasWide ||= first === 0xcf || first === 0xd3;
      const shape = SHAPES[first - 0xc0] ?? NEVER;
      if (at + shape.size > data.length) {
        throw new DecodeError('the head ends in the middle of a value');
      }
      const length = shape.size === 1 ? view.getUint8(at) : shape.size === 2 ? view.getUint16(at) : shape.size === 4 ? view.getUint32(at) : 0;
      at += shape.size;
      if (shape.typed && at < data.length && !KNOWN.has(view.getInt8(at))) {
        throw new DecodeError(`unknown extension ${view.getInt8(at)}`);
      }
      skip = shape.fixed + (shape.items === 0 ? length : 0);
      inner = length * shape.items;
    }
    at += skip;
    // An element has a byte at least.
    if (at + inner > data.length) {
      throw new DecodeError('the head announces more than there is');
    }
    if (inner > 0) {
      if (open.length >= MAX_BODY_DEPTH) {
        throw new DecodeError(`nested over ${MAX_BODY_DEPTH} deep`);
      }
      open.push(inner);
    }
  }
  if (at !== data.length) {
    throw new DecodeError('bytes after the head');
  }
  return hasWide;
}

/** What follows a first byte from 0xc0 on: a length of `size` bytes, `fixed` bytes, `items` values for each unit of the length. */
interface Shape {
  readonly size: 0 | 1 | 2 | 4;
  readonly fixed: number;
  readonly items: 0 | 1 | 2;
  /** An extension: its type is the byte behind the length. */
  readonly typed: boolean;
}

const shape = (size: Shape['size'], fixed = 0, items: Shape['items'] = 0): Shape => ({ size, fixed, items, typed: false });
const extension = (size: Shape['size'], fixed: number): Shape => ({ size, fixed, items: 0, typed: true });
const NEVER = shape(0, Infinity);
// 0xc0 … 0xdf, in order: nil, never used, booleans; bin; ext; floats; unsigned; signed; fixext; str; array; map.
const SHAPES: readonly Shape[] = [
  shape(0), NEVER, shape(0), shape(0),
  shape(1), shape(2), shape(4),
  extension(1, 1), extension(2, 1), extension(4, 1),
  shape(0, 4), shape(0, 8),
  shape(0, 1), shape(0, 2), shape(0, 4), shape(0, 8),
  shape(0, 1), shape(0, 2), shape(0, 4), shape(0, 8),
  extension(0, 2), extension(0, 3), extension(0, 5), extension(0, 9), extension(0, 17),
  shape(1), shape(2), shape(4),
  shape(2, 0, 1), shape(4, 0, 1),
  shape(2, 0, 2), shape(4, 0, 2)
];

/** Turn bigints that a number can hold into numbers, in place. The scan has bounded the depth. */
function settle(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      value[i] = settle(value[i]);
    }
  } else if (isPlainMap(value)) {
    for (const [key, inner] of Object.entries(value)) {
      value[key] = settle(inner);
    }
  }
  return value;
}

/** Whether `value` is what a msgpack or JSON map decodes to. */
export function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function readArray([dtype, dimensions, offset]: readonly unknown[]): ArrayValue {
  const layout = typeof dtype === 'string' ? LAYOUTS.get(dtype) : undefined;
  if (layout === undefined) {
    throw new DecodeError(`unknown dtype ${JSON.stringify(dtype)}`);
  }
  if (!Array.isArray(dimensions) || dimensions.length > MAX_DIMENSIONS || !dimensions.every(isCount)) {
    throw new DecodeError('a shape that is no list of lengths');
  }
  if (!isCount(offset) || offset % 8 !== 0 || offset < arraysFrom) {
    throw new DecodeError(`an array at ${String(offset)}: not at a multiple of 8 behind the head`);
  }
  // A zero makes the array empty, whatever the others say; without one the product only grows.
  const count = dimensions.includes(0) ? 0 : dimensions.reduce((product, length) => product * length, 1);
  if (offset + count * layout.bytes > body.length) {
    throw new DecodeError('an array that ends behind the body');
  }
  const start = body.byteOffset + offset;
  if (start % layout.bytes === 0) {
    return new ArrayValue(dtype as Dtype, dimensions, layout.view(body.buffer, start, count));
  }
  // Only a body that did not come in a WebSocket message of its own can lie like this.
  const copy = body.slice(offset, offset + count * layout.bytes);
  return new ArrayValue(dtype as Dtype, dimensions, layout.view(copy.buffer, 0, count));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readFrame([names, columns]: readonly unknown[]): Frame {
  if (!Array.isArray(names) || !Array.isArray(columns) || names.length !== columns.length) {
    throw new DecodeError('a frame needs as many names as columns');
  }
  if (!names.every(name => typeof name === 'string') || !columns.every(isColumn)) {
    throw new DecodeError('a frame needs names that are text and columns that are arrays or lists');
  }
  const frame = new Frame(names, columns);
  if (columns.some(column => columnLength(column) !== frame.rows)) {
    throw new DecodeError('a frame whose columns differ in length');
  }
  return frame;
}

function isColumn(value: unknown): value is Column {
  return Array.isArray(value) || value instanceof ArrayValue;
}

function readCivil([kind, value]: readonly unknown[]): Civil {
  if (!CIVIL_KINDS.has(kind) || !(Number.isSafeInteger(value) || typeof value === 'bigint')) {
    throw new DecodeError('a time without zone needs its kind and a whole number');
  }
  return new Civil(kind as CivilKind, value as number | bigint);
}

const writer = new ExtensionCodec();
// Dates are made extensions before they get here: with a zone, to the millisecond.
writer.register({ type: EXTENSION.timestamp, encode: none, decode: none });

/** Encode a tree of plain values, bigints and what the functions below return. */
export function encodeHead(tree: unknown): Uint8Array {
  return encode(tree, { extensionCodec: writer, useBigInt64: true, maxDepth: MAX_BODY_DEPTH + 2 });
}

/** An array whose bytes lie at `offset` of the body. */
export function arrayExtension(dtype: Dtype, dimensions: readonly number[], offset: number): ExtData {
  return new ExtData(EXTENSION.array, encode([dtype, dimensions, offset]));
}

/** A table of columns already made extensions or lists. */
export function frameExtension(names: readonly string[], columns: readonly unknown[]): ExtData {
  return new ExtData(EXTENSION.frame, encodeHead([names, columns]));
}

/** A moment. */
export function instantExtension(seconds: number): ExtData {
  // Microseconds: what a double holds today, and what Python's datetime holds.
  const micros = Math.round(seconds * 1e6);
  const sec = Math.floor(micros / 1e6);
  return new ExtData(EXTENSION.timestamp, encodeTimeSpecToTimestamp({ sec, nsec: (micros - sec * 1e6) * 1000 }));
}

/** A time without zone. */
export function civilExtension(kind: CivilKind, value: number | bigint): ExtData {
  return new ExtData(EXTENSION.civil, encodeHead([kind, typeof value === 'number' ? BigInt(value) : value]));
}
