import type { Sink } from './buckets';
import { DensePath, type Frame, LinePath, Projection, Scatter } from './paths';
import type { GapBand } from './runs';
import type { Series } from './series';
import type { LineKind } from './options';

/** How one series is drawn. */
export interface Stroke {
  readonly kind: LineKind;
  readonly colour: string;
  readonly dash: readonly number[];
  /** 1 for the present run, less for old ones. */
  readonly alpha: number;
  /** A soft fill below the line. */
  readonly filled: boolean;
  /** Bars: this series' place among those that share an x, and how much room they share (in x). */
  readonly bar: { readonly index: number; readonly count: number; readonly room: number };
}

/** Points with fewer than this many pixels between them stay without a dot. */
const DOT_SPACE = 14;
const LINE_WIDTH = 1.75;

/** Draw one series into `frame`. Costs some steps per pixel, however many points there are. */
export function paintSeries(context: CanvasRenderingContext2D, frame: Frame, series: Series, stroke: Stroke): void {
  const { ring, ascending } = series;
  if (ring.length === 0) {
    return;
  }
  series.buckets.update();
  // One point more on either side: the line comes from there and goes there.
  const from = ascending ? Math.max(ring.start, ring.indexOf(frame.x[0]) - 1) : ring.start;
  const to = ascending ? Math.min(ring.end, ring.indexAfter(frame.x[1]) + 1) : ring.end;
  const column = ascending ? (frame.x[1] - frame.x[0]) / frame.width : -1;
  context.save();
  context.globalAlpha = stroke.alpha;
  context.strokeStyle = context.fillStyle = stroke.colour;
  context.lineWidth = LINE_WIDTH * frame.ratio * (stroke.alpha < 1 ? 0.75 : 1);
  context.lineJoin = 'round';
  context.lineCap = stroke.dash.length > 0 ? 'butt' : 'round';
  context.setLineDash(stroke.dash.map(length => length * frame.ratio));
  switch (stroke.kind) {
    case 'line':
    case 'step': {
      if (ascending && to - from > 2 * frame.width) {
        const path = new DensePath(frame);
        series.buckets.walk(from, to, column, path);
        path.paint(context);
        break;
      }
      const path = new LinePath(frame, stroke.kind === 'step');
      series.buckets.walk(from, to, column, path);
      path.paint(context, stroke.filled && ascending ? stroke.colour : null, stroke.alpha);
      if (path.points > 0 && path.points * DOT_SPACE * frame.ratio <= frame.width) {
        dots(context, frame, path.dots, 3);
      } else if (path.lonely.length > 0) {
        dots(context, frame, path.lonely, 2);
      }
      break;
    }
    case 'scatter': {
      const path = new Scatter(frame);
      series.buckets.walk(from, to, column / 2, path);
      dots(context, frame, path.dots, path.dots.length > 2 * frame.width ? 1.25 : path.dots.length > 600 ? 2 : 3);
      break;
    }
    case 'bar':
      series.buckets.walk(from, to, column, new Bars(context, frame, stroke));
      break;
  }
  context.restore();
}

/** Mark where messages are missing: hatched, so that it is no matter of colour. */
export function paintGaps(context: CanvasRenderingContext2D, frame: Frame, gaps: readonly GapBand[], colour: string): void {
  for (const gap of gaps) {
    const place = placeOfGap(frame, gap);
    if (place === null) {
      continue;
    }
    const [left, right] = place;
    context.save();
    context.beginPath();
    context.rect(left, frame.top, right - left, frame.height);
    context.clip();
    context.globalAlpha = 0.08;
    context.fillStyle = context.strokeStyle = colour;
    context.fill();
    context.globalAlpha = 0.35;
    context.lineWidth = frame.ratio;
    context.beginPath();
    const step = 7 * frame.ratio;
    for (let x = Math.floor((left - frame.height) / step) * step; x < right; x += step) {
      context.moveTo(x, frame.top + frame.height);
      context.lineTo(x + frame.height, frame.top);
    }
    context.stroke();
    context.globalAlpha = 0.7;
    context.beginPath();
    for (const x of [left, right]) {
      context.moveTo(x, frame.top);
      context.lineTo(x, frame.top + frame.height);
    }
    context.stroke();
    context.restore();
  }
}

/** Left and right edge of a gap on the canvas, never too narrow to be seen; null when it is out of the picture. */
export function placeOfGap(frame: Frame, gap: GapBand): [number, number] | null {
  if (gap.to < frame.x[0] || gap.from > frame.x[1]) {
    return null;
  }
  const per = frame.width / (frame.x[1] - frame.x[0]);
  const left = frame.left + (gap.from - frame.x[0]) * per;
  const right = frame.left + (gap.to - frame.x[0]) * per;
  const least = 6 * frame.ratio;
  return right - left >= least ? [left, right] : [(left + right - least) / 2, (left + right + least) / 2];
}

/** Draws bars from zero, those of several series side by side. */
class Bars extends Projection implements Sink {
  private readonly zero: number;

  constructor(
    private readonly context: CanvasRenderingContext2D,
    frame: Frame,
    private readonly stroke: Stroke
  ) {
    super(frame);
    this.zero = this.py(Math.min(Math.max(0, frame.y[0]), frame.y[1]));
  }

  point(x: number, y: number): void {
    if (!Number.isFinite(y) || !Number.isFinite(x)) {
      return;
    }
    const { index, count, room } = this.stroke.bar;
    const group = Math.min((this.px(x + room) - this.px(x)) * 0.78, 96 * this.frame.ratio * count);
    const width = group / count;
    const gap = width > 8 * this.frame.ratio ? 2 * this.frame.ratio : 0;
    const left = this.px(x) - group / 2 + index * width;
    this.bar(left + gap / 2, Math.max(width - gap, this.frame.ratio), this.py(y));
  }

  column(x: number, one: number, other: number): void {
    this.bar(this.px(x), this.frame.ratio, this.py(one));
    this.bar(this.px(x), this.frame.ratio, this.py(other));
  }

  private bar(left: number, width: number, y: number): void {
    const { context, zero } = this;
    const radius = Math.min(3 * this.frame.ratio, width / 3, Math.abs(zero - y));
    context.beginPath();
    if (radius >= 1) {
      const corners = y <= zero ? [radius, radius, 0, 0] : [0, 0, radius, radius];
      context.roundRect(left, Math.min(y, zero), width, Math.abs(zero - y), corners);
    } else {
      context.rect(left, Math.min(y, zero), width, Math.abs(zero - y));
    }
    context.fill();
  }
}

function dots(context: CanvasRenderingContext2D, frame: Frame, places: readonly number[], radius: number): void {
  const size = radius * frame.ratio;
  if (size < 2) {
    for (let i = 0; i < places.length; i += 2) {
      context.fillRect((places[i] as number) - size, (places[i + 1] as number) - size, 2 * size, 2 * size);
    }
    return;
  }
  context.beginPath();
  for (let i = 0; i < places.length; i += 2) {
    context.moveTo((places[i] as number) + size, places[i + 1] as number);
    context.arc(places[i] as number, places[i + 1] as number, size, 0, 2 * Math.PI);
  }
  context.fill();
}
