import { settingOf } from '../checks';
import { FilterField } from '../choices';
import { toCsv } from '../csv';
import { element, setText } from '../dom';
import { formatCount, formatTime, isoTime } from '../format';
import { formatAs } from '../formats';
import type { Presentation, Surroundings } from '../kind';
import { LeftOut } from '../leftout';
import { Scroller } from '../scroller';
import { arrange, type Wish } from './arrangement';
import { type Cell, Grid, type Row } from './grid';
import { DEFAULTS, type Options } from './options';

/** CSS pixels of a row, as the style sheet has it. */
const ROW = 26;
/** Characters that a column is wide. */
const NARROWEST = 6;
const WIDEST = 36;
/** A change is shown so long, in ms. */
const FLASH = 1200;
/** To arrange the rows anew takes no more than one part in so many of the time. */
const SHARE = 8;

type Sort = NonNullable<Wish['sort']>;

/** Rows and columns. */
export class TablePresentation implements Presentation<Options, Grid> {
  readonly body = element('div', 'nbc-grid');
  readonly below: readonly HTMLElement[];
  readonly tools = [];
  private readonly leftOut = new LeftOut('not shown');
  private readonly scroller = new Scroller(true, makeRow, 'row');
  private readonly head = element('div', 'nbc-cells nbc-head');
  private readonly count = element('span', 'nbc-shown');
  private model = new Grid(DEFAULTS);
  private options: Options = DEFAULTS;
  private widths: number[] = [];
  private headed = '';
  /** null: all rows, as they came. */
  private arranged: Row[] | null = null;
  private made = '';
  private madeAt = -Infinity;
  private cost = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly surroundings: Surroundings) {
    this.below = [this.leftOut.element];
    const bar = element('div', 'nbc-narrow');
    bar.append(new FilterField('Filter the rows', this.text, text => this.choose('text', text)).element, this.count);
    const stage = element('div', 'nbc-scrolled');
    stage.append(this.scroller.element, this.scroller.jump);
    this.head.setAttribute('role', 'row');
    this.scroller.head(this.head);
    this.scroller.element.setAttribute('role', 'table');
    this.scroller.element.setAttribute('aria-label', `Rows of group ${surroundings.group}`);
    this.body.append(bar, stage);
  }

  configure(model: Grid, options: Options): void {
    if (model !== this.model) {
      this.widths = [];
      this.made = '';
    }
    this.model = model;
    this.options = options;
  }

  draw(): void {
    this.arrangeRows();
    const { model, arranged } = this;
    this.scroller.follow = arranged === null && this.options.key === null;
    this.showHead();
    const { length } = arranged ?? model;
    const now = performance.now();
    const isStill = typeof matchMedia === 'function' && matchMedia('(prefers-reduced-motion: reduce)').matches;
    const rowAt = (index: number): Row => arranged?.[index] ?? model.at(index);
    this.scroller.show({
      length,
      height: ROW,
      key: index => rowAt(index).number,
      fill: (target, index) => this.fill(target, rowAt(index), index, isStill ? -Infinity : now)
    });
    this.scroller.element.setAttribute('aria-rowcount', String(length + 1));
    this.showWidths();
  }

  tell(): void {
    const { gaps, dropped } = this.model;
    const length = this.model.length - gaps;
    const all = `${formatCount(length)} ${length === 1 ? 'row' : 'rows'}`;
    setText(this.count, `${this.text === '' ? all : `${formatCount(this.arranged?.length ?? length)} of ${all}`}${dropped > 0 ? `, ${formatCount(dropped)} older dropped` : ''}`);
    this.count.title = dropped > 0 ? `The newest ${formatCount(this.options.rows)} rows are kept (rows=).` : '';
    this.leftOut.show(this.model.undrawn);
  }

  summary(): string {
    const { length } = this.model;
    return length === 0 ? `Waiting for messages on group ${this.surroundings.group}.` : `${formatCount(length)} ${length === 1 ? 'row' : 'rows'}.`;
  }

  /** The rows that are shown, in their order. */
  csv(): string {
    const { columns } = this.model;
    const rows = this.arranged ?? arrange(this.model, { text: '', sort: null });
    const cells = rows.map(row => columns.map(({ kind }, i) => (kind === 'time' && typeof row.cells[i] === 'number' ? isoTime(row.cells[i]) : row.cells[i])));
    return toCsv(columns.map(({ name }) => name), cells);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.scroller.dispose();
  }

  private get text(): string {
    return (this.surroundings.remembered.get('text') as string | undefined) ?? '';
  }

  private get sort(): Sort | null {
    const sort = (this.surroundings.remembered.get('sort') as Sort | null | undefined) ?? null;
    // A column that is not there orders nothing.
    return this.model.columns.some(({ name }) => name === sort?.column) ? sort : null;
  }

  private choose(name: string, value: unknown): void {
    this.surroundings.remembered.set(name, value);
    this.surroundings.request();
  }

  /** Filter and sort; when rows only came or changed, no more often than what it takes allows. */
  private arrangeRows(): void {
    const { text, sort, model } = this;
    if (text === '' && sort === null) {
      this.arranged = null;
      return;
    }
    const wish = JSON.stringify([text, sort]);
    const made = `${wish} ${model.version}`;
    const now = performance.now();
    const wait = this.madeAt + SHARE * this.cost - now;
    if (made === this.made && this.arranged !== null) {
      return;
    }
    if (this.arranged !== null && this.made.startsWith(`${wish} `) && wait > 0) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.surroundings.request(), wait);
      return;
    }
    this.arranged = arrange(model, { text, sort });
    this.made = made;
    this.madeAt = performance.now();
    this.cost = this.madeAt - now;
  }

  private showHead(): void {
    const { columns } = this.model;
    const { sort } = this;
    const headed = JSON.stringify([columns, sort]);
    if (headed === this.headed) {
      return;
    }
    this.headed = headed;
    // The button that was used keeps the focus.
    const focused = [...this.head.children].findIndex(cell => cell.contains(cell.ownerDocument.activeElement));
    this.head.replaceChildren(
      ...columns.map(({ name, kind }) => {
        const cell = element('div', kind === 'number' ? 'nbc-cell nbc-right' : 'nbc-cell');
        const button = element('button', 'nbc-sort', name);
        const order = sort?.column !== name ? 'none' : sort.descending ? 'descending' : 'ascending';
        cell.setAttribute('role', 'columnheader');
        cell.setAttribute('aria-sort', order);
        button.type = 'button';
        button.title = `${name}: sort`;
        button.addEventListener('click', () => this.choose('sort', order === 'descending' ? null : { column: name, descending: order === 'ascending' }));
        cell.append(button);
        return cell;
      })
    );
    this.head.children[focused]?.querySelector('button')?.focus();
  }

  private fill(target: HTMLElement, row: Row, index: number, now: number): void {
    const { columns } = this.model;
    const count = row.gap === undefined ? columns.length : 1;
    target.classList.toggle('nbc-missing', row.gap !== undefined);
    target.setAttribute('aria-rowindex', String(index + 2));
    while (target.childElementCount > count) {
      target.lastElementChild?.remove();
    }
    for (let i = 0; i < count; i++) {
      const cell = (target.children[i] as HTMLElement | undefined) ?? target.appendChild(makeCell());
      const value = row.gap ?? row.cells[i] ?? null;
      const text = this.textOf(value, i);
      setText(cell, text);
      cell.title = text.length > WIDEST ? text : '';
      cell.classList.toggle('nbc-right', typeof value === 'number' && columns[i]?.kind !== 'time');
      if (row.gap === undefined) {
        this.widths[i] = Math.min(WIDEST, Math.max(this.widths[i] ?? 0, text.length, NARROWEST));
      }
      const changed = row.changed?.[i];
      if (changed !== undefined && now - changed < FLASH && cell.dataset['changed'] !== `${row.number} ${changed}`) {
        cell.dataset['changed'] = `${row.number} ${changed}`;
        flash(cell, now - changed);
      }
    }
  }

  private textOf(value: Cell, place: number): string {
    const column = this.model.columns[place];
    if (typeof value !== 'number' || column === undefined) {
      return value === null ? '–' : String(value);
    }
    return column.kind === 'time' ? formatTime(value, 3600) : formatAs(value, settingOf(this.options.format, column.name));
  }

  private showWidths(): void {
    const characters = this.model.columns.map(({ name }, i) => Math.max(this.widths[i] ?? 0, Math.min(name.length + 2, WIDEST)) + 4);
    const wide = characters.map(count => `minmax(${count}ch, ${count}fr)`).join(' ');
    const { style } = this.scroller.element;
    if (style.getPropertyValue('--nbc-columns') !== wide) {
      style.setProperty('--nbc-columns', wide);
      style.setProperty('--nbc-width', `${characters.reduce((sum, count) => sum + count, 0)}ch`);
    }
  }
}

function makeRow(): HTMLElement {
  const row = element('div', 'nbc-cells');
  row.setAttribute('role', 'row');
  return row;
}

function makeCell(): HTMLElement {
  const cell = element('div', 'nbc-cell');
  cell.setAttribute('role', 'cell');
  return cell;
}

function flash(cell: HTMLElement, age: number): void {
  const colour = 'color-mix(in srgb, var(--nbc-accent) 40%, transparent)';
  // Not everything that draws a page can move.
  const moving = (cell.animate as HTMLElement['animate'] | undefined)?.call(cell, [{ background: colour }, { background: 'transparent' }], { duration: FLASH, easing: 'ease-out' });
  if (moving) {
    moving.currentTime = age;
  }
}
