/** Bodies of messages: a map (or a table) ⇄ JSON, or msgpack with arrays behind it. */

import { DecodeError, EncodingError } from './errors';
import {
  arrayExtension, civilExtension, decodeHead, encodeHead, frameExtension, instantExtension, isPlainMap, MAX_BODY_DEPTH
} from './msgpack';
import { CODEC, MAX_BODY, padded } from './records';
import type { Codec } from './records';
import { ArrayValue, isArrayValue, isCivil, isFrame, isInstant, LAYOUTS } from './values';
import type { Dtype, Numbers } from './values';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Bytes of the field that says how long the head is. */
const HEAD_LENGTH = 4;

/**
 * Decode a body: a map, or a `Frame`; a raw body is `{ body: bytes }`, as in Python.
 * Arrays are views on `bytes`.
 *
 * @throws DecodeError
 */
export function decodeBody(codec: Codec, bytes: Uint8Array): unknown {
  try {
    switch (codec) {
      case CODEC.raw:
        return { body: bytes };
      case CODEC.json:
        return decodeJson(bytes);
      case CODEC.msgpack:
        return decodeMsgpack(bytes);
      case CODEC.arrow:
        throw new DecodeError('an Arrow table: a page cannot read it; send a frame, or to_dict()');
    }
  } catch (error) {
    // The libraries have errors of their own; whoever asks for content needs to know one.
    throw error instanceof DecodeError ? error : new DecodeError(error instanceof Error ? error.message : String(error));
  }
}

function decodeJson(bytes: Uint8Array): unknown {
  const value: unknown = JSON.parse(decoder.decode(bytes));
  if (!isPlainMap(value)) {
    throw new DecodeError('a message is a map');
  }
  return value;
}

function decodeMsgpack(bytes: Uint8Array): unknown {
  if (bytes.length < HEAD_LENGTH) {
    throw new DecodeError(`a body of ${bytes.length} bytes has no head`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  if (length > bytes.length - HEAD_LENGTH) {
    throw new DecodeError(`a head of ${length} bytes in a body of ${bytes.length}`);
  }
  const end = HEAD_LENGTH + length;
  const head = decodeHead(bytes, HEAD_LENGTH, end, padded(end));
  if (!isPlainMap(head) && !isFrame(head)) {
    throw new DecodeError('a message is a map or a frame');
  }
  return head;
}

/** A body ready to be sent. */
export interface EncodedBody {
  readonly codec: Codec;
  readonly bytes: Uint8Array;
}

/**
 * Encode a message: as JSON where JSON can say it, else as msgpack (NaN, infinities, typed arrays, bytes, bigints, dates).
 *
 * @throws EncodingError naming the place and the remedy
 */
export function encodeBody(content: unknown): EncodedBody {
  if (!isPlainMap(content) && !isFrame(content)) {
    throw new EncodingError('a message is a plain object: send({…})');
  }
  const body: EncodedBody = sayableInJson(content, 'message', 0)
    ? { codec: CODEC.json, bytes: encoder.encode(JSON.stringify(content)) }
    : { codec: CODEC.msgpack, bytes: encodeMsgpack(content) };
  if (body.bytes.length > MAX_BODY) {
    throw new EncodingError(`the message has ${body.bytes.length} bytes, the limit is ${MAX_BODY}: send it in parts`);
  }
  return body;
}

/** Whether JSON says `value` without loss; throws where nothing can. */
function sayableInJson(value: unknown, path: string, depth: number): boolean {
  if (depth > MAX_BODY_DEPTH) {
    throw new EncodingError(`${path} is nested over ${MAX_BODY_DEPTH} deep, or contains itself`);
  }
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      // JSON knows neither NaN nor infinity, and its readers take a large whole number for an exact one.
      return Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value));
    case 'object':
      break;
    case 'bigint':
      if (value < -(2n ** 63n) || value >= 2n ** 64n) {
        throw new EncodingError(`${path} is past 64 bits: send it as text`);
      }
      return false;
    case 'function':
    case 'symbol':
      throw new EncodingError(`${path} is a ${typeof value}: a message holds numbers, text, booleans, null, lists, maps and arrays`);
  }
  if (value === null) {
    return true;
  }
  if (Array.isArray(value)) {
    // No early exit: the places behind must be checked too.
    return value.reduce<boolean>((sofar, inner, i) => sayableInJson(inner, `${path}[${i}]`, depth + 1) && sofar, true);
  }
  if (isPlainMap(value)) {
    return Object.entries(value).reduce<boolean>(
      (sofar, [key, inner]) => sayableInJson(inner, `${path}.${key}`, depth + 1) && sofar,
      true
    );
  }
  if (value instanceof Date && Number.isNaN(value.getTime())) {
    throw new EncodingError(`${path} is an invalid date`);
  }
  if (ArrayBuffer.isView(value) || isArrayValue(value) || isFrame(value) || isInstant(value) || isCivil(value) || value instanceof Date) {
    return false;
  }
  throw new EncodingError(`${path} is a ${value.constructor?.name ?? 'strange object'}: a message holds numbers, text, booleans, null, lists, maps and arrays`);
}

interface Laid {
  readonly offset: number;
  readonly values: Numbers;
}

function encodeMsgpack(content: unknown): Uint8Array {
  // Where the arrays begin depends on the head's length, which depends on how long the offsets in it are:
  // try, and try again from where this head ended. It only grows, so it comes to rest.
  let from = 0;
  for (;;) {
    const laid: Laid[] = [];
    const place = new Place(from, laid);
    const head = encodeHead(prepare(content, place));
    const start = padded(HEAD_LENGTH + head.length);
    if (start === from || laid.length === 0) {
      const bytes = new Uint8Array(laid.length === 0 ? start : place.end);
      new DataView(bytes.buffer).setUint32(0, head.length, true);
      bytes.set(head, HEAD_LENGTH);
      for (const { offset, values } of laid) {
        bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
      }
      return bytes;
    }
    from = start;
  }
}

/** Lays arrays one behind the other. */
class Place {
  constructor(
    public end: number,
    private readonly laid: Laid[]
  ) {}

  put(values: Numbers): number {
    const offset = this.end;
    this.laid.push({ offset, values });
    this.end += padded(values.byteLength);
    return offset;
  }
}

/** Replace what msgpack does not know by its extensions. */
function prepare(value: unknown, place: Place): unknown {
  if (typeof value === 'number') {
    // The encoder writes a safe integer past 32 bits as a float where bigints are allowed; a whole number shall stay one.
    return Number.isSafeInteger(value) && Math.abs(value) >= 2 ** 31 ? BigInt(value) : value;
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(inner => prepare(inner, place));
  }
  if (value instanceof Date) {
    return instantExtension(value.getTime() / 1000);
  }
  if (isInstant(value)) {
    return instantExtension(value.seconds);
  }
  if (isCivil(value)) {
    return civilExtension(value.kind, value.value);
  }
  if (isFrame(value)) {
    return frameExtension(value.names, value.columns.map(column => prepare(column, place)));
  }
  if (isArrayValue(value)) {
    return arrayExtension(value.dtype, value.shape, place.put(value.values));
  }
  // Uint8Array is bytes, as in Python; an array of u1 is asked for with ArrayValue.
  if (value instanceof Uint8Array) {
    return value;
  }
  if (ArrayBuffer.isView(value)) {
    const array = fromTyped(value);
    return arrayExtension(array.dtype, array.shape, place.put(array.values));
  }
  return Object.fromEntries(
    Object.entries(value).filter(([, inner]) => inner !== undefined).map(([key, inner]) => [key, prepare(inner, place)])
  );
}

const DTYPE_OF: ReadonlyMap<string, Dtype> = new Map([
  ['Int8Array', 'i1'], ['Int16Array', 'i2'], ['Int32Array', 'i4'], ['BigInt64Array', 'i8'],
  ['Uint8ClampedArray', 'u1'], ['Uint16Array', 'u2'], ['Uint32Array', 'u4'], ['BigUint64Array', 'u8'],
  ['Float32Array', 'f4'], ['Float64Array', 'f8']
]);

/** A typed array as an array of one dimension. */
function fromTyped(view: ArrayBufferView): ArrayValue {
  const dtype = DTYPE_OF.get(Object.prototype.toString.call(view).slice(8, -1));
  const layout = dtype === undefined ? undefined : LAYOUTS.get(dtype);
  if (dtype === undefined || layout === undefined) {
    throw new EncodingError('a DataView has no element type: send a typed array');
  }
  const length = view.byteLength / layout.bytes;
  return new ArrayValue(dtype, [length], layout.view(view.buffer, view.byteOffset, length));
}
