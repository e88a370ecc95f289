import { describe, expect, it } from 'vitest';

import { MAX_POINTS, Ring } from '../../../src/views/plot/ring';

const points = (ring: Ring): [number, number][] =>
  Array.from({ length: ring.length }, (_, i) => [ring.x(ring.start + i), ring.y(ring.start + i)]);

describe('Ring', () => {
  it('grows and keeps what it has', () => {
    const ring = new Ring();
    for (let i = 0; i < 5000; i++) {
      ring.append(i, 2 * i);
    }
    expect(ring.length).toBe(5000);
    expect([ring.x(0), ring.y(4999), ring.lastX]).toEqual([0, 9998, 4999]);
  });

  it('is bounded, and indices stay true when the oldest fall out', () => {
    const ring = new Ring();
    const xs = Float64Array.from({ length: MAX_POINTS }, (_, i) => i);
    ring.appendAll(xs, xs);
    const capacity = ring.capacity;
    for (let i = 0; i < 100_000; i++) {
      ring.append(MAX_POINTS + i, i);
    }
    expect(ring.capacity).toBe(capacity);
    expect(ring.length).toBeLessThanOrEqual(capacity);
    expect(ring.x(ring.start)).toBe(ring.start);
    expect(ring.x(ring.end - 1)).toBe(MAX_POINTS + 99_999);
  });

  it('looks only at the newest of a huge batch', () => {
    const ring = new Ring();
    const xs = Float64Array.from({ length: MAX_POINTS + 7 }, (_, i) => i);
    ring.appendAll(xs, xs);
    expect([ring.length, ring.x(ring.start)]).toEqual([MAX_POINTS, 7]);
  });

  it('puts a late point in its place and says from where on it changed', () => {
    const ring = new Ring();
    ring.appendAll([1, 2, 4, 5], [10, 20, 40, 50]);
    ring.settled();
    ring.insert(3, 30);
    expect(points(ring)).toEqual([[1, 10], [2, 20], [3, 30], [4, 40], [5, 50]]);
    expect(ring.changedFrom).toBe(2);
  });

  it('finds points by x', () => {
    const ring = new Ring();
    ring.appendAll([0, 10, 10, 20], [0, 1, 2, 3]);
    expect([ring.indexOf(10), ring.indexAfter(10), ring.indexOf(99), ring.indexAfter(-1)]).toEqual([1, 3, 4, 0]);
    expect([ring.nearest(13), ring.nearest(16), ring.nearest(-5), ring.nearest(99)]).toEqual([2, 3, 0, 3]);
    expect(new Ring().nearest(0)).toBe(-1);
  });

  it('trims, replaces, clears', () => {
    const ring = new Ring();
    ring.appendAll([1, 2, 3], [1, 2, 3]);
    ring.trim(2);
    expect(points(ring)).toEqual([[2, 2], [3, 3]]);
    ring.replace([7], [8]);
    expect(points(ring)).toEqual([[7, 8]]);
    ring.clear();
    expect([ring.length, ring.lastX]).toEqual([0, -Infinity]);
  });
});
