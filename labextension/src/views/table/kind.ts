import type { Kind } from '../kind';
import { Grid } from './grid';
import { CHECKS, DEFAULTS, type Options } from './options';
import { TablePresentation } from './presentation';

/** Rows and columns. */
export const TABLE: Kind<Options, Grid> = {
  defaults: DEFAULTS,
  checks: CHECKS,
  reread: ['key', 'columns', 'mode', 'rows', 'history'],
  empty: { example: '{"name": "a", "y": 1}', lacking: 'none with a row', wanted: 'Messages with fields, arrays and tables are rows:' },
  model: options => new Grid(options),
  take: (model, arrival) => model.take(arrival),
  present: surroundings => new TablePresentation(surroundings)
};
