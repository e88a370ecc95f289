import { describe, expect, it } from 'vitest';

import { readMessage } from '../../../src/views/plot/fields';
import { rangeOfX, rangeOfY, spacing } from '../../../src/views/plot/ranges';
import { Model } from '../../../src/views/plot/runs';
import { DEFAULTS, type Options } from '../../../src/views/plot/options';

const all = (): boolean => true;

function model(rows: Record<string, unknown>[], options: Partial<Options> = {}): Model {
  const made = new Model(Array.isArray(options.x) ? (options.x as readonly string[]) : null);
  rows.forEach((row, i) => made.apply(readMessage(row, 1000 + i, { ...DEFAULTS, ...options })));
  return made;
}
const steps = (...ys: number[]): Model => model(ys.map((y, step) => ({ step, y })));

describe('x', () => {
  it('is all there is, or what the window says', () => {
    const of = steps(1, 2, 3, 4, 5);
    expect(rangeOfX(of, DEFAULTS, all)).toEqual([0, 4]);
    expect(rangeOfX(of, { ...DEFAULTS, window: { seconds: 2 } }, all)).toEqual([2, 4]);
    expect(rangeOfX(of, { ...DEFAULTS, window: { points: 2 } }, all)).toEqual([3, 4]);
    expect(rangeOfX(of, { ...DEFAULTS, window: { points: 99 } }, all)).toEqual([0, 4]);
    expect(rangeOfX(new Model(), DEFAULTS, all)).toBeNull();
  });

  it('has room around a single point', () => {
    expect(rangeOfX(model([{ y: 1 }]), DEFAULTS, all)).toEqual([995, 1005]);
    expect(rangeOfX(steps(1), DEFAULTS, all)).toEqual([-0.5, 0.5]);
  });

  it('holds all labels, and old runs', () => {
    expect(rangeOfX(model([{ y: [1, 2] }], { x: ['a', 'b', 'c'] }), DEFAULTS, all)).toEqual([-0.25, 2.25]);
    const of = steps(1, 2, 3);
    of.apply(readMessage({ step: 0, y: 1 }, 0, DEFAULTS));
    expect(rangeOfX(of, DEFAULTS, all)).toEqual([0, 2]);
  });
});

describe('y', () => {
  it('holds what is visible', () => {
    const of = model([{ step: 0, a: 10, b: 100 }, { step: 1, a: 12, b: NaN }, { step: 2, a: 40, b: 90 }]);
    expect(rangeOfY(of, DEFAULTS, all, [0, 1])).toEqual([0, 100]);
    expect(rangeOfY(of, DEFAULTS, name => name === 'a', [0, 1])).toEqual([10, 12]);
    expect(rangeOfY(of, DEFAULTS, () => false, [0, 1])).toBeNull();
  });

  it('begins at zero for bars and where zero is near', () => {
    expect(rangeOfY(steps(18, 26), DEFAULTS, all, [0, 1])).toEqual([18, 26]);
    expect(rangeOfY(steps(18, 26), { ...DEFAULTS, line: 'bar' }, all, [0, 1])).toEqual([0, 26]);
    expect(rangeOfY(steps(2, 9), DEFAULTS, all, [0, 1])).toEqual([0, 9]);
    expect(rangeOfY(steps(-9, -2), DEFAULTS, all, [0, 1])).toEqual([-9, 0]);
    expect(rangeOfY(steps(2, 9), { ...DEFAULTS, y_range: [5, 6] }, all, [0, 1])).toEqual([5, 6]);
  });
});

it('the room of a bar is the smallest distance', () => {
  expect(spacing(model([{ step: 0, y: 1 }, { step: 10, y: 1 }, { step: 13, y: 1 }]), all)).toBe(3);
  expect(spacing(new Model(), all)).toBe(1);
});
