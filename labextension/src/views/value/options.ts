import { type Checks, fieldNames, numberOf, oneOf, optional, perField, type PerField, record, text, type Window, window } from '../checks';
import { COMMON_CHECKS, type CommonOptions } from '../options';
import { numberFormat } from '../formats';

/** What a change is counted from. */
export type Since = 'previous' | 'first' | { readonly seconds: number };

/** What of the data is shown, and how. A setting that is a map holds for the fields it names. */
export interface Options extends CommonOptions {
  /** Names of the fields to show; null: all numbers. */
  readonly fields: readonly string[] | null;
  readonly unit: PerField<string> | null;
  /** As Python's format(); null: what a reader takes in at a glance. */
  readonly format: PerField<string> | null;
  readonly since: Since;
  /** From here on it is a warning, an alarm; downwards where the alarm is lower than the warning. */
  readonly warn: PerField<number> | null;
  readonly alarm: PerField<number> | null;
  /** What the small curve shows. */
  readonly window: Window | null;
}

export const DEFAULTS: Options = {
  fields: null,
  unit: null,
  format: null,
  since: 'previous',
  warn: null,
  alarm: null,
  window: { points: 300 },
  history: null,
  title: null,
  height: 120,
  paused: false
};

export const CHECKS: Checks<Options> = {
  fields: optional(fieldNames),
  unit: optional(perField(text)),
  format: optional(perField(numberFormat)),
  since: (value, name) => (typeof value === 'string' ? oneOf(value, name, ['previous', 'first'] as const) : timeOf(value, name)),
  warn: optional(perField(numberOf)),
  alarm: optional(perField(numberOf)),
  window: optional(window),
  ...COMMON_CHECKS
};

function timeOf(value: unknown, name: string): { seconds: number } {
  const { seconds } = window({ seconds: record(value, `Option "${name}"`)['seconds'] }, name) as { seconds: number };
  return { seconds };
}
