import { element } from '../dom';
import { formatNumber, formatTime } from '../format';
import type { Model } from './runs';

const ROWS = 100;

/** A row of the table view: x in words, and a value (NaN: none) for each series. */
export interface TableRow {
  readonly x: string;
  readonly values: readonly number[];
}

/** The newest rows of the present run, newest first; a plot with labels or rows along x from its beginning. */
export function newestRows(model: Model): { readonly head: readonly string[]; readonly rows: readonly TableRow[] } {
  const names = model.names.filter(name => model.current.series.has(name));
  const byX = new Map<number, number[]>();
  for (const [column, name] of names.entries()) {
    const ring = model.current.series.get(name)?.ring;
    if (ring === undefined) {
      continue;
    }
    for (let i = Math.max(ring.start, ring.end - ROWS); i < ring.end; i++) {
      const x = ring.x(i);
      const row = byX.get(x) ?? names.map(() => NaN);
      row[column] = ring.y(i);
      byX.set(x, row);
    }
  }
  const forward = model.axis === 'labels';
  const sorted = [...byX].sort(([a], [b]) => (forward ? a - b : b - a)).slice(0, ROWS);
  const span = sorted.length < 2 ? 0 : Math.abs((sorted[0]?.[0] ?? 0) - (sorted[sorted.length - 1]?.[0] ?? 0));
  return {
    head: [model.axis === 'labels' ? model.axisName || 'label' : model.axisName, ...names],
    rows: sorted.map(([x, values]) => ({ x: nameOfX(model, x, span), values }))
  };
}

function nameOfX(model: Model, x: number, span: number): string {
  if (model.axis === 'labels') {
    return model.labels[x] ?? String(x);
  }
  return model.axis === 'time' ? formatTime(x, span) : formatNumber(x);
}

/** The plot as a table, for those who read rather than look. */
export class TableView {
  readonly element = element('div', 'nbc-table');
  private version = -1;

  constructor(
    label: string,
    private readonly model: () => Model
  ) {
    this.element.tabIndex = 0;
    this.element.setAttribute('role', 'region');
    this.element.setAttribute('aria-label', `${label}: newest values`);
  }

  show(): void {
    const model = this.model();
    if (model.version === this.version) {
      return;
    }
    this.version = model.version;
    const { head, rows } = newestRows(model);
    const table = element('table');
    const header = table.createTHead().insertRow();
    for (const name of head) {
      const cell = element('th', '', name);
      cell.scope = 'col';
      header.append(cell);
    }
    const body = table.createTBody();
    for (const { x, values } of rows) {
      const row = body.insertRow();
      const cell = element('th', '', x);
      cell.scope = 'row';
      row.append(cell, ...values.map(value => element('td', '', formatNumber(value))));
    }
    this.element.replaceChildren(table);
  }
}
