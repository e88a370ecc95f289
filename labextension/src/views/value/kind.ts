import type { Kind } from '../kind';
import { CHECKS, DEFAULTS, type Options } from './options';
import { ValuePresentation } from './presentation';
import { Readouts } from './readouts';

/** Numbers to read from afar. */
export const VALUE: Kind<Options, Readouts> = {
  defaults: DEFAULTS,
  checks: CHECKS,
  reread: ['fields', 'history'],
  empty: { example: '{"y": 1}', lacking: 'none with a value to show', wanted: 'Numbers are shown, and what is named as fields=:' },
  model: ({ fields }) => new Readouts(fields),
  take: (model, arrival) => model.take(arrival),
  present: surroundings => new ValuePresentation(surroundings)
};
