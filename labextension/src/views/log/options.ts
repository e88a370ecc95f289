import { type Checks, flag, oneOf, optional, whole } from '../checks';
import { COMMON_CHECKS, type CommonOptions } from '../options';
import { LEVELS, type LevelName } from './levels';

export interface Options extends CommonOptions {
  /** How many lines are kept. */
  readonly lines: number;
  /** Lines below this level are not shown; null: all are. */
  readonly level: LevelName | null;
  /** Whether long lines go on below. */
  readonly wrap: boolean;
}

export const DEFAULTS: Options = {
  lines: 10_000,
  level: null,
  wrap: false,
  history: null,
  title: null,
  height: 300,
  paused: false
};

export const CHECKS: Checks<Options> = {
  lines: (value, name) => whole(value, name, 10, 100_000),
  level: optional((value, name) => oneOf(value, name, [...LEVELS.keys()] as const)),
  wrap: flag,
  ...COMMON_CHECKS
};
