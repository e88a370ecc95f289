/** Bytes ⇄ data records, text ⇄ control records, with every check of docs/wire-protocol.md. */

import { CLOSE, ProtocolError } from './errors';
import { CODEC, FLAG, HEADER, KIND, MAX_BODY, MAX_RECORDS, padded, recordSize } from './records';
import type { Codec, DataRecord, Kind } from './records';
import { isChannelName, isGroupName, MAX_NAME } from './names';

/** Largest control record, in bytes of UTF-8. */
export const MAX_CONTROL = 64 * 1024;
const MAX_DEPTH = 8;
/** Records are joined up to this size; one alone may be larger. */
const JOINED_BYTES = 1024 * 1024;
const ALL_FLAGS = FLAG.redelivered | FLAG.retried | FLAG.receipt;
const TWO_32 = 2 ** 32;

/** A control record that was read, its `op` checked and nothing else yet. */
export type Control = Readonly<Record<string, unknown>> & { readonly op: string };

/**
 * Read the data records of one binary WebSocket message. Bodies are views on `data`, not copies.
 *
 * @throws ProtocolError
 */
export function decodeRecords(data: ArrayBuffer | Uint8Array): DataRecord[] {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: DataRecord[] = [];
  if (bytes.length === 0) {
    throw new ProtocolError('empty', 'a binary message without a record');
  }
  let start = 0;
  while (start < bytes.length) {
    if (records.length === MAX_RECORDS) {
      throw new ProtocolError('too_many', `more than ${MAX_RECORDS} records in one message`);
    }
    const record = decodeRecord(bytes, view, start);
    records.push(record);
    start += recordSize(record);
  }
  return records;
}

function decodeRecord(bytes: Uint8Array, view: DataView, start: number): DataRecord {
  const left = bytes.length - start;
  if (left < HEADER) {
    throw new ProtocolError('truncated', `a header has ${HEADER} bytes, ${left} are left`);
  }
  const kind = view.getUint8(start);
  const codec = view.getUint8(start + 1);
  const flags = view.getUint8(start + 2);
  const nameLength = view.getUint8(start + 3);
  const bodyLength = view.getUint32(start + 4, true);
  if (!isKind(kind)) {
    throw new ProtocolError('kind', `unknown kind ${kind}`);
  }
  if (!isCodec(codec)) {
    throw new ProtocolError('codec', `unknown codec ${codec}`);
  }
  if ((flags & ~ALL_FLAGS) !== 0) {
    throw new ProtocolError('flags', `unknown flags ${flags}`);
  }
  if (nameLength > MAX_NAME) {
    throw new ProtocolError('name', `a name of ${nameLength} bytes; at most ${MAX_NAME}`);
  }
  if (bodyLength > MAX_BODY) {
    throw new ProtocolError('too_large', `a body of ${bodyLength} bytes; at most ${MAX_BODY}`, CLOSE.TOO_BIG);
  }
  if (view.getUint32(start + 36, true) !== 0) {
    throw new ProtocolError('zero', 'the last field of the header is not zero');
  }
  const time = view.getFloat64(start + 24, true);
  if (!Number.isFinite(time)) {
    throw new ProtocolError('time', `time is ${time}`);
  }
  const nameStart = start + HEADER;
  const bodyStart = nameStart + padded(nameLength);
  const end = bodyStart + padded(bodyLength);
  if (end > bytes.length) {
    throw new ProtocolError('truncated', `the record ends ${end - bytes.length} bytes after the message`);
  }
  checkZero(bytes, nameStart + nameLength, bodyStart);
  checkZero(bytes, bodyStart + bodyLength, end);
  const low = view.getUint32(start + 16, true);
  const high = view.getUint32(start + 20, true);
  const sequence = high * TWO_32 + low;
  // A number past 2^53 would be rounded here: two offsets would look the same.
  if (high > 2 ** 21 || (high === 2 ** 21 && low > 0)) {
    throw new ProtocolError('sequence', 'a sequence past 2^53');
  }
  return {
    kind,
    codec,
    flags,
    name: readName(kind, bytes, nameStart, nameLength),
    id: view.getUint32(start + 8, true),
    tag: view.getUint32(start + 12, true),
    sequence,
    time,
    sender: view.getUint32(start + 32, true),
    body: bytes.subarray(bodyStart, bodyStart + bodyLength)
  };
}

function isKind(value: number): value is Kind {
  return value >= KIND.PUBLISH && value <= KIND.ENTRY;
}

function isCodec(value: number): value is Codec {
  return value <= CODEC.arrow;
}

function checkZero(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) {
    if (bytes[at] !== 0) {
      throw new ProtocolError('padding', 'padding that is not zero');
    }
  }
}

/** Names are ASCII, so a byte is a character; the check refuses all others. */
function readName(kind: Kind, bytes: Uint8Array, start: number, length: number): string {
  if (kind === KIND.MESSAGE || kind === KIND.ENTRY) {
    if (length > 0) {
      throw new ProtocolError('name', 'a record of a log bears no name');
    }
    return '';
  }
  const name = String.fromCharCode(...bytes.subarray(start, start + length));
  const valid = kind === KIND.PUBLISH ? isGroupName(name) : isChannelName(name);
  if (!valid) {
    throw new ProtocolError('name', `${JSON.stringify(name)} is no name of a ${kind === KIND.PUBLISH ? 'group' : 'channel'}`);
  }
  return name;
}

/** Write the records into one binary WebSocket message: the bodies are copied here, once. */
export function encodeRecords(records: readonly DataRecord[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const record of records) {
    size += recordSize(record);
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const record of records) {
    view.setUint8(at, record.kind);
    view.setUint8(at + 1, record.codec);
    view.setUint8(at + 2, record.flags);
    view.setUint8(at + 3, record.name.length);
    view.setUint32(at + 4, record.body.length, true);
    view.setUint32(at + 8, record.id, true);
    view.setUint32(at + 12, record.tag, true);
    view.setUint32(at + 16, record.sequence % TWO_32, true);
    view.setUint32(at + 20, Math.floor(record.sequence / TWO_32), true);
    view.setFloat64(at + 24, record.time, true);
    view.setUint32(at + 32, record.sender, true);
    const name = at + HEADER;
    for (let i = 0; i < record.name.length; i++) {
      bytes[name + i] = record.name.charCodeAt(i);
    }
    bytes.set(record.body, name + padded(record.name.length));
    at += recordSize(record);
  }
  return bytes;
}

/**
 * Read a control record: a JSON object with an `op`, within the limits. (Duplicate keys cannot be told here: `JSON.parse` keeps the last.)
 *
 * @throws ProtocolError
 */
export function decodeControl(text: string): Control {
  if (utf8Length(text, MAX_CONTROL) > MAX_CONTROL) {
    throw new ProtocolError('too_large', `a control record over ${MAX_CONTROL} bytes`);
  }
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    throw new ProtocolError('json', 'a control record that is not JSON');
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new ProtocolError('json', 'a control record that is no object');
  }
  if (depth(record, MAX_DEPTH + 1) > MAX_DEPTH) {
    throw new ProtocolError('depth', `a control record nested over ${MAX_DEPTH} deep`);
  }
  if (!hasOp(record)) {
    throw new ProtocolError('op', 'a control record without an op');
  }
  return record;
}

/**
 * Write a control record.
 *
 * @throws ProtocolError if it is over the limit: the peer would close the connection
 */
export function encodeControl(record: Control): string {
  const text = JSON.stringify(record);
  if (utf8Length(text, MAX_CONTROL) > MAX_CONTROL) {
    throw new ProtocolError('too_large', `the control record ${JSON.stringify(record.op)} is over ${MAX_CONTROL} bytes`);
  }
  return text;
}

function hasOp(record: object): record is Control {
  return Object.hasOwn(record, 'op') && typeof (record as { op?: unknown }).op === 'string';
}

/** How deep `value` is nested; stops at `limit`. */
function depth(value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null || limit === 0) {
    return 0;
  }
  let deepest = 0;
  for (const inner of Object.values(value)) {
    deepest = Math.max(deepest, depth(inner, limit - 1));
  }
  return deepest + 1;
}

/** Bytes of `text` in UTF-8; only counted where the number of characters cannot decide. */
function utf8Length(text: string, limit: number): number {
  return text.length > limit || text.length * 3 <= limit ? text.length : new TextEncoder().encode(text).length;
}

/** The WebSocket messages for what is to be sent, in this order: neighbouring data records are joined. */
export function joinMessages(out: readonly (string | DataRecord)[]): (string | Uint8Array<ArrayBuffer>)[] {
  const messages: (string | Uint8Array<ArrayBuffer>)[] = [];
  let records: DataRecord[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (records.length > 0) {
      messages.push(encodeRecords(records));
      records = [];
      bytes = 0;
    }
  };
  for (const one of out) {
    if (typeof one === 'string') {
      flush();
      messages.push(one);
      continue;
    }
    const size = recordSize(one);
    if (records.length === MAX_RECORDS || bytes + size > JOINED_BYTES) {
      flush();
    }
    records.push(one);
    bytes += size;
  }
  flush();
  return messages;
}
