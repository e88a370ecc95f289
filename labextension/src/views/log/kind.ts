import type { Kind } from '../kind';
import { Lines } from './lines';
import { CHECKS, DEFAULTS, type Options } from './options';
import { LogPresentation } from './presentation';

/** Lines of text. */
export const LOG: Kind<Options, Lines> = {
  defaults: DEFAULTS,
  checks: CHECKS,
  reread: ['lines', 'history'],
  empty: { example: '{"level": "info", "message": "hello"}', lacking: 'none with a line', wanted: 'Any message is a line:' },
  model: ({ lines }) => new Lines(lines),
  take: (model, arrival) => model.take(arrival),
  present: surroundings => new LogPresentation(surroundings)
};
