import { Buckets } from './buckets';
import type { Reading } from './fields';
import { Ring } from './ring';

/** How long replaced values take to move to their new place, in ms; values that change faster than this jump. */
const PASSAGE = 320;
const MOST_MOVING = 500;

/** The points of one field in one run. */
export class Series {
  readonly ring = new Ring();
  readonly buckets = new Buckets(this.ring);
  /** x never decreases, so that points can be found by x and joined into columns. */
  ascending = true;

  private before: Float64Array | null = null;
  private replacedAt = -Infinity;

  /** @param now - in ms, for the passage from the old values to the new */
  replace(xs: ArrayLike<number>, ys: ArrayLike<number>, now = 0): void {
    const { ring } = this;
    const calm = now - this.replacedAt > PASSAGE && ring.length === ys.length && ys.length <= MOST_MOVING;
    this.before = calm ? Float64Array.from({ length: ys.length }, (_, i) => ring.y(ring.start + i)) : null;
    this.replacedAt = now;
    ring.replace(xs, ys);
    this.ascending = isAscending(xs);
  }

  /** The series on its way from the values that were replaced to the new ones; itself when it has arrived. */
  at(now: number): Series {
    const { before, ring } = this;
    const part = (now - this.replacedAt) / PASSAGE;
    if (before === null || !(part >= 0 && part < 1) || before.length !== ring.length) {
      this.before = null;
      return this;
    }
    const eased = 1 - (1 - part) ** 3;
    const between = new Series();
    const indices = counting(ring.start, ring.length);
    between.replace(
      indices.map(i => ring.x(i)),
      indices.map((i, place) => (before[place] as number) * (1 - eased) + ring.y(i) * eased)
    );
    return between;
  }

  /** Append points whose x ascends; those that come late are put in their place. */
  append(xs: ArrayLike<number>, ys: ArrayLike<number>): void {
    if (xs.length === 0 || (xs[0] as number) >= this.ring.lastX) {
      this.ring.appendAll(xs, ys);
      return;
    }
    for (let i = 0; i < xs.length; i++) {
      this.ring.insert(xs[i] as number, ys[i] as number);
    }
  }

  /** Set the value at `x`, which is there once at most. */
  put(x: number, y: number): void {
    const at = this.ring.indexOf(x);
    if (at < this.ring.end && this.ring.x(at) === x) {
      this.ring.set(at, y);
    } else {
      this.ring.insert(x, y);
    }
  }

  /** Interrupt the line behind the newest point. */
  interrupt(): void {
    if (this.ring.length > 0) {
      this.ring.append(this.ring.lastX, NaN);
    }
  }

  /** The newest value that is one; NaN without. */
  get latest(): number {
    const { ring } = this;
    for (let i = ring.end - 1; i >= Math.max(ring.start, ring.end - 100); i--) {
      if (Number.isFinite(ring.y(i))) {
        return ring.y(i);
      }
    }
    return NaN;
  }
}

/** All that was received between two times at which x went back to its start. */
export class Run {
  readonly series = new Map<string, Series>();
  /** How many rows without an x of their own were appended. */
  rows = 0;

  constructor(readonly number: number) {}

  get points(): number {
    let points = 0;
    for (const { ring } of this.series.values()) {
      points += ring.length;
    }
    return points;
  }

  /** Lowest and highest x of the series that `shown` lets through; null without points. */
  extent(shown: (name: string) => boolean): [number, number] | null {
    let low = Infinity;
    let high = -Infinity;
    for (const [name, series] of this.series) {
      const { ring } = series;
      if (!shown(name) || ring.length === 0) {
        continue;
      }
      if (series.ascending) {
        low = Math.min(low, ring.x(ring.start));
        high = Math.max(high, ring.lastX);
      } else {
        for (let i = ring.start; i < ring.end; i++) {
          low = Math.min(low, ring.x(i));
          high = Math.max(high, ring.x(i));
        }
      }
    }
    return low <= high ? [low, high] : null;
  }

  get lastX(): number {
    let last = -Infinity;
    for (const { ring } of this.series.values()) {
      last = Math.max(last, ring.lastX);
    }
    return last;
  }
}

/** The rows of one message with numbers for x, without rows that have none, in the order of x. */
export function inOrder(xs: ArrayLike<number>, columns: Reading['columns']): { xs: ArrayLike<number>; columns: Reading['columns']; lost: number } {
  if (isAscending(xs)) {
    return { xs, columns, lost: 0 };
  }
  const order = Array.from({ length: xs.length }, (_, i) => i).filter(i => Number.isFinite(xs[i]));
  order.sort((a, b) => (xs[a] as number) - (xs[b] as number));
  const pick = (values: ArrayLike<number>): Float64Array => Float64Array.from(order, i => values[i] as number);
  return {
    xs: pick(xs),
    columns: columns.map(({ name, values }) => ({ name, values: pick(values) })),
    lost: xs.length - order.length
  };
}

/** 0, 1, 2, … from `first`. */
export function counting(first: number, length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => first + i);
}

function isAscending(xs: ArrayLike<number>): boolean {
  let last = -Infinity;
  for (let i = 0; i < xs.length; i++) {
    const x = xs[i] as number;
    if (!(x >= last) || x === Infinity) {
      return false;
    }
    last = x;
  }
  return true;
}
