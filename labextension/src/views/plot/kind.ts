import type { Kind } from '../kind';
import { readInitial, readMessage } from './fields';
import { CHECKS, DEFAULTS, type Options, REREAD } from './options';
import { PlotPresentation } from './presentation';
import { Model } from './runs';

/** Numbers as lines that move. */
export const PLOT: Kind<Options, Model> = {
  defaults: DEFAULTS,
  checks: CHECKS,
  reread: REREAD,
  empty: { example: '{"y": 1}', lacking: 'none with a number to draw', wanted: 'Numbers, lists of numbers, arrays and tables are drawn:' },
  model: options => {
    const model = new Model(Array.isArray(options.x) ? (options.x as readonly string[]) : null, options.y);
    const initial = readInitial(options);
    if (initial !== null) {
      model.start(initial);
    }
    return model;
  },
  take: (model, { content, time }, options) => model.apply(readMessage(content, time, options)),
  present: surroundings => new PlotPresentation(surroundings)
};
