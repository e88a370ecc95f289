import type { Options } from './options';
import { classify, columnsOf, entriesOf, TIME_LIKE, type Value, X_FIELDS } from '../values';

/** What the x of a plot is. `rows`: the number of the row; `labels`: texts, at 0, 1, 2, …; `epoch`s are seconds since 1970. */
export type AxisKind = 'time' | 'number' | 'labels' | 'rows';

/** What one message means to a plot. */
export interface Reading {
  readonly how: 'append' | 'replace';
  readonly axis: AxisKind;
  /** What x is called: a field, "message time", "row". */
  readonly axisName: string;
  /** x of the rows; texts when the axis is `labels`; null: the rows count on. */
  readonly x: ArrayLike<number> | readonly string[] | null;
  readonly columns: readonly { readonly name: string; readonly values: ArrayLike<number> }[];
  /** Fields that are not drawn, each with the reason. */
  readonly undrawn: readonly (readonly [string, string])[];
}

/** A message that cannot be drawn at all; the message is a sentence. */
export class UndrawableError extends Error {
  override readonly name = 'UndrawableError';
}

/** The type of a message that is a sentence for the reader, and is shown elsewhere: there is nothing in it to draw, or to name. */
const NOTIFICATION = 'nbchannels.notification';

type Fields = Map<string, Value>;
type ReadOptions = Pick<Options, 'x' | 'y' | 'mode'>;

/** Read one message. Throws `UndrawableError`. */
export function readMessage(content: unknown, time: number, options: ReadOptions): Reading {
  const columns = columnsOf(content);
  const entries = columns ?? entriesOf(content);
  if (entries === null) {
    throw new UndrawableError('The message is not a map of fields.');
  }
  if (entries.some(([name, value]) => name === 'type' && value === NOTIFICATION)) {
    return { how: 'append', axis: 'time', axisName: '', x: null, columns: [], undrawn: [] };
  }
  const fields: Fields = new Map(entries.map(([name, value]) => [name, classify(value)]));
  const xName = pickX(fields, options.x) ?? (columns !== null && options.x === null ? indexOf(fields) : null);
  const isTable = columns !== null || hasArrays(fields, xName, options.y);
  const reading = isTable
    ? readRows(fields, xName, options, columns === null ? 'replace' : 'append')
    : readPoint(fields, xName, time, options);
  if (typeof options.x === 'string' && xName === null && reading.columns.length > 0) {
    throw new UndrawableError(`The message has no field "${options.x}" for x.`);
  }
  return reading;
}

/** Starting values (option `initial`) as the reading they stand for. */
export function readInitial(options: Options): Reading | null {
  if (options.initial === null) {
    return null;
  }
  const fields: Fields = new Map(Object.entries(options.initial).map(([name, values]) => [name, { form: 'numbers', values }]));
  return readRows(fields, pickX(fields, options.x), { ...options, mode: 'replace' }, 'replace');
}

function pickX(fields: Fields, wanted: Options['x']): string | null {
  if (typeof wanted === 'string') {
    return fields.has(wanted) ? wanted : null;
  }
  if (wanted !== null) {
    return null;
  }
  const usual = X_FIELDS.find(name => {
    const form = fields.get(name)?.form;
    return form !== undefined && form !== 'text' && form !== 'texts' && form !== 'other';
  });
  return usual ?? [...fields].find(([, value]) => value.form === 'time' || value.form === 'times')?.[0] ?? null;
}

/** The index of a pandas frame comes as a column. */
function indexOf(fields: Fields): string | null {
  return fields.get('index')?.form === 'numbers' ? 'index' : null;
}

function hasArrays(fields: Fields, xName: string | null, wanted: Options['y']): boolean {
  return [...fields].some(([name, value]) => value.form === 'numbers' && name !== xName && (wanted?.includes(name) ?? true));
}

/** A message of single numbers: one point for each series. */
function readPoint(fields: Fields, xName: string | null, time: number, options: ReadOptions): Reading {
  const { drawn, undrawn } = choose(fields, xName, options, 'number');
  const how = options.mode ?? 'append';
  const columns = drawn.map(([name, value]) => ({ name, values: [value.form === 'number' ? value.value : NaN] }));
  const x = xName === null ? undefined : fields.get(xName);
  if (Array.isArray(options.x)) {
    return { how, axis: 'labels', axisName: '', x: null, columns, undrawn };
  }
  if (x === undefined || xName === null) {
    return { how, axis: 'time', axisName: 'message time', x: [time], columns, undrawn };
  }
  if (x.form === 'text') {
    return { how, axis: 'labels', axisName: xName, x: [x.value], columns, undrawn };
  }
  if (x.form === 'number' || x.form === 'time') {
    return { how, ...axisOf(xName, x.form === 'time', [x.value]), columns, undrawn };
  }
  throw new UndrawableError(`Field "${xName}" cannot be x beside single numbers: it is a list.`);
}

/** A table or a message of arrays: many points for each series. */
function readRows(fields: Fields, xName: string | null, options: ReadOptions, usual: 'append' | 'replace'): Reading {
  const { drawn, undrawn } = choose(fields, xName, options, 'numbers');
  const how = options.mode ?? usual;
  const x = xName === null ? undefined : fields.get(xName);
  const all = drawn.map(([name, value]) => ({ name, values: value.form === 'numbers' ? value.values : [] }));
  if (xName === null || x === undefined || !('values' in x)) {
    return { how, axis: Array.isArray(options.x) ? 'labels' : 'rows', axisName: Array.isArray(options.x) ? '' : 'row', x: null, columns: all, undrawn };
  }
  const length = x.values.length;
  const columns = all.filter(column => column.values.length === length);
  for (const { name, values } of all) {
    if (values.length !== length) {
      undrawn.push([name, `${values.length} values, ${xName} has ${length}`]);
    }
  }
  if (x.form === 'texts') {
    return { how, axis: 'labels', axisName: xName, x: x.values, columns, undrawn };
  }
  return { how, ...axisOf(xName, x.form === 'times', x.values), columns, undrawn };
}

/** Sort the fields into those to draw (of the form `wanted`) and those to name only. */
function choose(fields: Fields, xName: string | null, options: ReadOptions, wanted: 'number' | 'numbers'): { drawn: [string, Value][]; undrawn: [string, string][] } {
  const drawn: [string, Value][] = [];
  const undrawn: [string, string][] = [];
  for (const [name, value] of fields) {
    if (name === xName || (options.y !== null && !options.y.includes(name))) {
      continue;
    }
    if (value.form !== wanted) {
      undrawn.push([name, reason(value)]);
    } else if (options.y === null && (options.x === null ? X_FIELDS.includes(name) : tellsTime(name, value))) {
      undrawn.push([name, `x is ${xName ?? 'another'}`]);
    } else {
      drawn.push([name, value]);
    }
  }
  if (options.y !== null) {
    const order = options.y;
    drawn.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  }
  return { drawn, undrawn };
}

/** Seconds or milliseconds since 1970 beside an x that was chosen: as a series they would flatten all others. */
function tellsTime(name: string, value: Value): boolean {
  const values = value.form === 'number' ? [value.value] : value.form === 'numbers' ? value.values : [];
  return X_FIELDS.includes(name) && axisOf(name, false, values).axis === 'time';
}

function reason(value: Value): string {
  switch (value.form) {
    case 'number':
      return 'a single number beside arrays';
    case 'numbers':
      return 'an array beside single numbers';
    case 'time':
    case 'times':
      return 'time';
    case 'text':
      return 'text';
    case 'texts':
      return 'list of text';
    case 'other':
      return value.what;
  }
}

/** Decide whether numbers are times, and make milliseconds seconds. */
function axisOf(name: string, isTime: boolean, values: ArrayLike<number>): { axis: AxisKind; axisName: string; x: ArrayLike<number> } {
  if (isTime) {
    return { axis: 'time', axisName: name, x: values };
  }
  if (TIME_LIKE.test(name) && values.length > 0) {
    if (allWithin(values, 1e9, 1e11)) {
      return { axis: 'time', axisName: name, x: values };
    }
    if (allWithin(values, 1e12, 1e14)) {
      return { axis: 'time', axisName: name, x: Float64Array.from({ length: values.length }, (_, i) => (values[i] as number) / 1000) };
    }
  }
  return { axis: 'number', axisName: name, x: values };
}

function allWithin(values: ArrayLike<number>, low: number, high: number): boolean {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(value >= low && value <= high)) {
      return false;
    }
  }
  return true;
}
