import type { AxisKind, Reading } from './fields';
import { MAX_POINTS } from './ring';
import { counting, inOrder, Run, Series } from './series';

/** A stretch of x in which messages are missing. */
export interface GapBand {
  readonly from: number;
  readonly to: number;
  /** What happened, for the reader. */
  readonly text: string;
}

const MOST_SERIES = 12;
const MOST_LABELS = 1000;
const MOST_GAPS = 200;
const MOST_NAMED = 50;
/** Old runs that stay visible. */
const OLD_RUNS = 3;
/** A time may be this many seconds older than the newest and still belong to the same run: clocks differ, threads overtake. */
const LATE = 5;

/**
 * What a plot shows: the present run and up to three old ones, each with a series per field, all in one x.
 * It holds at most `MAX_POINTS` points; the oldest go first.
 */
export class Model {
  /** The present run is the last. */
  runs: Run[] = [new Run(1)];
  /** Names of the series in order of appearance, over all runs: the order gives them their colours. */
  names: string[];
  axis: AxisKind | null = null;
  axisName = '';
  /** Texts along x when the axis is `labels`. */
  labels: string[];
  gaps: GapBand[] = [];
  /** Fields that are not drawn and why. */
  readonly undrawn = new Map<string, string>();
  /** Something the reader should know, in a sentence; null for nothing. */
  notice: string | null = null;
  /** Rises with every change. */
  version = 0;
  /** Rises when series, axis or runs are others, not only their points. */
  shape = 0;
  /** How many messages were taken in. */
  messages = 0;

  private pending: { from: number; text: string } | null = null;
  private starts: number[] = [];
  private onlyInitial = false;

  /**
   * @param fixedLabels - labels along x that the user gave, if any
   * @param order - names of the series that shall come first
   */
  constructor(
    private readonly fixedLabels: readonly string[] | null = null,
    private readonly order: readonly string[] | null = null
  ) {
    this.labels = [...(fixedLabels ?? [])];
    this.names = [...(order ?? [])].slice(0, MOST_SERIES);
  }

  get current(): Run {
    return this.runs[this.runs.length - 1] as Run;
  }

  get isEmpty(): boolean {
    return this.runs.every(run => run.series.size === 0);
  }

  /** Starting values: they yield to what comes first. */
  start(reading: Reading): void {
    this.take(reading);
    this.onlyInitial = true;
  }

  /** Take in one message. */
  apply(reading: Reading): void {
    this.messages += 1;
    this.take(reading);
  }

  /** Messages are missing here. */
  interrupt(text: string): void {
    const from = this.current.lastX;
    if (Number.isFinite(from) && this.axis !== 'labels') {
      const earlier = this.pending;
      this.pending = earlier === null ? { from, text } : { from: earlier.from, text: `${earlier.text}; ${text}` };
      for (const series of this.current.series.values()) {
        series.interrupt();
      }
    }
    this.version += 1;
  }

  /** Show nothing any more. */
  clear(): void {
    this.runs = [new Run(1)];
    this.names = [...(this.order ?? [])].slice(0, MOST_SERIES);
    this.labels = [...(this.fixedLabels ?? [])];
    this.axis = null;
    this.gaps = [];
    this.undrawn.clear();
    this.notice = null;
    this.pending = null;
    this.starts = [];
    this.onlyInitial = false;
    this.messages = 0;
    this.changed();
  }

  private take(reading: Reading): void {
    this.version += 1;
    for (const [name, why] of reading.undrawn) {
      if (!this.names.includes(name) && (this.undrawn.has(name) || this.undrawn.size < MOST_NAMED)) {
        this.undrawn.set(name, why);
      }
    }
    const columns = reading.columns.filter(column => this.admit(column.name, column.values));
    if (columns.length === 0) {
      return;
    }
    this.setAxis(reading);
    if (reading.axis === 'labels' && reading.x !== null) {
      this.takeLabelled(reading.x as readonly string[], columns, reading.how);
    } else if (reading.how === 'replace') {
      this.takeWhole(reading.x as ArrayLike<number> | null, columns);
    } else {
      this.takeRows(reading.x as ArrayLike<number> | null, columns);
    }
    this.bound();
  }

  /** Whether a column is drawn; makes its series known. */
  private admit(name: string, values: ArrayLike<number>): boolean {
    if (this.current.series.has(name)) {
      return true;
    }
    if (!Array.prototype.some.call(values, Number.isFinite)) {
      return false;
    }
    if (!this.names.includes(name)) {
      if (this.names.length >= MOST_SERIES) {
        if (this.undrawn.size < MOST_NAMED) {
          this.undrawn.set(name, `more than ${MOST_SERIES} series`);
        }
        return false;
      }
      this.names.push(name);
    }
    this.undrawn.delete(name);
    return true;
  }

  /** Another kind of x cannot share a picture with what was drawn before. */
  private setAxis(reading: Reading): void {
    if (this.axis !== null && this.axis !== reading.axis) {
      const names = this.names;
      const { messages } = this;
      const silent = this.onlyInitial;
      const before = this.axisName || 'labels';
      this.clear();
      this.names = names;
      this.messages = messages;
      if (!silent) {
        this.notice = `x changed from ${before} to ${reading.axisName || 'labels'}: what came before is not shown.`;
      }
    }
    if (this.axis !== reading.axis || this.axisName !== reading.axisName) {
      this.axis = reading.axis;
      this.axisName = reading.axisName;
      this.shape += 1;
    }
    this.onlyInitial = false;
  }

  private takeLabelled(texts: readonly string[], columns: Reading['columns'], how: Reading['how']): void {
    if (how === 'replace') {
      const whole = [...this.current.series.keys()].every(name => columns.some(column => column.name === name));
      if (whole && this.fixedLabels === null && texts.join('\0') !== this.labels.join('\0')) {
        this.labels = [];
        this.current.series.clear();
      }
    }
    const places = texts.map(text => this.placeOf(text));
    for (const { name, values } of columns) {
      const series = this.seriesOf(name);
      if (how === 'replace') {
        series.ring.clear();
      }
      for (const [i, place] of places.entries()) {
        if (place >= 0) {
          series.put(place, values[i] as number);
        }
      }
    }
  }

  private placeOf(text: string): number {
    const known = this.labels.indexOf(text);
    if (known >= 0) {
      return known;
    }
    if (this.labels.length >= MOST_LABELS) {
      this.notice = `Only the first ${MOST_LABELS} labels along x are drawn.`;
      return -1;
    }
    this.shape += 1;
    return this.labels.push(text) - 1;
  }

  private takeWhole(x: ArrayLike<number> | null, columns: Reading['columns']): void {
    this.pending = null;
    for (const { name, values } of columns) {
      this.seriesOf(name).replace(x ?? counting(0, values.length), values, performance.now());
    }
  }

  private takeRows(x: ArrayLike<number> | null, columns: Reading['columns']): void {
    if (x === null) {
      const length = Math.max(...columns.map(column => column.values.length));
      if (this.fixedLabels !== null && this.current.rows > 0 && this.current.rows + length > this.fixedLabels.length) {
        this.newRun();
      }
      const { rows } = this.current;
      this.current.rows += length;
      this.closeGap(rows);
      for (const { name, values } of columns) {
        this.seriesOf(name).append(counting(rows, values.length), values);
      }
      return;
    }
    const ordered = inOrder(x, columns);
    if (ordered.lost > 0) {
      this.notice = `${ordered.lost} points without ${this.axisName} were left out.`;
    }
    if (ordered.xs.length === 0) {
      return;
    }
    const first = ordered.xs[0] as number;
    const slack = this.axis === 'time' ? LATE : 0;
    if (columns.some(({ name }) => first < (this.current.series.get(name)?.ring.lastX ?? -Infinity) - slack)) {
      this.newRun();
    }
    this.closeGap(first);
    for (const { name, values } of ordered.columns) {
      this.seriesOf(name).append(ordered.xs, values);
    }
  }

  private seriesOf(name: string): Series {
    let series = this.current.series.get(name);
    if (series === undefined) {
      series = new Series();
      this.current.series.set(name, series);
      this.shape += 1;
    }
    return series;
  }

  private closeGap(to: number): void {
    if (this.pending !== null) {
      const { from, text } = this.pending;
      this.pending = null;
      this.gaps = [...this.gaps, { from: Math.min(from, to), to: Math.max(from, to), text }].slice(-MOST_GAPS);
    }
  }

  private newRun(): void {
    this.pending = null;
    this.gaps = [];
    this.runs = [...this.runs, new Run(this.current.number + 1)].slice(-OLD_RUNS - 1);
    this.starts = [...this.starts, this.messages].slice(-10);
    const first = this.starts[0] ?? 0;
    if (this.starts.length === 10 && this.messages - first < 30) {
      this.notice = `${this.axisName || 'x'} goes back and forth, and each time a new run starts. Do several senders use the same fields? Give each its own field or group.`;
    }
    this.changed();
  }

  private bound(): void {
    const { current } = this;
    const each = Math.floor(MAX_POINTS / Math.max(1, current.series.size));
    let points = 0;
    for (const { ring } of current.series.values()) {
      if (ring.length > each) {
        ring.trim(each);
      }
      points += ring.length;
    }
    while (this.runs.length > 1 && points + this.runs.slice(0, -1).reduce((sum, run) => sum + run.points, 0) > MAX_POINTS) {
      this.runs = this.runs.slice(1);
      this.changed();
    }
  }

  private changed(): void {
    this.version += 1;
    this.shape += 1;
  }
}
