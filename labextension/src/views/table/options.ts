import { type Checks, fieldNames, oneOf, optional, perField, type PerField, text, whole } from '../checks';
import { numberFormat } from '../formats';
import { COMMON_CHECKS, type CommonOptions } from '../options';

export interface Options extends CommonOptions {
  /** The field that tells the rows apart; null: each message is a row of its own. */
  readonly key: string | null;
  /** The fields to show, in this order; null: all. */
  readonly columns: readonly string[] | null;
  readonly format: PerField<string> | null;
  readonly mode: 'append' | 'replace' | null;
  /** How many rows are kept. */
  readonly rows: number;
}

export const DEFAULTS: Options = {
  key: null,
  columns: null,
  format: null,
  mode: null,
  rows: 100_000,
  history: null,
  title: null,
  height: 360,
  paused: false
};

export const CHECKS: Checks<Options> = {
  key: optional(text),
  columns: optional(fieldNames),
  format: optional(perField(numberFormat)),
  mode: optional((value, name) => oneOf(value, name, ['append', 'replace'] as const)),
  rows: (value, name) => whole(value, name, 10, 1_000_000),
  ...COMMON_CHECKS
};
