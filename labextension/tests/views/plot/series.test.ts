import { describe, expect, it } from 'vitest';

import { inOrder, Run, Series } from '../../../src/views/plot/series';

const ys = (series: Series): number[] => Array.from({ length: series.ring.length }, (_, i) => series.ring.y(series.ring.start + i));

describe('Series', () => {
  it('replaced values move to their new place', () => {
    const series = new Series();
    series.replace([0, 1], [0, 10], 1000);
    series.replace([0, 1], [8, 10], 2000);
    expect(series.at(2000)).not.toBe(series);
    expect(ys(series.at(2000))).toEqual([0, 10]);
    const half = ys(series.at(2160))[0]!;
    expect(half > 4 && half < 8).toBe(true);
    expect(series.at(2320)).toBe(series);
  });

  it('values that change fast, or in number, jump', () => {
    const series = new Series();
    series.replace([0], [0], 1000);
    series.replace([0], [5], 1100);
    expect(series.at(1101)).toBe(series);
    series.replace([0, 1], [5, 6], 3000);
    expect(series.at(3001)).toBe(series);
  });

  it('late points are put in their place', () => {
    const series = new Series();
    series.append([1, 3], [1, 3]);
    series.append([2, 4], [2, 4]);
    expect(ys(series)).toEqual([1, 2, 3, 4]);
    expect(series.latest).toBe(4);
    series.interrupt();
    expect([series.latest, series.ring.length]).toEqual([4, 5]);
  });

  it('put sets the one value at x', () => {
    const series = new Series();
    series.put(2, 1);
    series.put(0, 5);
    series.put(2, 7);
    expect(ys(series)).toEqual([5, 7]);
  });
});

it('rows are put in order, those without x are left out', () => {
  const { xs, columns, lost } = inOrder([3, NaN, 1], [{ name: 'y', values: [30, 20, 10] }]);
  expect([Array.from(xs), Array.from(columns[0]!.values), lost]).toEqual([[1, 3], [10, 30], 1]);
});

it('a run knows its extent, also of unordered series', () => {
  const run = new Run(1);
  const series = new Series();
  series.replace([3, 1, 2], [0, 0, 0]);
  run.series.set('a', series);
  expect([run.extent(() => true), run.extent(() => false), run.points]).toEqual([[1, 3], null, 3]);
});
