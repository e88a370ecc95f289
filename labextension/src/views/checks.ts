/**
 * What options may be. A specification comes out of a notebook that may not be trusted: what is not exactly as described is an
 * error with a sentence.
 */

/** Says in a sentence what is wrong with a specification or with settings. */
export class SpecificationError extends Error {
  override readonly name = 'SpecificationError';
}

/** The value of an option as its view takes it. Throws `SpecificationError`. */
export type Check<T> = (value: unknown, name: string) => T;

/** A check for each option. */
export type Checks<O> = { readonly [K in keyof O]: Check<O[K]> };

/** A length of x: of time, or so many. */
export type Window = { readonly seconds: number } | { readonly points: number };

const LONGEST_TEXT = 200;
export const MOST_FIELDS = 64;

/** What `check` takes, or null. */
export function optional<T>(check: Check<T>): Check<T | null> {
  return (value, name) => (value === null ? null : check(value, name));
}

/** True or false. */
export function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') {
    throw wrong(name, 'true or false', value);
  }
  return value;
}

/** One field's name, or several. */
export function fieldNames(value: unknown, name: string): readonly string[] {
  return typeof value === 'string' ? [text(value, name)] : texts(value, name, MOST_FIELDS, 1);
}

/** Any finite number. */
export function numberOf(value: unknown, name: string): number {
  return within(value, name, -Number.MAX_VALUE, Number.MAX_VALUE);
}

/** One setting for all fields, or a map with one for each field that it names. */
export type PerField<T extends string | number> = T | Readonly<Record<string, T>>;

/** What `check` takes, or a map from fields to it. */
export function perField<T extends string | number>(check: Check<T>): Check<PerField<T>> {
  return (value, name) => {
    if (typeof value !== 'object' || value === null) {
      return check(value, name);
    }
    const fields = Object.entries(record(value, `Option "${name}"`));
    if (fields.length > MOST_FIELDS) {
      throw wrong(name, `a map of at most ${MOST_FIELDS} fields`, fields.length);
    }
    return Object.fromEntries(fields.map(([field, one]) => [text(field, name), check(one, `${name}.${field}`)]));
  };
}

/** The setting of a field; null: it has none. */
export function settingOf<T extends string | number>(setting: PerField<T> | null, field: string): T | null {
  if (typeof setting !== 'object' || setting === null) {
    return setting;
  }
  return Object.hasOwn(setting, field) ? ((setting as Readonly<Record<string, T>>)[field] ?? null) : null;
}

/** A length of time, or a number of points. */
export function window(value: unknown, name: string): Window {
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

/** A map with text keys. */
export function record(value: unknown, what: string): Record<string, unknown> {
  if (value instanceof Map) {
    return Object.fromEntries(value) as Record<string, unknown>;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SpecificationError(`${what} must be a map, not ${show(value)}.`);
  }
  return value as Record<string, unknown>;
}

/** A short text. */
export function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.length > LONGEST_TEXT) {
    throw wrong(name, `text of at most ${LONGEST_TEXT} characters`, value);
  }
  return value;
}

/** A short text, or nothing. */
export function optionalText(value: unknown, name: string): string | null {
  return value === null ? null : text(value, name);
}

/** A list of short texts. */
export function texts(value: unknown, name: string, most: number, least: number): readonly string[] {
  if (!Array.isArray(value) || value.length > most || value.length < least) {
    throw wrong(name, `a list of ${least} to ${most} texts`, value);
  }
  return value.map(item => text(item, name));
}

/** One of a few words. */
export function oneOf<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  const found = choices.find(choice => choice === value);
  if (found === undefined) {
    throw wrong(name, `one of ${choices.join(', ')}`, value);
  }
  return found;
}

/** A number within bounds. */
export function within(value: unknown, name: string, low: number, high: number): number {
  if (typeof value !== 'number' || !(value >= low && value <= high)) {
    throw wrong(name, Math.abs(low) > 1e12 ? 'a number' : `a number from ${low} to ${high}`, value);
  }
  return value;
}

/** A whole number within bounds. */
export function whole(value: unknown, name: string, low: number, high: number): number {
  if (!Number.isInteger(value)) {
    throw wrong(name, 'a whole number', value);
  }
  return within(value, name, low, high);
}

/** The error for an option, in a sentence. */
export function wrong(name: string, expected: string, value: unknown): SpecificationError {
  return new SpecificationError(`Option "${name}" must be ${expected}, not ${show(value)}.`);
}

/** A value in a sentence, short whatever it is. */
export function show(value: unknown): string {
  let shown: string | undefined;
  try {
    shown = JSON.stringify(value);
  } catch {
    shown = String(value);
  }
  shown ??= String(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}…` : shown;
}
