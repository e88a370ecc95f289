import { element, setText } from '../../views/dom';
import type { Context } from '../context';
import type { Keyed, KeyedModel } from '../keyed';
import type { Badge, Body } from '../section';
import { formatCount } from '../../views/format';
import { Detail } from './detail';
import { EmptyNote } from './empty';
import type { RowView, Selected } from './list';
import { VirtualList } from './list';

/** What one panel adds to a list of rows. */
export interface Columns<Row> {
  /** For the list as a whole. */
  readonly label: string;
  readonly height: number;
  /** Names of the orders, in words. */
  readonly orders: Readonly<Record<string, string>>;
  /** What to do when there is nothing: a sentence, and a line to type. */
  readonly empty: { readonly sentence: string; readonly code: string };
  row(): RowView<Row>;
  /** The row was selected; `null`: nothing is. */
  select(row: Row | null): void;
  /** Fill the detail; called again when the row has changed. */
  detail(row: Row, detail: Detail): void;
  /** Whether the detail is out of date, though the row is the same. */
  isStale?(): boolean;
  activate?(row: Row): void;
}

/** A filter, an order, a list, and the details of the selected row. */
export class ListBody<Row extends Keyed> implements Body {
  readonly element = element('div', 'nbc-panel');
  private readonly list: VirtualList<Row>;
  private readonly empty: EmptyNote;
  private readonly detail: Detail;
  private readonly order = element('select', 'nbc-order');
  private readonly search = element('input', 'nbc-search');
  private readonly bar = element('div', 'nbc-bar');
  private readonly split = element('div', 'nbc-split');
  private selected: Row | null = null;

  constructor(
    protected readonly context: Context,
    private readonly model: KeyedModel<Row>,
    private readonly columns: Columns<Row>
  ) {
    const { trans } = context;
    this.list = new VirtualList<Row>({
      label: columns.label,
      height: columns.height,
      make: () => columns.row(),
      selected: (row, how) => {
        this.choose(row, how);
      },
      ...(columns.activate === undefined ? {} : { activated: (row: Row) => columns.activate?.(row) })
    });
    this.detail = new Detail(trans.__('Details'), trans.__('Close the details'), () => {
      this.list.select(null);
      this.list.element.focus();
    });
    this.empty = new EmptyNote(context);
    this.search.type = 'search';
    this.search.placeholder = trans.__('Filter');
    this.search.setAttribute('aria-label', trans.__('Filter: %1', columns.label));
    this.search.addEventListener('input', () => {
      model.filter = this.search.value;
    });
    this.order.setAttribute('aria-label', trans.__('Order: %1', columns.label));
    for (const { name } of model.orders) {
      const option = element('option', '', columns.orders[name] ?? name);
      option.value = name;
      this.order.append(option);
    }
    this.order.value = model.sort;
    this.order.addEventListener('change', () => {
      model.sort = this.order.value;
    });
    this.bar.append(this.search, this.order);
    this.split.append(this.list.element, this.empty.element, this.detail.element);
    this.element.append(this.bar, this.split);
  }

  update(): void {
    const { model, columns } = this;
    const { trans } = this.context;
    const rows = model.shown;
    const isEmpty = rows.length === 0;
    this.bar.hidden = model.rows.size === 0 && model.filter === '';
    // Somebody else may have set them: what was remembered, another section.
    for (const [control, value] of [[this.search, model.filter], [this.order, model.sort]] as const) {
      if (control.value !== value) {
        control.value = value;
      }
    }
    this.list.element.hidden = isEmpty;
    if (model.refusal !== null) {
      this.empty.show(model.refusal);
    } else if (!isEmpty) {
      this.empty.hide();
    } else if (model.rows.size > 0) {
      this.empty.show(model.filter.trim() === '' && model.isNarrowed ? trans.__('Nothing here belongs to the notebook in front.') : trans.__('Nothing matches the filter.'));
    } else if (model.loaded) {
      this.empty.show(columns.empty.sentence, columns.empty.code);
    } else {
      this.empty.show(trans.__('Waiting for the server.'));
    }
    this.list.set(rows);
    if (this.selected !== null) {
      const row = model.rows.get(this.selected.key);
      if (row === undefined) {
        this.detail.note(trans.__('This is gone.'));
      } else if (row !== this.selected || columns.isStale?.() === true) {
        this.selected = row;
        columns.detail(row, this.detail);
      }
    }
  }

  badge(): Badge | null {
    const size = this.model.isNarrowed ? this.model.shown.length : this.model.rows.size;
    return size === 0 ? null : { text: formatCount(size), label: String(size), tone: 'plain' };
  }

  dispose(): void {
    this.list.dispose();
  }

  private choose(row: Row | null, how: Selected): void {
    this.columns.select(row);
    if (row === null) {
      this.selected = null;
      this.detail.close();
    } else if (how === 'open' || this.detail.isOpen) {
      this.selected = row;
      this.detail.open(row.key);
      this.columns.detail(row, this.detail);
      this.detail.takeFocus(this.list.element);
    }
  }
}

/** A row of two lines: a name and a number above, words and an age below. */
export class TwoLines {
  readonly element: HTMLElement;
  readonly name = element('span', 'nbc-row-name');
  readonly value = element('span', 'nbc-row-value');
  readonly words = element('span', 'nbc-row-words');
  readonly age = element('span', 'nbc-row-age');
  private readonly upper = element('div', 'nbc-row-line');
  private readonly lower = element('div', 'nbc-row-line');

  /** @param kind - what menus call it */
  constructor(kind: string) {
    this.element = element('div', 'nbc-row');
    this.element.dataset['nbc'] = kind;
    this.upper.append(this.name, this.value);
    this.lower.append(this.words, this.age);
    this.element.append(this.upper, this.lower);
  }

  /** Put something before the name. */
  lead(...nodes: (HTMLElement | SVGElement)[]): void {
    this.upper.prepend(...nodes);
  }

  /** Put something between name and number. */
  amid(...nodes: (HTMLElement | SVGElement)[]): void {
    this.value.before(...nodes);
  }

  show(name: string, value: string, words: string, age: string): void {
    setText(this.name, name);
    setText(this.value, value);
    setText(this.words, words);
    setText(this.age, age);
    if (this.element.title !== `${name}\n${words}`) {
      this.element.title = `${name}\n${words}`;
    }
  }

  set tone(tone: 'plain' | 'quiet' | 'bad') {
    this.element.dataset['tone'] = tone;
  }
}
