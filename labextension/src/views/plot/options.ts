import { type Checks, fieldNames, MOST_FIELDS, oneOf, optional, optionalText, record, text, texts, type Window, window, within, wrong } from '../checks';
import { COMMON_CHECKS, type CommonOptions } from '../options';

export type LineKind = 'line' | 'step' | 'scatter' | 'bar';

/** What of the data is drawn, and how. */
export interface Options extends CommonOptions {
  /** Name of the field that is x, or the labels along x; null: found out. */
  readonly x: string | readonly string[] | null;
  /** Names of the fields to draw; null: all numbers. */
  readonly y: readonly string[] | null;
  readonly line: LineKind;
  readonly window: Window | null;
  readonly mode: 'append' | 'replace' | null;
  readonly initial: Readonly<Record<string, readonly number[]>> | null;
  readonly y_label: string | null;
  readonly x_label: string | null;
  readonly y_range: readonly [number, number] | null;
}

export const DEFAULTS: Options = {
  x: null,
  y: null,
  line: 'line',
  window: null,
  mode: null,
  initial: null,
  history: null,
  title: null,
  height: 300,
  y_label: null,
  x_label: null,
  y_range: null,
  paused: false
};

const MOST_LABELS = 1000;
const MOST_INITIAL = 100_000;

export const CHECKS: Checks<Options> = {
  x: (value, name) => (value === null ? null : Array.isArray(value) ? texts(value, name, MOST_LABELS, 1) : text(value, name)),
  y: optional(fieldNames),
  line: (value, name) => oneOf(value, name, ['line', 'step', 'scatter', 'bar'] as const),
  window: optional(window),
  mode: optional((value, name) => oneOf(value, name, ['append', 'replace'] as const)),
  initial: optional(readInitial),
  y_label: optionalText,
  x_label: optionalText,
  y_range: optional(readRange),
  ...COMMON_CHECKS
};

/** Options after whose change the group's messages are read again. */
export const REREAD: readonly (keyof Options)[] = ['x', 'y', 'mode', 'initial', 'history'];

function readInitial(value: unknown, name: string): Readonly<Record<string, readonly number[]>> {
  const fields = Object.entries(record(value, `Option "${name}"`));
  if (fields.length > MOST_FIELDS) {
    throw wrong(name, `at most ${MOST_FIELDS} fields`, fields.length);
  }
  const initial = new Map<string, readonly number[]>();
  for (const [field, numbers] of fields) {
    text(field, name);
    if (!Array.isArray(numbers) || numbers.length > MOST_INITIAL) {
      throw wrong(`${name}.${field}`, `a list of at most ${MOST_INITIAL} numbers`, numbers);
    }
    const bad = numbers.find(number => number !== null && typeof number !== 'number');
    if (bad !== undefined) {
      throw wrong(`${name}.${field}`, 'a list of numbers', bad);
    }
    initial.set(
      field,
      numbers.map(number => (number === null ? NaN : (number as number)))
    );
  }
  return Object.fromEntries(initial);
}

function readRange(value: unknown, name: string): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2) {
    throw wrong(name, 'two numbers, lowest and highest', value);
  }
  const low = within(value[0], name, -Number.MAX_VALUE, Number.MAX_VALUE);
  const high = within(value[1], name, -Number.MAX_VALUE, Number.MAX_VALUE);
  if (low >= high) {
    throw wrong(name, 'two numbers, the lowest first', value);
  }
  return [low, high];
}
