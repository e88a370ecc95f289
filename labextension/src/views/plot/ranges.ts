import type { Model } from './runs';
import type { Options } from './options';

export type Range = readonly [number, number];

/** Which series the reader has left visible. */
export type Shown = (name: string) => boolean;

/** y begins at zero where the values come this near to it, as a part of their height. */
const NEAR_ZERO = 0.4;

type RangeOptions = Pick<Options, 'line' | 'window' | 'y_range'>;

/** The stretch of x to show; null while there is nothing. */
export function rangeOfX(model: Model, options: RangeOptions, shown: Shown): Range | null {
  if (model.axis === 'labels') {
    const bars = options.line === 'bar' ? 0.6 : 0.25;
    const longest = model.current.extent(shown)?.[1] ?? 0;
    return [-bars, Math.max(model.labels.length - 1, longest, 0) + bars];
  }
  const present = model.current.extent(shown);
  if (present === null) {
    return null;
  }
  let [low, high] = present;
  const { window } = options;
  if (window === null) {
    for (const run of model.runs) {
      const extent = run.extent(shown);
      if (extent !== null) {
        low = Math.min(low, extent[0]);
        high = Math.max(high, extent[1]);
      }
    }
  } else if ('seconds' in window) {
    low = high - window.seconds;
  } else {
    low = startOfPoints(model, window.points, shown, low);
  }
  return widened(low, high, model.axis === 'time', options.line === 'bar' ? spacing(model, shown) / 2 : 0);
}

/** The stretch of y that holds what is drawn within `x`. */
export function rangeOfY(model: Model, options: RangeOptions, shown: Shown, x: Range): Range | null {
  if (options.y_range !== null) {
    return options.y_range;
  }
  let low = Infinity;
  let high = -Infinity;
  for (const run of model.runs) {
    for (const [name, series] of run.series) {
      const { ring } = series;
      if (!shown(name) || ring.length === 0) {
        continue;
      }
      series.buckets.update();
      const from = series.ascending ? ring.indexOf(x[0]) : ring.start;
      const to = series.ascending ? ring.indexAfter(x[1]) : ring.end;
      // A line enters and leaves the picture at neighbours outside of it, which shall not stretch y.
      const [lowest, highest] = series.buckets.extent(from, to);
      low = Math.min(low, lowest);
      high = Math.max(high, highest);
    }
  }
  if (low > high) {
    return null;
  }
  const withZero = options.line === 'bar' || (low > 0 && low < NEAR_ZERO * high) || (high < 0 && high > NEAR_ZERO * low);
  return withZero ? [Math.min(low, 0), Math.max(high, 0)] : [low, high];
}

/** Smallest distance of neighbouring points among the newest: the room a bar has. */
export function spacing(model: Model, shown: Shown): number {
  let least = Infinity;
  for (const [name, { ring, ascending }] of model.current.series) {
    if (!shown(name) || !ascending) {
      continue;
    }
    for (let i = Math.max(ring.start + 1, ring.end - 200); i < ring.end; i++) {
      const distance = ring.x(i) - ring.x(i - 1);
      if (distance > 0) {
        least = Math.min(least, distance);
      }
    }
  }
  return Number.isFinite(least) ? least : 1;
}

function startOfPoints(model: Model, points: number, shown: Shown, low: number): number {
  let start = Infinity;
  for (const [name, { ring }] of model.current.series) {
    if (shown(name) && ring.length > 0) {
      start = Math.min(start, ring.x(Math.max(ring.start, ring.end - points)));
    }
  }
  return Number.isFinite(start) ? start : low;
}

function widened(low: number, high: number, isTime: boolean, margin: number): Range {
  if (high > low) {
    return [low - margin, high + margin];
  }
  const room = isTime ? 5 : Math.max(0.5, Math.abs(low) * 1e-9);
  return [low - room, low + room];
}
