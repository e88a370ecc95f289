import { describe, expect, it } from 'vitest';

import { Buckets, type Sink } from '../../../src/views/plot/buckets';
import { Ring } from '../../../src/views/plot/ring';

/** Numbers that are the same in every run. */
function noise(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

function extent(ring: Ring, from: number, to: number): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = from; i < to; i++) {
    if (Number.isFinite(ring.y(i))) {
      low = Math.min(low, ring.y(i));
      high = Math.max(high, ring.y(i));
    }
  }
  return [low, high];
}

/** Collects what is drawn, column by column. */
class Recorder implements Sink {
  steps = 0;
  readonly drawn: string[] = [];
  low = Infinity;
  high = -Infinity;

  point(x: number, y: number): void {
    this.steps += 1;
    this.drawn.push(`${x}:${y}`);
    if (Number.isFinite(y)) {
      this.low = Math.min(this.low, y);
      this.high = Math.max(this.high, y);
    }
  }

  column(x: number, one: number, other: number, before: boolean, behind: boolean): void {
    this.steps += 1;
    this.drawn.push(`${x}:${one}-${other}${before ? '<' : ''}${behind ? '>' : ''}`);
    this.low = Math.min(this.low, one, other);
    this.high = Math.max(this.high, one, other);
  }
}

describe('Buckets', () => {
  it('knows the extent of any stretch while points come and go', () => {
    const random = noise(7);
    const ring = new Ring();
    const buckets = new Buckets(ring);
    for (let round = 0; round < 300; round++) {
      const count = Math.floor(random() * 40);
      for (let i = 0; i < count; i++) {
        ring.append(ring.end, random() < 0.05 ? NaN : random() * 100 - 50);
      }
      if (random() < 0.1 && ring.length > 10) {
        ring.insert(ring.lastX - 5, 1000 * random());
      }
      if (random() < 0.2) {
        ring.trim(Math.floor(random() * 600) + 1);
      }
      if (random() < 0.02) {
        ring.replace([0, 1, 2, 3, 4], [5, 4, NaN, 2, 1]);
      }
      buckets.update();
      const from = ring.start + Math.floor(random() * ring.length);
      const to = from + Math.floor(random() * (ring.end - from + 1));
      expect(buckets.extent(from, to)).toEqual(extent(ring, from, to));
    }
  });

  it('draws a million points in a few steps per column, and loses no peak', () => {
    const random = noise(3);
    const ring = new Ring();
    const buckets = new Buckets(ring);
    for (let i = 0; i < 1_000_000; i++) {
      ring.append(i, i === 777_777 ? 99 : random());
    }
    buckets.update();
    const sink = new Recorder();
    buckets.walk(ring.start, ring.end, 1000, sink);
    expect(sink.steps).toBeLessThan(3000);
    expect(sink.high).toBe(99);
    expect([sink.low, sink.high]).toEqual(extent(ring, ring.start, ring.end));
  });

  it('draws a column the same wherever it has scrolled to', () => {
    const random = noise(5);
    const ring = new Ring();
    const buckets = new Buckets(ring);
    for (let i = 0; i < 4096; i++) {
      ring.append(i, random());
    }
    buckets.update();
    const before = new Recorder();
    buckets.walk(1024, 2048, 16, before);
    ring.append(4096, 0);
    buckets.update();
    const after = new Recorder();
    buckets.walk(1009, 2048, 16, after);
    expect(after.drawn.slice(-before.drawn.length)).toEqual(before.drawn);
  });

  it('never joins points that are further apart than a column', () => {
    const ring = new Ring();
    const buckets = new Buckets(ring);
    ring.appendAll([0, 0.1, 0.2, 0.3, 100, 200, 300, 400], [1, 2, 3, 0, 5, 6, 7, 8]);
    buckets.update();
    const sink = new Recorder();
    buckets.walk(0, 8, 1, sink);
    expect(sink.drawn).toEqual(['0:3-0', '100:5', '200:6', '300:7', '400:8']);
  });

  it('tells where a joined line is broken', () => {
    const ring = new Ring();
    const buckets = new Buckets(ring);
    ring.appendAll([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [NaN, 1, 2, 3, NaN, NaN, NaN, NaN, 1, 2, 3, NaN]);
    buckets.update();
    const sink = new Recorder();
    buckets.walk(0, 12, 3, sink);
    expect(sink.drawn).toEqual(['0:1-3<', '4:NaN', '8:1-3>']);
  });

  it('works beyond two thousand million points', () => {
    const ring = new Ring();
    ring.start = ring.end = 2 ** 31 - 6;
    const buckets = new Buckets(ring);
    for (let i = 0; i < 40; i++) {
      ring.append(i, i);
    }
    buckets.update();
    expect(buckets.extent(ring.start, ring.end)).toEqual([0, 39]);
    const sink = new Recorder();
    buckets.walk(ring.start, ring.end, 7, sink);
    expect([sink.low, sink.high, sink.steps < 15]).toEqual([0, 39, true]);
  });
});
