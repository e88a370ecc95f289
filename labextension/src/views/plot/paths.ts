import type { Sink } from './buckets';
import type { Range } from './ranges';

/** Where data lands on the canvas, in its own pixels. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly x: Range;
  readonly y: Range;
  /** Canvas pixels per CSS pixel. */
  readonly ratio: number;
}

/** From data to canvas. */
export class Projection {
  private readonly perX: number;
  private readonly perY: number;

  constructor(protected readonly frame: Frame) {
    this.perX = frame.width / (frame.x[1] - frame.x[0]);
    this.perY = frame.height / (frame.y[1] - frame.y[0]);
  }

  protected px(x: number): number {
    return this.frame.left + (x - this.frame.x[0]) * this.perX;
  }

  protected py(y: number): number {
    return this.frame.top + (this.frame.y[1] - y) * this.perY;
  }
}

/** Builds the path of a line, its unbroken pieces and the points that stand alone. */
export class LinePath extends Projection implements Sink {
  points = 0;
  readonly dots: number[] = [];
  readonly lonely: number[] = [];
  private readonly pieces: number[][] = [];
  private piece: number[] = [];

  constructor(
    frame: Frame,
    private readonly stepped: boolean
  ) {
    super(frame);
  }

  point(x: number, y: number): void {
    if (!Number.isFinite(y) || !Number.isFinite(x)) {
      this.break();
      return;
    }
    this.points += 1;
    const px = this.px(x);
    const py = this.py(y);
    if (this.dots.length < 1000) {
      this.dots.push(px, py);
    }
    this.to(px, py);
  }

  column(x: number, one: number, other: number, breakBefore: boolean, breakBehind: boolean): void {
    this.points += 4;
    if (breakBefore) {
      this.break();
    }
    const px = this.px(x);
    this.to(px, this.py(one));
    if (other !== one) {
      this.piece.push(px, this.py(other));
    }
    if (breakBehind) {
      this.break();
    }
  }

  paint(context: CanvasRenderingContext2D, fill: string | null, alpha: number): void {
    this.break();
    if (fill !== null) {
      this.fill(context, fill, alpha);
    }
    context.beginPath();
    for (const piece of this.pieces) {
      trace(context, piece);
    }
    context.stroke();
  }

  private to(px: number, py: number): void {
    const { piece } = this;
    if (this.stepped && piece.length > 0) {
      piece.push(px, piece[piece.length - 1] as number);
    }
    piece.push(px, py);
  }

  private break(): void {
    if (this.piece.length === 2) {
      this.lonely.push(this.piece[0] as number, this.piece[1] as number);
    } else if (this.piece.length > 2) {
      this.pieces.push(this.piece);
    }
    this.piece = [];
  }

  private fill(context: CanvasRenderingContext2D, colour: string, alpha: number): void {
    const { top, height } = this.frame;
    context.save();
    context.globalAlpha = FILL * alpha;
    context.fillStyle = fade(context, colour, this.frame);
    for (const piece of this.pieces) {
      fillBelow(context, piece, top + height);
    }
    context.restore();
  }
}

/** Columns in a row that a line must just pass through to be drawn as one. */
const SMOOTH = 8;

/**
 * A line with many points per pixel. Stroking thousands of short segments is the costliest thing one can ask of a canvas, so
 * each column of pixels becomes one: a bar from its lowest to its highest value, or, where the line just passes through for
 * a while, a step of a thin polyline.
 */
export class DensePath extends Projection implements Sink {
  /** Of each column: where it is, its top and bottom, where the line leaves it, and 1 if it just passes through. */
  private readonly columns: number[] = [];
  private at = NaN;
  private top = 0;
  private bottom = 0;
  private first = 0;
  private last = NaN;

  point(x: number, y: number): void {
    if (Number.isFinite(y)) {
      this.add(Math.floor(this.px(x)), this.py(y));
    } else {
      this.break();
    }
  }

  column(x: number, one: number, other: number, breakBefore: boolean, breakBehind: boolean): void {
    if (breakBefore) {
      this.break();
    }
    const at = Math.floor(this.px(x));
    this.add(at, this.py(one));
    this.add(at, this.py(other));
    if (breakBehind) {
      this.break();
    }
  }

  paint(context: CanvasRenderingContext2D): void {
    this.flush();
    const { columns } = this;
    context.lineCap = 'butt';
    context.lineJoin = 'bevel';
    context.beginPath();
    for (let from = 0; from < columns.length; ) {
      let to = from;
      while (to < columns.length && columns[to + 4] === 1) {
        to += 5;
      }
      if (to - from >= 5 * SMOOTH) {
        for (let i = from; i < to; i += 5) {
          const x = (columns[i] as number) + 0.5;
          context[i === from ? 'moveTo' : 'lineTo'](x, columns[i + 3] as number);
        }
        from = to;
      } else {
        for (to = Math.max(to, from + 5); from < to; from += 5) {
          this.bar(context, from);
        }
      }
    }
    context.stroke();
  }

  private bar(context: CanvasRenderingContext2D, i: number): void {
    const width = Math.max(1, Math.round(1.25 * this.frame.ratio));
    // Whole pixels need no smoothing, which makes them many times cheaper.
    const top = Math.round(this.columns[i + 1] as number);
    const bottom = Math.round(this.columns[i + 2] as number);
    context.fillRect(this.columns[i] as number, top, width, Math.max(bottom - top, width));
  }

  private add(at: number, y: number): void {
    if (at !== this.at) {
      this.flush();
      this.at = at;
      this.first = Number.isNaN(this.last) ? y : this.last;
      this.top = Math.min(this.first, y);
      this.bottom = Math.max(this.first, y);
    } else {
      this.top = Math.min(this.top, y);
      this.bottom = Math.max(this.bottom, y);
    }
    this.last = y;
  }

  private flush(): void {
    if (!Number.isNaN(this.at)) {
      const passes = this.bottom - this.top <= Math.abs(this.last - this.first) + 1.5;
      this.columns.push(this.at, this.top, this.bottom, this.last, passes ? 1 : 0);
      this.at = NaN;
    }
  }

  private break(): void {
    this.flush();
    const { columns } = this;
    if (columns.length > 0) {
      // A column that is drawn as a bar parts two lines.
      columns[columns.length - 1] = 0;
    }
    this.last = NaN;
  }
}

export class Scatter extends Projection implements Sink {
  readonly dots: number[] = [];

  point(x: number, y: number): void {
    if (Number.isFinite(y) && Number.isFinite(x)) {
      this.dots.push(this.px(x), this.py(y));
    }
  }

  column(x: number, one: number, other: number): void {
    this.point(x, one);
    if (other !== one) {
      this.point(x, other);
    }
  }
}

const FILL = 0.16;

/** A colour that fades towards the bottom of the frame. */
function fade(context: CanvasRenderingContext2D, colour: string, { top, height }: Frame): CanvasGradient {
  const gradient = context.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, colour);
  gradient.addColorStop(1, `${colour}00`);
  return gradient;
}

function fillBelow(context: CanvasRenderingContext2D, piece: readonly number[], bottom: number): void {
  context.beginPath();
  trace(context, piece);
  context.lineTo(piece[piece.length - 2] as number, bottom);
  context.lineTo(piece[0] as number, bottom);
  context.closePath();
  context.fill();
}

function trace(context: CanvasRenderingContext2D, piece: readonly number[]): void {
  context.moveTo(piece[0] as number, piece[1] as number);
  for (let i = 2; i < piece.length; i += 2) {
    context.lineTo(piece[i] as number, piece[i + 1] as number);
  }
}

