import { element, setText } from '../../../views/dom';
import { formatCount } from '../../../views/format';
import type { TailFilter, TailRow, WholeMessage } from '../../api';
import { sentence } from '../../api';
import type { Context } from '../../context';
import { COMMANDS } from '../../context';
import { contentNodes } from '../../parts/content';
import { Detail } from '../../parts/detail';
import { EmptyNote } from '../../parts/empty';
import { formatClock, formatMoment, formatSize, formatSpan } from '../../parts/format';
import type { Selected } from '../../parts/list';
import { VirtualList } from '../../parts/list';
import { TwoLines } from '../../parts/listbody';
import { inline } from '../../parts/tree';
import type { Body } from '../../section';
import type { MessagesModel } from './model';

/** Milliseconds after the last key until a filter is applied. */
const PATIENCE = 250;

/** The messages as they come, filters above, the selected one below. */
export class MessagesBody implements Body {
  readonly element = element('div', 'nbc-panel');
  private readonly list: VirtualList<TailRow>;
  private readonly empty: EmptyNote;
  private readonly detail: Detail;
  private readonly state = element('div', 'nbc-status');
  private readonly name: HTMLInputElement;
  private readonly text: HTMLInputElement;
  private readonly least: HTMLInputElement;
  private readonly sender: HTMLInputElement;
  private readonly kind = element('select', 'nbc-order');
  private readonly more = element('div', 'nbc-bar');
  private timer: ReturnType<typeof setTimeout> | undefined;
  private chosen: string | null = null;

  constructor(
    private readonly context: Context,
    private readonly model: MessagesModel
  ) {
    const { trans } = context;
    this.list = new VirtualList<TailRow>({
      label: trans.__('Messages'),
      height: 40,
      make: () => this.row(),
      selected: (row, how) => {
        void this.choose(row, how);
      }
    });
    this.detail = new Detail(trans.__('Message'), trans.__('Close the message'), () => {
      this.list.select(null);
      this.list.element.focus();
    });
    this.empty = new EmptyNote(context);
    this.name = this.input('nbc-search', trans.__('Name, *'), trans.__('Only groups and channels whose name matches, like sensor.*'));
    this.text = this.input('nbc-search', trans.__('Text'), trans.__('Only messages that contain this text'));
    this.least = this.input('nbc-search nbc-small', trans.__('Bytes ≥'), trans.__('Only messages of at least so many bytes'));
    this.sender = this.input('nbc-search nbc-small', trans.__('Sender'), trans.__('Only messages of the connection with this number'));
    for (const one of [this.least, this.sender]) {
      one.inputMode = 'numeric';
    }
    this.kind.setAttribute('aria-label', trans.__('Groups or channels'));
    for (const [value, label] of [['', trans.__('all')], ['group', trans.__('groups')], ['channel', trans.__('channels')]] as const) {
      const option = element('option', '', label);
      option.value = value;
      this.kind.append(option);
    }
    this.kind.addEventListener('change', () => {
      this.filter();
    });
    const bar = element('div', 'nbc-bar');
    bar.append(this.name, this.text);
    this.more.append(this.kind, this.least, this.sender);
    this.more.hidden = true;
    this.state.setAttribute('role', 'status');
    const split = element('div', 'nbc-split');
    split.append(this.list.element, this.empty.element, this.detail.element);
    this.element.append(bar, this.more, this.state, split);
  }

  /** Whether the filters that are used seldom are shown. */
  get showsMore(): boolean {
    return !this.more.hidden;
  }

  set showsMore(shows: boolean) {
    this.more.hidden = !shows;
  }

  /** Put a filter into the fields, and apply it. */
  arrange({ name, text, least, kind }: TailFilter): void {
    this.name.value = name;
    this.text.value = text;
    this.least.value = least === null ? '' : String(least);
    this.kind.value = kind ?? '';
    this.filter();
  }

  /** Show what goes to this group or channel. */
  seek(name: string): void {
    this.name.value = name;
    this.filter();
  }

  update(): void {
    const { model, context } = this;
    const { trans } = context;
    const rows = model.shown;
    const filtered = Object.values(model.filter).some(one => one !== null && one !== '');
    this.list.set(rows);
    this.list.element.hidden = rows.length === 0;
    if (model.refusal !== null) {
      this.empty.show(model.refusal);
    } else if (rows.length > 0) {
      this.empty.hide();
    } else if (model.isNarrowed) {
      this.empty.show(trans.__('No message of the notebook in front has come yet.'));
    } else if (filtered) {
      this.empty.show(trans.__('No message has matched yet.'));
    } else {
      this.empty.show(trans.__('Messages show up here as they are sent:'), 'nb.Group("hello").send({"y": 1})');
    }
    const parts = [
      ...(model.paused ? [trans.__('Paused.')] : []),
      ...(model.missed > 0 ? [trans.__('A sample: %1 more went by.', formatCount(model.missed))] : []),
      ...(model.unwatched !== null ? [trans.__('Nobody looked for %1; what went by then is not in the list.', formatSpan(model.unwatched))] : [])
    ];
    setText(this.state, parts.join(' '));
    this.state.hidden = parts.length === 0;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.list.dispose();
  }

  private row(): { element: HTMLElement; show(row: TailRow): void } {
    const lines = new TwoLines('message');
    const kind = element('span', 'nbc-arrow', '→');
    const time = element('span', 'nbc-time');
    lines.lead(time, kind);
    lines.words.classList.add('nbc-preview');
    kind.title = this.context.trans.__('channel');
    kind.setAttribute('role', 'img');
    kind.setAttribute('aria-label', kind.title);
    return {
      element: lines.element,
      show: row => {
        setText(time, formatClock(row.time));
        kind.hidden = row.kind === 'group';
        const preview = row.omitted ?? (row.preview === null || row.preview === undefined ? row.codec : inline(row.preview));
        lines.show(row.name, formatSize(row.size), preview, '');
      }
    };
  }

  private input(className: string, placeholder: string, label: string): HTMLInputElement {
    const made = element('input', className);
    made.type = 'search';
    made.placeholder = placeholder;
    made.title = label;
    made.setAttribute('aria-label', label);
    made.addEventListener('input', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.filter();
      }, PATIENCE);
    });
    return made;
  }

  private filter(): void {
    clearTimeout(this.timer);
    const kind = this.kind.value;
    this.list.select(null);
    this.model.filter = {
      name: this.name.value.trim(),
      text: this.text.value,
      sender: whole(this.sender),
      least: whole(this.least),
      kind: kind === 'group' || kind === 'channel' ? kind : null
    };
  }

  private content(told: WholeMessage): void {
    this.detail.content.replaceChildren(...contentNodes(this.context.trans, this.context.copy, told));
  }

  private async choose(row: TailRow | null, how: Selected): Promise<void> {
    const { trans, selection, run, api } = this.context;
    selection.target = row === null ? null : { kind: 'message', row };
    if (row === null) {
      this.chosen = null;
      this.detail.close();
      return;
    }
    const { detail } = this;
    if (how === 'point' && !detail.isOpen) {
      return;
    }
    this.chosen = row.key;
    detail.open(row.name);
    detail.takeFocus(this.list.element);
    detail.act([
      { label: trans.__('Copy'), title: trans.__('Copy the message as JSON'), run: () => { run(COMMANDS.copyMessage); } },
      { label: trans.__('Send again'), title: trans.__('Send the same message once more'), run: () => { run(COMMANDS.sendAgain); } },
      { label: trans.__('Edit…'), title: trans.__('Change the message and send it'), run: () => { run(COMMANDS.edit); } },
      { label: trans.__('Python'), title: trans.__('Copy as Python that sends it'), run: () => { run(COMMANDS.copyPython); } },
      { label: trans.__('curl'), title: trans.__('Copy as curl that sends it'), run: () => { run(COMMANDS.copyCurl); } }
    ]);
    detail.tell([
      [row.kind === 'group' ? trans.__('Group') : trans.__('Channel'), row.offset === null ? row.name : `${row.name} #${row.offset}`],
      [trans.__('Time'), formatMoment(row.time)],
      [trans.__('Sender'), row.sender === 0 ? trans.__('the server') : trans.__('connection %1', row.sender)],
      [trans.__('Size'), `${formatSize(row.size)} · ${row.codec}`]
    ]);
    try {
      const told = await this.model.whole(row);
      if (this.chosen === row.key) {
        this.content(told);
      }
    } catch (error) {
      if (this.chosen === row.key) {
        const omitted = api.client.state.status === 'live' ? trans.__('Only its beginning is left: %1', sentence(error)) : trans.__('Only its beginning: there is no connection.');
        this.content({ message: row.preview, omitted, hex: '' });
      }
    }
  }
}

function whole(input: HTMLInputElement): number | null {
  const value = Number(input.value);
  const isGood = input.value.trim() === '' || (Number.isInteger(value) && value >= 0);
  input.setAttribute('aria-invalid', String(!isGood));
  return input.value.trim() === '' || !isGood ? null : value;
}
