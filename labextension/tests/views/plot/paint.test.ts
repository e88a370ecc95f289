import { describe, expect, it } from 'vitest';

import { paintGaps, paintSeries, placeOfGap, type Stroke } from '../../../src/views/plot/paint';
import type { Frame } from '../../../src/views/plot/paths';
import { Series } from '../../../src/views/plot/series';

const FRAME: Frame = { left: 0, top: 0, width: 100, height: 100, x: [0, 100], y: [0, 100], ratio: 1 };
const STROKE: Stroke = { kind: 'line', colour: '#0072b2', dash: [], alpha: 1, filled: false, bar: { index: 0, count: 1, room: 1 } };

/** A canvas that writes down what is drawn on it. */
function canvas(): { context: CanvasRenderingContext2D; drawn: string[] } {
  const drawn: string[] = [];
  const context = new Proxy({} as Record<string, unknown>, {
    get: (target, name: string) =>
      target[name] ??
      ((...args: unknown[]) => {
        drawn.push(`${name} ${args.map(arg => (typeof arg === 'number' ? Math.round(arg * 10) / 10 : String(arg))).join(' ')}`.trim());
        return { addColorStop: () => undefined };
      }),
    set: (target, name: string, value) => {
      target[name] = value as unknown;
      return true;
    }
  });
  return { context: context as unknown as CanvasRenderingContext2D, drawn };
}

function series(xs: number[], ys: number[]): Series {
  const made = new Series();
  made.replace(xs, ys);
  return made;
}

const draw = (of: Series, stroke: Partial<Stroke> = {}, frame: Partial<Frame> = {}): string[] => {
  const { context, drawn } = canvas();
  paintSeries(context, { ...FRAME, ...frame }, of, { ...STROKE, ...stroke });
  return drawn;
};
const only = (drawn: string[], ...names: string[]): string[] => drawn.filter(line => names.includes(line.split(' ')[0]!));

describe('paintSeries', () => {
  it('few points: the line and a dot on each', () => {
    const drawn = draw(series([0, 50, 100], [0, 100, 50]));
    expect(only(drawn, 'moveTo', 'lineTo').slice(0, 3)).toEqual(['moveTo 0 100', 'lineTo 50 0', 'lineTo 100 50']);
    expect(only(drawn, 'arc')).toHaveLength(3);
  });

  it('NaN breaks the line, a point alone is a dot', () => {
    const drawn = draw(series([0, 10, 20, 30, 40], [1, 1, NaN, 5, NaN]), {}, { width: 20 });
    expect(only(drawn, 'lineTo')).toHaveLength(1);
    expect(only(drawn, 'arc')).toHaveLength(1);
  });

  it('steps hold the value until the next', () => {
    expect(only(draw(series([0, 50], [0, 100]), { kind: 'step' }), 'lineTo')).toEqual(['lineTo 50 100', 'lineTo 50 0']);
  });

  it('only what is in the picture is drawn, and a neighbour on either side', () => {
    const xs = Array.from({ length: 1000 }, (_, i) => i);
    expect(only(draw(series(xs, xs), {}, { x: [500, 510] }), 'lineTo')).toHaveLength(12);
  });

  it('many points cost one bar per column, and keep every peak', () => {
    const xs = Array.from({ length: 100_000 }, (_, i) => i / 1000);
    const drawn = draw(series(xs, xs.map((_, i) => (i === 50_500 ? 100 : i % 2 === 0 ? 10 : 20))));
    const bars = only(drawn, 'fillRect');
    expect(bars).toHaveLength(100);
    expect(bars[0]).toBe('fillRect 0 80 1 10');
    expect(bars[50]).toBe('fillRect 50 0 1 90');
  });

  it('many points of a smooth line are a line', () => {
    const xs = Array.from({ length: 10_000 }, (_, i) => i / 100);
    const drawn = draw(series(xs, xs));
    expect([only(drawn, 'lineTo').length, only(drawn, 'fillRect').length]).toEqual([99, 0]);
  });

  it('a break among many points stays a break', () => {
    const xs = Array.from({ length: 10_000 }, (_, i) => i / 100);
    const drawn = draw(series(xs, xs.map(x => (x > 40 && x < 60 ? NaN : 50))));
    expect(only(drawn, 'moveTo')).toHaveLength(2);
    expect(only(drawn, 'lineTo').filter(line => /lineTo (4[2-9]|5\d)/.test(line))).toEqual([]);
  });

  it('x in any order is drawn in that order', () => {
    expect(only(draw(series([50, 0, 100], [1, 2, 3])), 'moveTo', 'lineTo').slice(0, 3)).toEqual(['moveTo 50 99', 'lineTo 0 98', 'lineTo 100 97']);
  });

  it('scatter is dots', () => {
    expect(only(draw(series([0, 1, 2], [1, NaN, 3]), { kind: 'scatter' }), 'arc', 'lineTo', 'stroke')).toHaveLength(2);
  });

  it('bars stand side by side on zero', () => {
    const drawn = draw(series([0], [50]), { kind: 'bar', bar: { index: 1, count: 2, room: 1 } }, { x: [-0.5, 0.5] });
    expect(only(drawn, 'roundRect')).toEqual(['roundRect 51 50 37 50 3,3,0,0']);
    expect(only(draw(series([0], [-10]), { kind: 'bar' }, { x: [-0.5, 0.5], y: [-20, 20] }), 'roundRect')).toEqual(['roundRect 12 50 76 25 0,0,3,3']);
  });

  it('nothing is drawn of nothing', () => {
    expect(draw(new Series())).toEqual([]);
  });
});

describe('gaps', () => {
  it('are never too narrow to be seen, and not drawn when out of the picture', () => {
    expect(placeOfGap(FRAME, { from: 20, to: 60, text: '' })).toEqual([20, 60]);
    expect(placeOfGap(FRAME, { from: 50, to: 50, text: '' })).toEqual([47, 53]);
    expect(placeOfGap(FRAME, { from: 101, to: 120, text: '' })).toBeNull();
    const { context, drawn } = canvas();
    paintGaps(context, FRAME, [{ from: 20, to: 60, text: '' }, { from: 200, to: 300, text: '' }], '#b45309');
    expect(only(drawn, 'clip')).toHaveLength(1);
  });
});
