/**
 * What a message can hold beyond JSON: arrays, tables, instants, times without zone.
 *
 * Several copies of this code can live on one page, so `instanceof` says nothing: the brand below is
 * shared by all copies, and cannot be forged by a message (no message has symbol keys).
 */

const BRAND = Symbol.for('nbchannels.value.v1');

/** The element types an array may have, as NumPy writes them without the byte order. */
export type Dtype =
  | 'b1' | 'i1' | 'i2' | 'i4' | 'i8' | 'u1' | 'u2' | 'u4' | 'u8' | 'f4' | 'f8'
  | 'M8[s]' | 'M8[ms]' | 'M8[us]' | 'M8[ns]' | 'm8[s]' | 'm8[ms]' | 'm8[us]' | 'm8[ns]';

/** The typed arrays that hold them; times and 64-bit integers are `BigInt64Array` or `BigUint64Array`. */
export type Numbers =
  | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array
  | Float32Array | Float64Array | BigInt64Array | BigUint64Array;

interface Layout {
  readonly bytes: number;
  readonly view: (buffer: ArrayBufferLike, offset: number, length: number) => Numbers;
}

const BIG: Layout = { bytes: 8, view: (b, o, n) => new BigInt64Array(b, o, n) };

/** How each element type lies in memory. A `Map`: the key comes from outside. */
export const LAYOUTS: ReadonlyMap<string, Layout> = new Map<Dtype, Layout>([
  ['b1', { bytes: 1, view: (b, o, n) => new Uint8Array(b, o, n) }],
  ['i1', { bytes: 1, view: (b, o, n) => new Int8Array(b, o, n) }],
  ['u1', { bytes: 1, view: (b, o, n) => new Uint8Array(b, o, n) }],
  ['i2', { bytes: 2, view: (b, o, n) => new Int16Array(b, o, n) }],
  ['u2', { bytes: 2, view: (b, o, n) => new Uint16Array(b, o, n) }],
  ['i4', { bytes: 4, view: (b, o, n) => new Int32Array(b, o, n) }],
  ['u4', { bytes: 4, view: (b, o, n) => new Uint32Array(b, o, n) }],
  ['f4', { bytes: 4, view: (b, o, n) => new Float32Array(b, o, n) }],
  ['f8', { bytes: 8, view: (b, o, n) => new Float64Array(b, o, n) }],
  ['u8', { bytes: 8, view: (b, o, n) => new BigUint64Array(b, o, n) }],
  ['i8', BIG],
  ['M8[s]', BIG], ['M8[ms]', BIG], ['M8[us]', BIG], ['M8[ns]', BIG],
  ['m8[s]', BIG], ['m8[ms]', BIG], ['m8[us]', BIG], ['m8[ns]', BIG]
]);

/** NaT, the missing value of `M8` and `m8` arrays. */
export const NOT_A_TIME = -(2n ** 63n);

/** An array of a message: a view on the received bytes, row-major. */
export class ArrayValue {
  constructor(
    readonly dtype: Dtype,
    readonly shape: readonly number[],
    readonly values: Numbers
  ) {}

  get [BRAND](): 'array' {
    return 'array';
  }
}

/** A column of a table: an array, or a list of anything. */
export type Column = ArrayValue | readonly unknown[];

/** A table: what `send(df)` sends. */
export class Frame {
  constructor(
    readonly names: readonly string[],
    readonly columns: readonly Column[]
  ) {}

  /** Number of rows; all columns have as many. */
  get rows(): number {
    const first = this.columns[0];
    return first === undefined ? 0 : columnLength(first);
  }

  /** The column of this name, if there is one. */
  column(name: string): Column | undefined {
    return this.columns[this.names.indexOf(name)];
  }

  get [BRAND](): 'frame' {
    return 'frame';
  }
}

/** A moment (a datetime with a zone). */
export class Instant {
  /** @param seconds since 1970, UTC */
  constructor(readonly seconds: number) {}

  toDate(): Date {
    return new Date(this.seconds * 1000);
  }

  toJSON(): string {
    return this.toDate().toISOString();
  }

  get [BRAND](): 'instant' {
    return 'instant';
  }
}

export type CivilKind = 'datetime' | 'date' | 'time' | 'timedelta';

/** A time without zone: what a wall clock or a calendar shows, or a duration. */
export class Civil {
  /** @param value datetime: µs since 1970-01-01 on the wall clock · date: days since then · time: µs since midnight · timedelta: µs */
  constructor(
    readonly kind: CivilKind,
    readonly value: number | bigint
  ) {}

  get [BRAND](): 'civil' {
    return 'civil';
  }
}

function brand(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (value as { readonly [BRAND]?: unknown })[BRAND] : undefined;
}

export const isArrayValue = (value: unknown): value is ArrayValue => brand(value) === 'array';
export const isFrame = (value: unknown): value is Frame => brand(value) === 'frame';
export const isInstant = (value: unknown): value is Instant => brand(value) === 'instant';
export const isCivil = (value: unknown): value is Civil => brand(value) === 'civil';

/** Rows of a column: its length, or the first axis of its shape. */
export function columnLength(column: Column): number {
  return isArrayValue(column) ? (column.shape[0] ?? 0) : column.length;
}
