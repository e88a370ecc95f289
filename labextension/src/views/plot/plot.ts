import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

import { makeAxes } from './axes';
import { Cursor, type Pointed } from './cursor';
import { paintGaps, paintSeries, placeOfGap } from './paint';
import type { Frame } from './paths';
import { rangeOfX, rangeOfY, spacing, type Range } from './ranges';
import type { Model } from './runs';
import type { Options } from './options';
import { colourOf, dashOf, type Theme } from '../theme';

const ALPHAS = [1, 0.38, 0.24, 0.15];

/**
 * The picture of a model. uPlot gives axes, scales, grid and cursor; the series are painted by `paint.ts` from buckets,
 * because uPlot would want all points in one array for each frame.
 */
export class Plot {
  /** Names of the series that the reader has switched off. */
  hidden: ReadonlySet<string> = new Set();
  /** The stretch of x the reader has zoomed into; null: follow the data. */
  zoom: Range | null = null;
  /** Called when the reader points at something (or no longer: null), and when the zoom has changed. */
  onPoint: (pointed: Pointed | null) => void = () => undefined;
  onZoom: () => void = () => undefined;
  /** Called while something moves by itself: draw again. */
  onMove: () => void = () => undefined;

  private chart: uPlot | null = null;
  private built = '';
  private width = 0;
  private range: { x: Range; y: Range } = { x: [0, 1], y: [0, 1] };
  private cursor: Cursor | null = null;

  constructor(
    private readonly host: HTMLElement,
    private model: Model,
    private options: Options,
    private theme: Theme
  ) {}

  /** Show another model, or the same in other ways. Draw afterwards. */
  configure(model: Model, options: Options, theme: Theme): void {
    if (model !== this.model) {
      this.zoom = null;
    }
    this.model = model;
    this.options = options;
    this.theme = theme;
  }

  /** The width changed (0: not visible). Draw afterwards. */
  resize(width: number): void {
    this.width = Math.floor(width);
  }

  /** Bring the picture up to date. Does nothing without room or data. */
  draw(): void {
    const x = this.zoom ?? rangeOfX(this.model, this.options, this.shown);
    if (this.width < 40 || x === null) {
      return;
    }
    const y = rangeOfY(this.model, this.options, this.shown, x) ?? [0, 1];
    this.range = { x, y };
    const wanted = this.key();
    if (this.chart === null || this.built !== wanted) {
      this.build();
      this.built = wanted;
    } else if (this.chart.width !== this.width) {
      this.chart.setSize({ width: this.width, height: this.options.height });
    }
    this.chart?.setData([[x[0], x[1]], [y[0], y[1]]]);
    this.cursor?.refresh();
  }

  /** The canvas, once something was drawn. */
  get canvas(): HTMLCanvasElement | null {
    return this.chart?.ctx.canvas ?? null;
  }

  /** Colour of a series as a CSS colour. */
  colour(name: string): string {
    return colourOf(this.theme, Math.max(0, this.model.names.indexOf(name)));
  }

  dispose(): void {
    this.cursor?.dispose();
    this.chart?.destroy();
    this.chart = null;
  }

  private readonly shown = (name: string): boolean => !this.hidden.has(name);

  /** All that a chart cannot change once it is built. */
  private key(): string {
    const { x_label, y_label, height } = this.options;
    const { axis, axisName } = this.model;
    const { dark, muted, background, font } = this.theme;
    return JSON.stringify([axis, axisName, x_label, y_label, height, dark, muted, background, font, this.modelNumber()]);
  }

  private modelNumber(): number {
    let number = MODELS.get(this.model);
    if (number === undefined) {
      number = (models += 1);
      MODELS.set(this.model, number);
    }
    return number;
  }

  private build(): void {
    this.cursor?.dispose();
    this.chart?.destroy();
    const chart = new uPlot(
      {
        width: this.width,
        height: this.options.height,
        padding: [12, 14, 0, 4],
        legend: { show: false },
        series: [{}, { paths: () => null, points: { show: false } }],
        scales: {
          x: { time: this.model.axis === 'time' || this.model.axis === null, range: () => [...this.range.x] },
          y: { range: () => this.rangeShownOfY() }
        },
        axes: makeAxes(this.model, this.options, this.theme),
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: true, y: false, setScale: false },
          bind: { dblclick: () => () => this.reset() }
        },
        hooks: {
          draw: [() => this.paint()],
          setCursor: [() => this.cursor?.refresh()],
          setSelect: [u => this.select(u)]
        }
      },
      [[0, 1], [0, 1]],
      this.host
    );
    this.chart = chart;
    this.cursor = new Cursor(chart, {
      model: () => this.model,
      shown: this.shown,
      colour: name => this.colour(name),
      gapAt: x => this.gapAt(x),
      onPoint: pointed => this.onPoint(pointed)
    });
  }

  private rangeShownOfY(): uPlot.Range.MinMax {
    const [low, high] = this.range.y;
    return this.options.y_range === null ? uPlot.rangeNum(low, high, 0.1, true) : [low, high];
  }

  private paint(): void {
    const frame = this.frame();
    if (frame === null) {
      return;
    }
    const { ctx } = this.chart as uPlot;
    const { model, options } = this;
    ctx.save();
    ctx.beginPath();
    const over = 4 * frame.ratio;
    ctx.rect(frame.left - over, frame.top - over, frame.width + 2 * over, frame.height + 2 * over);
    ctx.clip();
    paintGaps(ctx, frame, model.gaps, this.theme.alert);
    const visible = model.names.filter(name => this.shown(name) && model.current.series.has(name));
    const room = model.axis === 'labels' || options.line !== 'bar' ? 1 : spacing(model, this.shown);
    for (const [i, run] of model.runs.entries()) {
      const age = model.runs.length - 1 - i;
      for (const name of model.names) {
        const series = run.series.get(name);
        if (series === undefined || !this.shown(name)) {
          continue;
        }
        const now = this.still() ? series : series.at(performance.now());
        if (now !== series) {
          this.onMove();
        }
        paintSeries(ctx, frame, now, {
          kind: options.line,
          colour: this.colour(name),
          dash: dashOf(model.names.indexOf(name)),
          alpha: ALPHAS[age] ?? 0.15,
          filled: visible.length === 1 && age === 0,
          bar: { index: Math.max(0, visible.indexOf(name)), count: Math.max(1, visible.length), room }
        });
      }
    }
    ctx.restore();
  }

  /** Whether the reader asked for less motion. */
  private still(): boolean {
    return typeof matchMedia === 'function' && matchMedia('(prefers-reduced-motion: reduce)').matches;
  }

  private frame(): Frame | null {
    const { chart } = this;
    const x = chart?.scales['x'];
    const y = chart?.scales['y'];
    if (chart === null || x?.min === undefined || x.max === undefined || y?.min === undefined || y.max === undefined) {
      return null;
    }
    const { left, top, width, height } = chart.bbox;
    return { left, top, width, height, x: [x.min, x.max], y: [y.min, y.max], ratio: uPlot.pxRatio };
  }

  private gapAt(x: number): string | null {
    const frame = this.frame();
    if (frame === null) {
      return null;
    }
    const at = frame.left + ((x - frame.x[0]) / (frame.x[1] - frame.x[0])) * frame.width;
    const found = this.model.gaps.find(gap => {
      const place = placeOfGap(frame, gap);
      return place !== null && at >= place[0] && at <= place[1];
    });
    return found?.text ?? null;
  }

  private select(chart: uPlot): void {
    const { left, width } = chart.select;
    if (width < 4) {
      return;
    }
    this.zoom = [chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x')];
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.onZoom();
  }

  private reset(): null {
    this.zoom = null;
    this.onZoom();
    return null;
  }
}

const MODELS = new WeakMap<Model, number>();
let models = 0;
