/** The most points one plot keeps, over all its series and runs. */
export const MAX_POINTS = 1_000_000;

const SMALLEST = 256;

/**
 * The points of one series: two ring buffers, x (ascending, unless the series was replaced by something unsorted) and y.
 *
 * Points are addressed by their absolute index, which counts every point ever appended: so an index stays true while the
 * oldest points fall out, and whatever is computed per index (see `Buckets`) need not be computed again.
 */
export class Ring {
  /** Absolute index of the oldest point kept. */
  start = 0;
  /** Absolute index after the newest point. */
  end = 0;
  /** Everything before this index is as it was when `settled()` was last called. */
  changedFrom = 0;

  private xs = new Float64Array(SMALLEST);
  private ys = new Float64Array(SMALLEST);
  private mask = SMALLEST - 1;

  /** How many points it has room for, a power of two. */
  get capacity(): number {
    return this.mask + 1;
  }

  get length(): number {
    return this.end - this.start;
  }

  x(index: number): number {
    return this.xs[index & this.mask] as number;
  }

  y(index: number): number {
    return this.ys[index & this.mask] as number;
  }

  /** x of the newest point; -Infinity without one. */
  get lastX(): number {
    return this.end > this.start ? this.x(this.end - 1) : -Infinity;
  }

  append(x: number, y: number): void {
    this.reserve(this.length + 1);
    const at = this.end & this.mask;
    this.xs[at] = x;
    this.ys[at] = y;
    this.end += 1;
  }

  /** Append many; only the newest `MAX_POINTS` of them are looked at. */
  appendAll(xs: ArrayLike<number>, ys: ArrayLike<number>): void {
    const from = Math.max(0, ys.length - MAX_POINTS);
    this.reserve(this.length + ys.length - from);
    for (let i = from; i < ys.length; i++) {
      const at = this.end & this.mask;
      this.xs[at] = xs[i] as number;
      this.ys[at] = ys[i] as number;
      this.end += 1;
    }
  }

  /** Put one late point where its x belongs. Points after it move up by one. */
  insert(x: number, y: number): void {
    this.append(x, y);
    let i = this.end - 1;
    for (; i > this.start && this.x(i - 1) > x; i--) {
      this.xs[i & this.mask] = this.x(i - 1);
      this.ys[i & this.mask] = this.y(i - 1);
    }
    this.xs[i & this.mask] = x;
    this.ys[i & this.mask] = y;
    this.changedFrom = Math.min(this.changedFrom, i);
  }

  /** Change the value of a point. */
  set(index: number, y: number): void {
    this.ys[index & this.mask] = y;
    this.changedFrom = Math.min(this.changedFrom, index);
  }

  replace(xs: ArrayLike<number>, ys: ArrayLike<number>): void {
    this.clear();
    this.appendAll(xs, ys);
  }

  clear(): void {
    this.start = this.end = this.changedFrom = 0;
  }

  /** Forget all but the newest `limit` points. */
  trim(limit: number): void {
    this.start = Math.max(this.start, this.end - limit);
  }

  /** Whoever derives something from the points has seen them all. */
  settled(): void {
    this.changedFrom = this.end;
  }

  /** The first index whose x is not below `x` (for ascending x). */
  indexOf(x: number): number {
    let low = this.start;
    let high = this.end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.x(middle) < x) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** The first index whose x is above `x` (for ascending x). */
  indexAfter(x: number): number {
    let low = this.start;
    let high = this.end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.x(middle) <= x) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** The index of the point nearest to `x`, or -1 without points. */
  nearest(x: number): number {
    if (this.length === 0) {
      return -1;
    }
    const right = Math.min(this.indexOf(x), this.end - 1);
    const left = Math.max(right - 1, this.start);
    return x - this.x(left) < this.x(right) - x ? left : right;
  }

  private reserve(points: number): void {
    if (points <= this.capacity) {
      return;
    }
    const most = 2 ** Math.ceil(Math.log2(MAX_POINTS));
    if (points > most) {
      this.start += points - most;
    }
    let capacity = this.capacity;
    while (capacity < Math.min(points, most)) {
      capacity *= 2;
    }
    if (capacity === this.capacity) {
      return;
    }
    const xs = new Float64Array(capacity);
    const ys = new Float64Array(capacity);
    for (let i = this.start; i < this.end; i++) {
      xs[i & (capacity - 1)] = this.x(i);
      ys[i & (capacity - 1)] = this.y(i);
    }
    this.xs = xs;
    this.ys = ys;
    this.mask = capacity - 1;
  }
}
