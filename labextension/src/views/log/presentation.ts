import { FilterField } from '../choices';
import { toCsv } from '../csv';
import { element, IconButton, setText } from '../dom';
import { formatCount, formatTime, isoTime } from '../format';
import type { Presentation, Surroundings } from '../kind';
import { Scroller } from '../scroller';
import { LEVELS, type LevelName, toneOf } from './levels';
import { type Line, Lines } from './lines';
import { DEFAULTS, type Options } from './options';
import { Selection } from './selection';

/** CSS pixels of one line, as the style sheet has it. */
const LINE = 20;
/** Characters before the message: time and level. */
const BEFORE = 24;
const LEFT = 16;

/** Lines of text, the newest at the end. */
export class LogPresentation implements Presentation<Options, Lines> {
  readonly body = element('div', 'nbc-log');
  readonly below = [];
  readonly tools: readonly IconButton[];
  private readonly scroller = new Scroller(true, makeRow, 'line');
  private readonly selection = new Selection();
  private readonly level = element('select', 'nbc-level');
  private readonly count = element('span', 'nbc-shown');
  private readonly wrapButton = new IconButton('wrap', 'Wrap long lines', () => this.choose('wrap', !this.wrap));
  private readonly probe = element('span', 'nbc-probe', '0'.repeat(100));
  private model = new Lines(1);
  private options: Options = DEFAULTS;
  private columns = 100;

  constructor(private readonly surroundings: Surroundings) {
    const { remembered, group } = surroundings;
    const filter = new FilterField('Filter the lines', (remembered.get('text') as string | undefined) ?? '', text => this.choose('text', text));
    this.tools = [this.wrapButton];
    this.level.setAttribute('aria-label', 'Least level');
    for (const name of ['all', ...LEVELS.keys()]) {
      const option = element('option', '', name === 'all' ? 'all levels' : name === 'critical' ? name : `${name} and worse`);
      option.value = name;
      this.level.append(option);
    }
    this.level.addEventListener('change', () => this.choose('level', this.level.value === 'all' ? null : this.level.value));
    const bar = element('div', 'nbc-narrow');
    bar.append(filter.element, this.level, this.count);
    const stage = element('div', 'nbc-scrolled');
    stage.append(this.scroller.element, this.scroller.jump);
    this.probe.setAttribute('aria-hidden', 'true');
    this.scroller.element.setAttribute('role', 'log');
    // What comes is said now and then, not line for line.
    this.scroller.element.setAttribute('aria-live', 'off');
    this.scroller.element.setAttribute('aria-label', `Lines of group ${group}`);
    this.body.append(bar, stage, this.probe);
  }

  configure(model: Lines, options: Options): void {
    const { remembered } = this.surroundings;
    for (const name of ['wrap', 'level'] as const) {
      if (options[name] !== this.options[name] && this.options !== DEFAULTS) {
        remembered.delete(name);
      }
    }
    this.model = model;
    this.options = options;
    this.level.value = this.least ?? 'all';
    this.wrapButton.set('wrap', 'Wrap long lines', this.wrap);
    this.body.classList.toggle('nbc-wrapped', this.wrap);
  }

  draw(): void {
    const { selection, wrap } = this;
    if (selection.update(this.model, { text: this.text, level: this.least === null ? 0 : (LEVELS.get(this.least) ?? 0) })) {
      this.scroller.refill();
    }
    this.scroller.show({
      length: selection.length,
      height: index => LINE * rowsOf(selection.at(index), wrap ? this.columns : Infinity),
      key: index => selection.at(index).number,
      fill: (row, index, isNew) => {
        if (isNew) {
          fill(row, selection.at(index));
        }
      }
    });
  }

  tell(): void {
    const { gaps, dropped } = this.model;
    const length = this.model.length - gaps;
    const all = `${formatCount(length)} ${length === 1 ? 'line' : 'lines'}`;
    const shown = this.selection.length - gaps;
    setText(this.count, `${shown === length ? all : `${formatCount(shown)} of ${all}`}${dropped > 0 ? `, ${formatCount(dropped)} older dropped` : ''}`);
    this.count.title = dropped > 0 ? `The newest ${formatCount(this.model.most)} lines are kept (lines=).` : '';
  }

  resize(): void {
    const width = this.probe.getBoundingClientRect().width / 100;
    const room = this.scroller.element.clientWidth;
    this.columns = width > 0 && room > 0 ? Math.max(20, Math.floor((room - LEFT) / width) - BEFORE) : 100;
  }

  summary(): string {
    const { length } = this.model;
    const last = length === 0 ? null : this.model.at(length - 1);
    return last === null ? `Waiting for messages on group ${this.surroundings.group}.` : `${formatCount(length)} ${length === 1 ? 'line' : 'lines'}. ${last.level?.label ?? ''} ${last.text || last.more}`.slice(0, 300);
  }

  /** The lines that are shown. */
  csv(): string {
    const { selection } = this;
    const rows = Array.from({ length: selection.length }, (_, i) => selection.at(i));
    return toCsv(['time', 'level', 'logger', 'message', 'fields'], rows.map(({ time, level, logger, text, more }) => [isoTime(time), level?.label ?? '', logger, text, more]));
  }

  dispose(): void {
    this.scroller.dispose();
  }

  private get text(): string {
    return (this.surroundings.remembered.get('text') as string | undefined) ?? '';
  }

  private get least(): LevelName | null {
    const { remembered } = this.surroundings;
    return remembered.has('level') ? (remembered.get('level') as LevelName | null) : this.options.level;
  }

  private get wrap(): boolean {
    return (this.surroundings.remembered.get('wrap') as boolean | undefined) ?? this.options.wrap;
  }

  private choose(name: string, value: unknown): void {
    this.surroundings.remembered.set(name, value);
    this.configure(this.model, this.options);
    this.resize();
    this.surroundings.request();
  }
}

function makeRow(): HTMLElement {
  const row = element('div', 'nbc-line');
  row.append(element('span', 'nbc-when'), element('span', 'nbc-rank'), element('span', 'nbc-said'));
  row.lastElementChild?.append(element('span', 'nbc-logger'), element('span', 'nbc-text'), element('span', 'nbc-more'));
  return row;
}

function fill(row: HTMLElement, { time, level, logger, text, more, isGap }: Line): void {
  const [when, rank, said] = row.children as unknown as HTMLElement[];
  const [name, message, rest] = said?.children as unknown as HTMLElement[];
  if (when && rank && name && message && rest) {
    setText(when, isGap ? '' : formatTime(time, 60));
    setText(rank, isGap ? 'GAP' : (level?.label ?? ''));
    setText(name, logger);
    setText(message, text);
    setText(rest, more);
    row.dataset['tone'] = isGap ? 'warn' : level === null ? 'plain' : toneOf(level.number);
    row.classList.toggle('nbc-missing', isGap);
  }
}

/** How many rows of so many columns a line takes, about. */
export function rowsOf({ logger, text, more }: Line, columns: number): number {
  let rows = 0;
  let start = 0;
  let before = logger.length + 1;
  for (;;) {
    const end = text.indexOf('\n', start);
    const length = (end < 0 ? text.length + more.length + 1 : end) - start + before;
    rows += Math.max(1, Math.ceil(length / columns));
    if (end < 0) {
      return rows;
    }
    start = end + 1;
    before = 0;
  }
}
