import { isArrayValue, isCivil, isFrame, isInstant, NOT_A_TIME, type ArrayValue, type Civil } from '../protocol/values';

/** What a field of a message is, as far as a plot cares. Times are seconds since 1970. */
export type Value =
  | { readonly form: 'number' | 'time'; readonly value: number }
  | { readonly form: 'text'; readonly value: string }
  | { readonly form: 'numbers' | 'times'; readonly values: ArrayLike<number> }
  | { readonly form: 'texts'; readonly values: readonly string[] }
  | { readonly form: 'other'; readonly what: string };

/** Fields that are x unless one says otherwise. */
export const X_FIELDS: readonly string[] = ['t', 'time', 'timestamp', 'step'];
/** Fields whose large numbers are read as seconds or milliseconds since 1970. */
export const TIME_LIKE = /(^|_)(t|ts|time|timestamp|date|datetime|epoch)$/i;

/** Look at one value of a message. Missing values are NaN, booleans 0 and 1. */
export function classify(value: unknown): Value {
  const scalar = scalarOf(value);
  if (scalar !== null) {
    return scalar;
  }
  if (typeof value === 'string') {
    return { form: 'text', value };
  }
  if (Array.isArray(value)) {
    return classifyList(value);
  }
  if (isArrayValue(value)) {
    return classifyArray(value);
  }
  return { form: 'other', what: nameOf(value) };
}

/** The fields of a message that is a map; null when it is none. */
export function entriesOf(content: unknown): [string, unknown][] | null {
  return nameOf(content) === 'map' ? Object.entries(content as Record<string, unknown>) : null;
}

/** The columns of a table (`send(df)`); null when it is none. */
export function columnsOf(content: unknown): [string, unknown][] | null {
  return isFrame(content) ? content.names.map((name, i) => [name, content.columns[i]]) : null;
}

function scalarOf(value: unknown): Extract<Value, { form: 'number' | 'time' }> | null {
  if (typeof value === 'number') {
    return { form: 'number', value };
  }
  if (value === null) {
    return { form: 'number', value: NaN };
  }
  if (typeof value === 'boolean' || typeof value === 'bigint') {
    return { form: 'number', value: Number(value) };
  }
  if (isInstant(value)) {
    return { form: 'time', value: value.seconds };
  }
  if (value instanceof Date) {
    return { form: 'time', value: value.getTime() / 1000 };
  }
  return isCivil(value) ? civil(value) : null;
}

function civil({ kind, value }: Civil): Extract<Value, { form: 'number' | 'time' }> | null {
  switch (kind) {
    case 'datetime':
      return { form: 'time', value: wallClock(Number(value) / 1e6) };
    case 'date':
      return { form: 'time', value: wallClock(Number(value) * 86_400) };
    case 'timedelta':
      return { form: 'number', value: Number(value) / 1e6 };
    case 'time':
      return null;
  }
}

function classifyList(list: readonly unknown[]): Value {
  if (list.length > 0 && list.every(item => typeof item === 'string' || item === null) && list.some(item => item !== null)) {
    return { form: 'texts', values: list.map(item => (typeof item === 'string' ? item : '')) };
  }
  const values = new Float64Array(list.length);
  let times = 0;
  for (const [i, item] of list.entries()) {
    const scalar = scalarOf(item);
    if (scalar === null) {
      return { form: 'other', what: `list of ${nameOf(item)}` };
    }
    times += scalar.form === 'time' ? 1 : 0;
    values[i] = scalar.value;
  }
  return { form: times > 0 ? 'times' : 'numbers', values };
}

const PER_SECOND: Readonly<Record<string, number>> = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 };

function classifyArray(array: Pick<ArrayValue, 'dtype' | 'shape' | 'values'>): Value {
  if (array.shape.length !== 1) {
    return { form: 'other', what: `array of ${array.shape.length} dimensions` };
  }
  const unit = /^([Mm])8\[(s|ms|us|ns)\]$/.exec(array.dtype);
  if (unit !== null) {
    return spans(array.values, unit[1] === 'M', PER_SECOND[unit[2] ?? 's'] ?? 1);
  }
  const { values } = array;
  if (values.length > 0 && typeof values[0] === 'bigint') {
    return { form: 'numbers', values: Float64Array.from({ length: values.length }, (_, i) => Number(values[i])) };
  }
  return { form: 'numbers', values: values as ArrayLike<number> };
}

function spans(values: ArrayLike<number> | ArrayLike<bigint>, isTime: boolean, perSecond: number): Value {
  const seconds = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number | bigint;
    const second = value === NOT_A_TIME ? NaN : Number(value) / perSecond;
    seconds[i] = isTime ? wallClock(second) : second;
  }
  return { form: isTime ? 'times' : 'numbers', values: seconds };
}

/** What stands in a row of a column (an array of one dimension, or a list); times as seconds since 1970. */
export function columnAt(column: unknown, row: number): unknown {
  if (!isArrayValue(column)) {
    return (column as readonly unknown[])[row];
  }
  if (/^[Mm]/.test(column.dtype)) {
    const seen = classifyArray({ dtype: column.dtype, shape: [1], values: column.values.slice(row, row + 1) });
    return 'values' in seen ? (seen.form === 'times' ? new Date((seen.values[0] as number) * 1000) : seen.values[0]) : null;
  }
  return column.dtype === 'b1' ? column.values[row] !== 0 : column.values[row];
}

let hour = NaN;
let shift = 0;

/**
 * The moment at which this page's clock shows what Python's naive datetime shows. Such a time has no zone: what the reader
 * expects to see at the axis are the digits that Python prints.
 */
function wallClock(seconds: number): number {
  const of = Math.floor(seconds / 3600);
  if (of !== hour && Number.isFinite(seconds)) {
    const digits = new Date(seconds * 1000);
    const here = new Date(digits.getUTCFullYear(), digits.getUTCMonth(), digits.getUTCDate(), digits.getUTCHours());
    hour = of;
    shift = here.getTime() / 1000 - of * 3600;
  }
  return seconds + shift;
}

function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string' ? 'text' : typeof value;
  }
  if (Array.isArray(value)) {
    return 'list';
  }
  if (isFrame(value)) {
    return 'table';
  }
  if (isArrayValue(value)) {
    return 'array';
  }
  if (isCivil(value)) {
    return value.kind;
  }
  return ArrayBuffer.isView(value) ? 'bytes' : 'map';
}
