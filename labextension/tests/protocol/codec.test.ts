import { describe, expect, it } from 'vitest';

import { decodeControl, decodeRecords, encodeControl, encodeRecords, MAX_CONTROL } from '../../src/protocol/codec';
import { ProtocolError } from '../../src/protocol/errors';
import { KIND, MAX_BODY, recordSize } from '../../src/protocol/records';
import type { DataRecord } from '../../src/protocol/records';

const record = (more: Partial<DataRecord> = {}): DataRecord => ({
  kind: KIND.MESSAGE, codec: 1, flags: 0, name: '', id: 1, tag: 1, sequence: 1, time: 1, sender: 1, body: new Uint8Array(5), ...more
});

describe('data records', () => {
  it('bodies are views on the message', () => {
    const message = encodeRecords([record(), record({ sequence: 2 })]);
    const decoded = decodeRecords(message.buffer);
    expect(decoded.every(one => one.body.buffer === message.buffer)).toBe(true);
    expect(decoded.map(recordSize)).toEqual([48, 48]);
  });

  it('takes 256 records and the largest body', () => {
    expect(decodeRecords(encodeRecords(Array.from({ length: 256 }, () => record())))).toHaveLength(256);
    expect(decodeRecords(encodeRecords([record({ body: new Uint8Array(MAX_BODY) })]))[0]?.body).toHaveLength(MAX_BODY);
  });

  it('refuses a sequence that a number cannot hold', () => {
    expect(decodeRecords(encodeRecords([record({ sequence: 2 ** 53 })]))[0]?.sequence).toBe(2 ** 53);
    const bytes = encodeRecords([record({ sequence: 2 ** 53 })]);
    bytes[16] = 1;
    expect(() => decodeRecords(bytes)).toThrow(ProtocolError);
  });

  it('reads a message that does not begin at the start of its buffer', () => {
    const bytes = encodeRecords([record({ sequence: 77 })]);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeRecords(shifted.subarray(3))[0]?.sequence).toBe(77);
  });
});

describe('control records', () => {
  it('counts bytes, not characters', () => {
    const frame = encodeControl({ op: 'x', text: '' }).length;
    const fits = { op: 'x', text: 'ü'.repeat((MAX_CONTROL - frame) / 2) };
    expect(decodeControl(encodeControl(fits))).toEqual(fits);
    const tooLarge = { op: 'x', text: `${fits.text}ü` };
    expect(() => encodeControl(tooLarge)).toThrow(ProtocolError);
    expect(() => decodeControl(JSON.stringify(tooLarge))).toThrow(/over 65536 bytes/);
  });

  it('an op that is inherited is none', () => {
    expect(() => decodeControl('{"__proto__":{"op":"hello"}}')).toThrow(/without an op/);
  });
});
