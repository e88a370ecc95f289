import type { Ring } from './ring';

/** Points in a bucket of the lowest level, as a power of two. */
const LOWEST = 2;

interface Level {
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** 1: the lowest value came before the highest. */
  readonly rising: Uint8Array;
}

/** What `Buckets.walk` tells, from left to right. */
export interface Sink {
  /** One point as it is. Not finite: a break. */
  point(x: number, y: number): void;
  /**
   * Points that fall into one column: their lowest and highest values in order of appearance, and whether the line is broken
   * before (the first value is missing) and behind (the last is).
   */
  column(x: number, one: number, other: number, breakBefore: boolean, breakBehind: boolean): void;
}

/**
 * Lowest and highest value of each 4, 8, 16, … neighbouring points of a ring, counted by absolute index: so a column shows the
 * same picture wherever it has scrolled to. Only complete buckets are kept and each is computed once, when its last point has come;
 * whatever the zoom and the width, drawing then costs a few steps per pixel, not per point.
 */
export class Buckets {
  private levels: Level[] = [];
  private capacity = 0;
  /** Up to here (absolute index) buckets are true. */
  private done = 0;

  constructor(private readonly ring: Ring) {}

  /** Take in what has changed since the last call. */
  update(): void {
    const { ring } = this;
    if (ring.capacity !== this.capacity) {
      this.allocate(ring.capacity);
    }
    const from = Math.max(Math.min(this.done, ring.changedFrom), ring.start);
    this.lowest(from);
    for (let level = 1; level < this.levels.length; level++) {
      const size = 2 ** (LOWEST + level);
      for (let bucket = Math.floor(from / size); (bucket + 1) * size <= ring.end; bucket++) {
        this.join(level, bucket);
      }
    }
    this.done = ring.end;
    ring.settled();
  }

  /** Lowest and highest finite value of the points `from` … `to` (exclusive); Infinity and -Infinity without one. */
  extent(from: number, to: number): [number, number] {
    const { ring } = this;
    let low = Infinity;
    let high = -Infinity;
    for (let i = from; i < to; ) {
      const level = this.widest(i, to, Infinity);
      if (level < 0) {
        const y = ring.y(i);
        if (Number.isFinite(y)) {
          low = Math.min(low, y);
          high = Math.max(high, y);
        }
        i += 1;
      } else {
        const of = this.levels[level] as Level;
        const size = 2 ** (level + LOWEST);
        const at = (i / size) & (of.low.length - 1);
        low = Math.min(low, of.low[at] as number);
        high = Math.max(high, of.high[at] as number);
        i += size;
      }
    }
    return [low, high];
  }

  /** Tell `sink` the points `from` … `to` (exclusive), joining neighbours that lie within `width` of x. */
  walk(from: number, to: number, width: number, sink: Sink): void {
    const { ring } = this;
    for (let i = from; i < to; ) {
      const level = this.widest(i, to, width);
      if (level < 0) {
        sink.point(ring.x(i), ring.y(i));
        i += 1;
        continue;
      }
      const of = this.levels[level] as Level;
      const size = 2 ** (level + LOWEST);
      const at = (i / size) & (of.low.length - 1);
      const low = of.low[at] as number;
      const high = of.high[at] as number;
      if (low > high) {
        sink.point(ring.x(i), NaN);
      } else {
        const rising = of.rising[at] === 1;
        sink.column(
          ring.x(i),
          rising ? low : high,
          rising ? high : low,
          !Number.isFinite(ring.y(i)),
          !Number.isFinite(ring.y(i + size - 1))
        );
      }
      i += size;
    }
  }

  /** The highest level with a bucket that starts at `i`, ends by `to` and is no wider than `width`; -1 for none. */
  private widest(i: number, to: number, width: number): number {
    const { ring } = this;
    const x = ring.x(i);
    // A bucket starts where its index has enough trailing zero bits; 32 of them are enough to tell.
    const bits = i | 0;
    const zeros = bits === 0 ? 32 : 31 - Math.clz32(bits & -bits);
    for (let level = Math.min(zeros - LOWEST, this.levels.length - 1); level >= 0; level--) {
      const last = i + 2 ** (level + LOWEST) - 1;
      if (last < to && ring.x(last) - x <= width) {
        return level;
      }
    }
    return -1;
  }

  private allocate(capacity: number): void {
    this.capacity = capacity;
    this.levels = [];
    for (let size = capacity >> LOWEST; size >= 1; size >>= 1) {
      this.levels.push({ low: new Float64Array(size), high: new Float64Array(size), rising: new Uint8Array(size) });
    }
    this.done = this.ring.start;
  }

  private lowest(from: number): void {
    const { ring } = this;
    const level = this.levels[0] as Level;
    const mask = level.low.length - 1;
    for (let bucket = Math.floor(from / (1 << LOWEST)); (bucket + 1) * (1 << LOWEST) <= ring.end; bucket++) {
      let low = Infinity;
      let high = -Infinity;
      let lowAt = 0;
      let highAt = 0;
      const first = bucket * (1 << LOWEST);
      for (let i = first; i < first + (1 << LOWEST); i++) {
        const y = ring.y(i);
        if (y < low && y > -Infinity) {
          low = y;
          lowAt = i;
        }
        if (y > high && y < Infinity) {
          high = y;
          highAt = i;
        }
      }
      level.low[bucket & mask] = low;
      level.high[bucket & mask] = high;
      level.rising[bucket & mask] = lowAt <= highAt ? 1 : 0;
    }
  }

  private join(level: number, bucket: number): void {
    const below = this.levels[level - 1] as Level;
    const here = this.levels[level] as Level;
    const left = (2 * bucket) & (below.low.length - 1);
    const right = (2 * bucket + 1) & (below.low.length - 1);
    const at = bucket & (here.low.length - 1);
    const lowRight = (below.low[right] as number) < (below.low[left] as number);
    const highRight = (below.high[right] as number) > (below.high[left] as number);
    here.low[at] = below.low[lowRight ? right : left] as number;
    here.high[at] = below.high[highRight ? right : left] as number;
    here.rising[at] = lowRight === highRight ? (below.rising[lowRight ? right : left] as number) : highRight ? 1 : 0;
  }
}
