import type uPlot from 'uplot';

import { element, setText } from '../dom';
import { formatNumber, formatTime } from '../format';
import type { Shown } from './ranges';
import type { Model } from './runs';

/** What the reader points at. */
export interface Pointed {
  readonly x: number;
  /** Value of each visible series next to it. */
  readonly values: ReadonlyMap<string, number>;
}

/** What the cursor asks of its plot. */
export interface Surroundings {
  readonly model: () => Model;
  readonly shown: Shown;
  readonly colour: (name: string) => string;
  readonly gapAt: (x: number) => string | null;
  readonly onPoint: (pointed: Pointed | null) => void;
}

/** Marks the points next to the mouse and says where on x it is. */
export class Cursor {
  private readonly marks = new Map<string, HTMLElement>();
  private readonly tag = element('div', 'nbc-cursor-tag');
  private pointing = false;

  constructor(
    private readonly chart: uPlot,
    private readonly around: Surroundings
  ) {
    this.tag.hidden = true;
    chart.over.append(this.tag);
  }

  /** Look again: the mouse or the data has moved. */
  refresh(): void {
    const { chart, around } = this;
    const left = chart.cursor.left ?? -1;
    if (left < 0 || chart.status !== 1) {
      this.leave();
      return;
    }
    this.pointing = true;
    const model = around.model();
    const x = chart.posToVal(left, 'x');
    const values = new Map<string, number>();
    let at = x;
    let best = Infinity;
    for (const [name, series] of model.current.series) {
      if (!around.shown(name) || !series.ascending) {
        continue;
      }
      const index = series.ring.nearest(x);
      if (index < 0) {
        continue;
      }
      const nearest = series.ring.x(index);
      const y = series.ring.y(index);
      // Far from any point of this series: it has no value here.
      const far = Math.abs(chart.valToPos(nearest, 'x') - left) > 40;
      values.set(name, far ? NaN : y);
      this.mark(name, far ? NaN : nearest, y);
      if (Math.abs(nearest - x) < best) {
        best = Math.abs(nearest - x);
        at = nearest;
      }
    }
    for (const [name, mark] of this.marks) {
      if (!values.has(name)) {
        mark.hidden = true;
      }
    }
    const gap = around.gapAt(x);
    this.label(gap ?? this.describe(model, best === Infinity ? x : at), left, gap !== null);
    around.onPoint({ x: at, values });
  }

  dispose(): void {
    this.tag.remove();
    for (const mark of this.marks.values()) {
      mark.remove();
    }
  }

  private leave(): void {
    if (!this.pointing) {
      return;
    }
    this.pointing = false;
    this.tag.hidden = true;
    for (const mark of this.marks.values()) {
      mark.hidden = true;
    }
    this.around.onPoint(null);
  }

  private mark(name: string, x: number, y: number): void {
    let mark = this.marks.get(name);
    if (mark === undefined) {
      mark = element('div', 'nbc-mark');
      this.marks.set(name, mark);
      this.chart.over.append(mark);
    }
    mark.hidden = !Number.isFinite(x) || !Number.isFinite(y);
    if (!mark.hidden) {
      mark.style.transform = `translate(${this.chart.valToPos(x, 'x')}px, ${this.chart.valToPos(y, 'y')}px)`;
      mark.style.background = this.around.colour(name);
    }
  }

  private label(text: string, left: number, alert: boolean): void {
    setText(this.tag, text);
    this.tag.hidden = false;
    this.tag.classList.toggle('nbc-alert', alert);
    const room = this.chart.over.clientWidth;
    const half = this.tag.offsetWidth / 2;
    this.tag.style.left = `${Math.min(Math.max(left, half), Math.max(half, room - half))}px`;
  }

  private describe(model: Model, x: number): string {
    switch (model.axis) {
      case 'labels':
        return model.labels[Math.round(x)] ?? String(Math.round(x));
      case 'time':
      case null: {
        const { min = 0, max = 1 } = this.chart.scales['x'] ?? {};
        return formatTime(x, max - min);
      }
      case 'number':
      case 'rows':
        return `${model.axisName} ${formatNumber(x)}`;
    }
  }
}
