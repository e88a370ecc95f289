/**
 * The specification a view is drawn from. It comes out of a notebook that may not be trusted, so everything in it is checked:
 * what is not exactly as described here is an error with a sentence, and nothing of it ever becomes HTML or a URL.
 */

/** The MIME type of a view's specification in a cell's output. */
export const MIME_TYPE = 'application/vnd.nbchannels.view.v1+json';

export type LineKind = 'line' | 'step' | 'scatter' | 'bar';
export type Window = { readonly seconds: number } | { readonly points: number };

/** What of the data is drawn, and how. */
export interface Options {
  /** Name of the field that is x, or the labels along x; null: found out. */
  readonly x: string | readonly string[] | null;
  /** Names of the fields to draw; null: all numbers. */
  readonly y: readonly string[] | null;
  readonly line: LineKind;
  readonly window: Window | null;
  readonly mode: 'append' | 'replace' | null;
  readonly initial: Readonly<Record<string, readonly number[]>> | null;
  /** How many messages of the past to show; null: all there are. */
  readonly history: number | null;
  readonly title: string | null;
  readonly height: number;
  readonly y_label: string | null;
  readonly x_label: string | null;
  readonly y_range: readonly [number, number] | null;
  readonly paused: boolean;
}

export interface Specification {
  readonly version: 1;
  readonly id: string;
  readonly group: string;
  readonly kind: 'plot';
  readonly options: Options;
}

/** Says in a sentence what is wrong with a specification or with settings. */
export class SpecificationError extends Error {
  override readonly name = 'SpecificationError';
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

const LONGEST_TEXT = 200;
const MOST_LABELS = 1000;
const MOST_FIELDS = 64;
const MOST_INITIAL = 100_000;
const GROUP = /^[A-Za-z0-9_.-]{1,99}$/;
const ID = /^[0-9a-f]{16}$/;

/** The specification, with defaults filled in. Throws `SpecificationError`. */
export function parseSpecification(value: unknown): Specification {
  const map = record(value, 'The specification of this view');
  if (map['version'] !== 1) {
    throw new SpecificationError(
      `This view was made by another version of nbchannels (its format is ${show(map['version'])}, this page knows 1). Run the cell again, or update nbchannels and reload the page.`
    );
  }
  if (map['kind'] !== 'plot') {
    throw new SpecificationError(`This page cannot draw a view of kind ${show(map['kind'])}; it knows: plot. Update nbchannels and reload the page.`);
  }
  const { id, group } = map;
  if (typeof id !== 'string' || !ID.test(id)) {
    throw new SpecificationError(`The view's id must be 16 hexadecimal digits, not ${show(id)}.`);
  }
  if (typeof group !== 'string' || !GROUP.test(group)) {
    throw new SpecificationError(`The view's group must be a name of up to 99 letters, digits, "-", "_" and ".", not ${show(group)}.`);
  }
  for (const key of Object.keys(map)) {
    if (!['version', 'id', 'group', 'kind', 'options'].includes(key)) {
      throw new SpecificationError(`The specification of this view has an unknown field ${show(key)}.`);
    }
  }
  return { version: 1, id, group, kind: 'plot', options: mergeOptions(DEFAULTS, map['options'] ?? {}) };
}

/** `options` with `changes` laid over them; all or, with a `SpecificationError`, none. */
export function mergeOptions(options: Options, changes: unknown): Options {
  const merged: Record<string, unknown> = { ...options };
  for (const [name, value] of Object.entries(record(changes, 'The options of this view'))) {
    if (!Object.hasOwn(CHECKS, name)) {
      throw new SpecificationError(`Unknown option ${show(name)}; the options are: ${Object.keys(CHECKS).join(', ')}.`);
    }
    merged[name] = CHECKS[name as keyof Options](value, name);
  }
  return merged as unknown as Options;
}

/** Whether going from one to the other means to read the group's messages again. */
export function needsReread(before: Options, after: Options): boolean {
  const keys = ['x', 'y', 'mode', 'initial', 'history'] as const;
  return keys.some(key => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
}

type Check<T> = (value: unknown, name: string) => T;

const CHECKS: { readonly [K in keyof Options]: Check<Options[K]> } = {
  x: (value, name) => (value === null ? null : Array.isArray(value) ? texts(value, name, MOST_LABELS, 1) : text(value, name)),
  y: (value, name) => (value === null ? null : typeof value === 'string' ? [text(value, name)] : texts(value, name, MOST_FIELDS, 1)),
  line: (value, name) => oneOf(value, name, ['line', 'step', 'scatter', 'bar'] as const),
  window: (value, name) => (value === null ? null : readWindow(value, name)),
  mode: (value, name) => (value === null ? null : oneOf(value, name, ['append', 'replace'] as const)),
  initial: (value, name) => (value === null ? null : readInitial(value, name)),
  history: (value, name) => (value === null ? null : whole(value, name, 0, 10_000_000)),
  title: optionalText,
  height: (value, name) => within(value, name, 80, 4000),
  y_label: optionalText,
  x_label: optionalText,
  y_range: (value, name) => (value === null ? null : readRange(value, name)),
  paused: (value, name) => {
    if (typeof value !== 'boolean') {
      throw wrong(name, 'true or false', value);
    }
    return value;
  }
};

function readWindow(value: unknown, name: string): Window {
  const map = record(value, `Option "${name}"`);
  const keys = Object.keys(map);
  if (keys.length === 1 && keys[0] === 'seconds') {
    return { seconds: within(map['seconds'], `${name}.seconds`, 1e-9, 1e12) };
  }
  if (keys.length === 1 && keys[0] === 'points') {
    return { points: whole(map['points'], `${name}.points`, 1, 1e9) };
  }
  throw wrong(name, '{"seconds": N} or {"points": N}', value);
}

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

function record(value: unknown, what: string): Record<string, unknown> {
  if (value instanceof Map) {
    return Object.fromEntries(value) as Record<string, unknown>;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SpecificationError(`${what} must be a map, not ${show(value)}.`);
  }
  return value as Record<string, unknown>;
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.length > LONGEST_TEXT) {
    throw wrong(name, `text of at most ${LONGEST_TEXT} characters`, value);
  }
  return value;
}

function optionalText(value: unknown, name: string): string | null {
  return value === null ? null : text(value, name);
}

function texts(value: unknown, name: string, most: number, least: number): readonly string[] {
  if (!Array.isArray(value) || value.length > most || value.length < least) {
    throw wrong(name, `a list of ${least} to ${most} texts`, value);
  }
  return value.map(item => text(item, name));
}

function oneOf<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  const found = choices.find(choice => choice === value);
  if (found === undefined) {
    throw wrong(name, `one of ${choices.join(', ')}`, value);
  }
  return found;
}

function within(value: unknown, name: string, low: number, high: number): number {
  if (typeof value !== 'number' || !(value >= low && value <= high)) {
    throw wrong(name, Math.abs(low) > 1e12 ? 'a number' : `a number from ${low} to ${high}`, value);
  }
  return value;
}

function whole(value: unknown, name: string, low: number, high: number): number {
  if (!Number.isInteger(value)) {
    throw wrong(name, 'a whole number', value);
  }
  return within(value, name, low, high);
}

function wrong(name: string, expected: string, value: unknown): SpecificationError {
  return new SpecificationError(`Option "${name}" must be ${expected}, not ${show(value)}.`);
}

/** A value in a sentence, short whatever it is. */
function show(value: unknown): string {
  let shown: string | undefined;
  try {
    shown = JSON.stringify(value);
  } catch {
    shown = String(value);
  }
  shown ??= String(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}…` : shown;
}
