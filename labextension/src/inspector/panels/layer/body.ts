import { element, setText } from '../../../views/dom';
import { formatCount } from '../../../views/format';
import type { Context } from '../../context';
import { EmptyNote } from '../../parts/empty';
import { formatRate, formatSize, formatSpan } from '../../parts/format';
import { Sparkline } from '../../parts/spark';
import type { Body } from '../../section';
import type { LayerModel } from './model';

interface Meter {
  readonly label: string;
  readonly used: number;
  readonly limit: number;
  words(value: number): string;
}

/** What the layer is, how fast it answers, how full it is, and what it had to drop. */
export class LayerBody implements Body {
  readonly element = element('div', 'nbc-panel nbc-layer');
  private readonly empty: EmptyNote;
  private readonly head = element('div', 'nbc-layer-head');
  private readonly what = element('span', 'nbc-row-name');
  private readonly rate = element('span', 'nbc-row-value');
  private readonly backend = element('div', 'nbc-row-words nbc-backend');
  private readonly spark = new Sparkline();
  private readonly facts = element('dl', 'nbc-facts');
  private readonly meters = element('div', 'nbc-meters');
  private readonly bars = new Map<string, { readonly words: HTMLElement; readonly bar: HTMLElement; readonly meter: HTMLElement }>();

  constructor(
    private readonly context: Context,
    private readonly model: LayerModel
  ) {
    this.empty = new EmptyNote(context);
    // It scrolls, also by keyboard.
    this.element.tabIndex = 0;
    this.element.setAttribute('role', 'group');
    this.element.setAttribute('aria-label', context.trans.__('Channel layer'));
    this.head.append(this.what, this.spark.element, this.rate);
    this.element.append(this.empty.element, this.head, this.backend, this.meters, this.facts);
  }

  update(): void {
    const { trans } = this.context;
    const { facts, refusal, rate } = this.model;
    for (const node of [this.head, this.backend, this.meters, this.facts]) {
      node.hidden = facts === null;
    }
    if (facts === null) {
      this.empty.show(refusal ?? trans.__('Waiting for the server.'));
      return;
    }
    this.empty.hide();
    const { statistics, capacity } = facts;
    const of = (name: string): number => statistics[name] ?? 0;
    setText(this.what, facts.alias);
    const place = facts.shared ? `${facts.backend} · ${facts.where}` : facts.backend;
    setText(this.backend, facts.trouble === '' ? place : `${place}: ${facts.trouble}`);
    this.backend.dataset['tone'] = facts.trouble === '' ? 'plain' : 'bad';
    setText(this.rate, formatRate(rate?.now ?? 0));
    this.spark.show(rate?.points() ?? []);
    this.measure([
      { label: trans.__('History'), used: of('history_bytes'), limit: capacity['total_history_bytes'] ?? 0, words: formatSize },
      { label: trans.__('Waiting'), used: of('waiting_bytes'), limit: capacity['mailbox_bytes'] ?? 0, words: formatSize },
      { label: facts.shared ? trans.__('Groups, all servers') : trans.__('Groups'), used: of('groups'), limit: facts.shared ? 0 : capacity['groups'] ?? 0, words: formatCount },
      { label: facts.shared ? trans.__('Channels, all servers') : trans.__('Channels'), used: of('channels'), limit: facts.shared ? 0 : capacity['channels'] ?? 0, words: formatCount }
    ]);
    const rows: (readonly [string, string, boolean])[] = [
      [trans.__('Round trip'), formatSpan(facts.roundTrip), facts.roundTrip > 0.5],
      [trans.__('Server is late'), formatSpan(facts.loopDelay), facts.loopDelay > 0.1],
      [trans.__('Sent to groups'), formatCount(of('group_sent')), false],
      [trans.__('Sent to channels'), formatCount(of('sent')), false],
      [trans.__('Dropped'), formatCount(of('dropped')), of('dropped') > 0],
      [trans.__('Expired'), formatCount(of('expired')), of('expired') > 0],
      [trans.__('Refused'), formatCount(of('refused')), of('refused') > 0],
      [facts.shared ? trans.__('Dead letters, all servers') : trans.__('Dead letters'), formatCount(of('dead')), of('dead') > 0],
      [trans.__('Connections'), formatCount(facts.connections), false],
      [trans.__('Up for'), formatSpan(facts.uptime), false],
      [trans.__('Version'), facts.version, false]
    ];
    const nodes: HTMLElement[] = [];
    for (const [name, value, isBad] of rows) {
      if (value !== '') {
        nodes.push(element('dt', '', name), element('dd', isBad ? 'nbc-number nbc-bad' : 'nbc-number', value));
      }
    }
    this.facts.replaceChildren(...nodes);
  }

  dispose(): void {
    // Nothing goes on here by itself.
  }

  private measure(meters: readonly Meter[]): void {
    for (const { label, used, limit, words } of meters) {
      let row = this.bars.get(label);
      if (row === undefined) {
        const root = element('div', 'nbc-capacity');
        const text = element('span', 'nbc-number');
        const meter = element('div', 'nbc-meter');
        const bar = element('div', 'nbc-meter-bar');
        meter.append(bar);
        meter.setAttribute('role', 'meter');
        meter.setAttribute('aria-label', label);
        meter.setAttribute('aria-valuemin', '0');
        root.append(element('span', '', label), text, meter);
        this.meters.append(root);
        row = { words: text, bar, meter };
        this.bars.set(label, row);
      }
      const full = limit > 0 ? Math.min(1, used / limit) : 0;
      setText(row.words, limit > 0 ? `${words(used)} / ${words(limit)}` : words(used));
      row.bar.style.width = `${(full * 100).toFixed(1)}%`;
      row.bar.dataset['tone'] = full > 0.8 ? 'bad' : 'plain';
      row.meter.setAttribute('aria-valuemax', String(limit));
      row.meter.setAttribute('aria-valuenow', String(used));
    }
  }
}
