/** Data records: the numbers of the header, and how large a record is. */

export const KIND = { PUBLISH: 1, SEND: 2, MESSAGE: 3, DELIVERY: 4, ENTRY: 5 } as const;
export const CODEC = { raw: 0, json: 1, msgpack: 2, arrow: 3 } as const;
export const FLAG = { redelivered: 1, retried: 2, receipt: 4 } as const;

export type Kind = (typeof KIND)[keyof typeof KIND];
export type Codec = (typeof CODEC)[keyof typeof CODEC];

/** Bytes of a record's header. */
export const HEADER = 40;
/** Largest body. */
export const MAX_BODY = 16 * 1024 * 1024;
/** Most records of one WebSocket message. */
export const MAX_RECORDS = 256;

/** One data record. `body` is a view on the WebSocket message it came in. */
export interface DataRecord {
  readonly kind: Kind;
  readonly codec: Codec;
  readonly flags: number;
  readonly name: string;
  readonly id: number;
  readonly tag: number;
  readonly sequence: number;
  readonly time: number;
  readonly sender: number;
  readonly body: Uint8Array;
}

/** `length` rounded up to the next multiple of 8. */
export function padded(length: number): number {
  return (length + 7) & ~7;
}

/** Bytes of the whole record, padding included. */
export function recordSize(record: DataRecord): number {
  return HEADER + padded(record.name.length) + padded(record.body.length);
}
