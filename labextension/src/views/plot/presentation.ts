import { toCsv, type Cell } from '../csv';
import { element, IconButton } from '../dom';
import { formatNumber, isoTime } from '../format';
import type { Presentation, Surroundings } from '../kind';
import { dashOf, readTheme, type Theme } from '../theme';
import type { Pointed } from './cursor';
import { Legend, type LegendContent } from './legend';
import { DEFAULTS, type Options } from './options';
import { drawPicture, saveAs } from './picture';
import { Plot } from './plot';
import { Model } from './runs';
import { TableView } from './table';

/** A plot with its legend. */
export class PlotPresentation implements Presentation<Options, Model> {
  readonly body = element('div', 'nbc-figure');
  readonly below: readonly HTMLElement[];
  readonly tools: readonly IconButton[];
  readonly table: TableView;
  readonly plot: Plot;
  private readonly legend = new Legend(name => this.toggle(name));
  private readonly reset = new IconButton('reset', 'Show everything again', () => this.showAll());
  private readonly save = new IconButton('save', 'Save as PNG', () => void this.savePicture());
  private model = new Model();
  private options: Options = DEFAULTS;
  private theme: Theme = readTheme(this.body);
  private pointed: Pointed | null = null;

  constructor(private readonly surroundings: Surroundings) {
    this.below = [this.legend.element];
    this.tools = [this.reset, this.save];
    this.table = new TableView(surroundings.group, () => this.model);
    this.body.setAttribute('role', 'figure');
    this.reset.element.hidden = true;
    this.plot = new Plot(this.body, this.model, this.options, this.theme);
    this.plot.hidden = this.hidden;
    this.plot.onPoint = pointed => this.point(pointed);
    this.plot.onZoom = this.plot.onMove = () => surroundings.request();
  }

  configure(model: Model, options: Options, theme: Theme): void {
    this.model = model;
    this.options = options;
    this.theme = theme;
    const { title, line } = options;
    const { group } = this.surroundings;
    this.body.setAttribute('aria-label', `Live ${line} plot of group ${group}${title === null ? '' : `: ${title}`}. A table view is at the button "Show as a table".`);
    this.plot.configure(model, options, theme);
  }

  draw(): void {
    if (!this.model.isEmpty) {
      this.plot.draw();
    }
    this.reset.element.hidden = this.plot.zoom === null;
  }

  tell(): void {
    this.legend.show(this.legendContent());
  }

  resize(width: number): void {
    this.plot.resize(width);
  }

  summary(): string {
    return summarise(this.surroundings.group, this.model);
  }

  /** All points of the present run; a row for each x. */
  csv(): string {
    const { model } = this;
    const names = model.names.filter(name => model.current.series.has(name));
    const rows = new Map<number, Cell[]>();
    for (const [column, name] of names.entries()) {
      const ring = model.current.series.get(name)?.ring;
      for (let i = ring?.start ?? 0; ring !== undefined && i < ring.end; i++) {
        const x = ring.x(i);
        const row = rows.get(x) ?? [model.axis === 'labels' ? model.labels[x] : model.axis === 'time' ? isoTime(x) : x];
        row[column + 1] = ring.y(i);
        rows.set(x, row);
      }
    }
    return toCsv([model.axisName || 'x', ...names], [...rows].sort(([a], [b]) => a - b).map(([, row]) => Array.from({ length: names.length + 1 }, (_, i) => row[i])));
  }

  dispose(): void {
    this.plot.dispose();
  }

  private get hidden(): ReadonlySet<string> {
    return (this.surroundings.remembered.get('hidden') as ReadonlySet<string> | undefined) ?? new Set();
  }

  private legendContent(): LegendContent {
    const { model, hidden } = this;
    return {
      entries: model.names
        .filter(name => model.current.series.has(name) || this.options.y?.includes(name))
        .map(name => ({
          name,
          colour: this.plot.colour(name),
          dashed: dashOf(model.names.indexOf(name)).length > 0,
          hidden: hidden.has(name),
          value: (this.pointed === null ? model.current.series.get(name)?.latest : this.pointed.values.get(name)) ?? NaN
        })),
      undrawn: model.undrawn,
      run: model.current.number,
      oldRuns: model.runs.length - 1
    };
  }

  private toggle(name: string): void {
    const hidden = new Set(this.hidden);
    if (!hidden.delete(name)) {
      hidden.add(name);
    }
    this.surroundings.remembered.set('hidden', hidden);
    this.plot.hidden = hidden;
    this.surroundings.request();
  }

  private showAll(): void {
    this.plot.zoom = null;
    this.surroundings.request();
  }

  private point(pointed: Pointed | null): void {
    this.pointed = pointed;
    this.tell();
  }

  private async savePicture(): Promise<void> {
    const { canvas } = this.plot;
    if (canvas === null) {
      return;
    }
    const name = this.options.title ?? this.surroundings.group;
    const picture = await drawPicture(canvas, name, this.legendContent(), this.theme);
    if (picture !== null) {
      saveAs(picture, name);
    }
  }
}

/** What the plot shows in one sentence. */
export function summarise(group: string, model: Model): string {
  if (model.isEmpty) {
    return `Waiting for messages on group ${group}.`;
  }
  const values = [...model.current.series].slice(0, 4).map(([name, series]) => `${name} ${formatNumber(series.latest)}`);
  const more = model.current.series.size - values.length;
  return `${values.join(', ')}${more > 0 ? `, and ${more} more` : ''}.`;
}
