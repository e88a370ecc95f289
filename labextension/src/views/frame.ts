import type { Client, ConnectionState, Disposer } from '../client/types';
import { Chip, describe } from './chip';
import { CopyButton } from './copying';
import { element, IconButton, setText } from './dom';
import { EmptyState } from './empty';
import { Feed } from './feed';
import type { Kind, Presentation } from './kind';
import { Loop } from './loop';
import type { CommonOptions } from './options';
import { needsReread, type Specification } from './specification';
import { Summary } from './summary';
import { readTheme, watchTheme, type Theme } from './theme';

/** Words change no more often than this, in ms. */
const READABLE = 200;

/** What a reader did to a view, kept when its cell is run again. */
interface Remembered {
  paused: boolean | null;
  readonly choices: Map<string, unknown>;
}

const REMEMBERED = new Map<string, Remembered>();

/** What every view has: title, state chip, buttons, notes, pause, a table, the words for who does not see; its kind draws in it. */
export class ViewFrame {
  readonly feed: Feed;
  readonly presentation: Presentation;
  options: CommonOptions;
  private readonly header = element('div', 'nbc-header');
  private readonly title = element('div', 'nbc-title');
  private readonly group = element('div', 'nbc-group');
  private readonly notes = element('div', 'nbc-notes');
  private readonly stage = element('div', 'nbc-stage');
  private readonly chip = new Chip();
  private readonly summary = new Summary();
  private readonly empty: EmptyState;
  private readonly pause = new IconButton('pause', 'Pause', () => this.setPaused(!this.feed.paused, true));
  private readonly switch = new IconButton('table', 'Show as a table', () => this.showTable(!this.presentation.body.hidden));
  private readonly copy: CopyButton;

  private readonly loop: Loop;
  private readonly disposers: Disposer[] = [];
  private readonly remembered: Remembered;
  private readonly words = new Map<string, string>();
  private theme: Theme;
  private connection: ConnectionState;
  private toldAt = 0;
  private later: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly root: HTMLElement,
    private readonly client: Client,
    private readonly specification: Specification,
    private readonly kind: Kind
  ) {
    const { id, group, options } = specification;
    this.options = options;
    this.connection = client.state;
    this.remembered = REMEMBERED.get(id) ?? { paused: null, choices: new Map() };
    REMEMBERED.set(id, this.remembered);
    this.empty = new EmptyState(group, kind.empty);
    this.theme = readTheme(root);
    this.loop = new Loop(root, () => this.draw(), () => this.tell(), width => this.resize(width));
    this.feed = new Feed(client, group, kind, options, () => this.loop.request());
    this.presentation = kind.present({ group, remembered: this.remembered.choices, request: () => this.refresh() });
    this.copy = new CopyButton(() => this.presentation.csv(), sentence => this.note('copy', sentence));
    this.layOut();
    this.showOptions();
  }

  /** Begin to receive and to draw. */
  open(): void {
    this.disposers.push(
      this.client.watchState(state => {
        this.connection = state;
        this.toldAt = 0;
        this.loop.request();
        this.tell();
      }),
      watchTheme(() => this.restyle()),
      this.feed,
      this.loop,
      this.copy
    );
    this.setPaused(this.remembered.paused ?? this.options.paused, false);
    this.loop.start();
    this.feed.open();
  }

  /** Take other options, live. */
  configure(options: CommonOptions): void {
    const before = this.options;
    if (JSON.stringify(before) === JSON.stringify(options)) {
      return;
    }
    this.options = options;
    if (needsReread(this.kind, before, options)) {
      this.feed.reopen(options);
    }
    if (before.paused !== options.paused) {
      this.setPaused(options.paused, false);
    }
    this.showOptions();
    this.loop.request();
  }

  /** Say something above the view, or nothing any more. One sentence for each `topic`. */
  note(topic: string, sentence: string | null): void {
    if ((this.words.get(topic) ?? null) === sentence) {
      return;
    }
    if (sentence === null) {
      this.words.delete(topic);
    } else {
      this.words.set(topic, sentence);
    }
    this.notes.replaceChildren(...[...this.words.values()].map(text => element('div', 'nbc-note', text)));
    this.notes.hidden = this.words.size === 0;
  }

  dispose(): void {
    clearTimeout(this.later);
    for (const disposer of this.disposers) {
      disposer.dispose();
    }
    this.presentation.dispose();
    this.root.replaceChildren();
  }

  private layOut(): void {
    const { body, below, tools, table } = this.presentation;
    const titles = element('div', 'nbc-titles');
    titles.append(this.title, this.group);
    const bar = element('div', 'nbc-tools');
    const switched = table === undefined ? [] : [this.switch.element];
    bar.append(this.chip.element, ...tools.map(tool => tool.element), this.pause.element, ...switched, this.copy.element);
    this.header.append(titles, bar);
    this.notes.setAttribute('role', 'status');
    this.notes.hidden = true;
    this.stage.append(body, this.empty.element);
    if (table !== undefined) {
      table.element.hidden = true;
      this.stage.append(table.element);
    }
    this.root.append(this.header, this.notes, this.stage, ...below, this.summary.element);
  }

  private showOptions(): void {
    const { title, height } = this.options;
    const { group } = this.specification;
    setText(this.title, title ?? group);
    setText(this.group, title === null ? '' : group);
    this.stage.style.minHeight = `${height}px`;
    this.stage.style.setProperty('--nbc-height', `${height}px`);
    this.presentation.configure(this.feed.model, this.options, this.theme);
  }

  private draw(): void {
    const { model } = this.feed;
    this.presentation.configure(model, this.options, this.theme);
    this.empty.show(model);
    this.presentation.body.classList.toggle('nbc-nothing', model.isEmpty);
    this.presentation.draw();
    this.tell();
  }

  /** Bring the words up to date, a few times a second at most; the last ones come late rather than never. */
  private tell(): void {
    const now = Date.now();
    const wait = this.toldAt + READABLE - now;
    if (wait > 0) {
      this.later ??= setTimeout(() => this.tell(), wait);
      return;
    }
    clearTimeout(this.later);
    this.later = undefined;
    this.toldAt = now;
    const { feed, presentation } = this;
    const statistics = this.client.statistics(this.specification.group);
    this.chip.show(
      describe({
        connection: this.connection,
        lag: statistics === null ? 0 : Math.max(0, statistics.top - statistics.delivered),
        gaps: feed.gaps,
        lost: feed.lost,
        paused: feed.paused,
        waiting: feed.waiting,
        ended: feed.stopped,
        silence: feed.lastAt === null ? null : (now - feed.lastAt) / 1000
      })
    );
    const { status, detail } = this.connection;
    this.note('connection', status === 'offline' || status === 'refused' ? detail || 'The server cannot be reached.' : null);
    this.note('ended', feed.stopped);
    this.note('message', feed.problem);
    this.note('model', feed.model.notice);
    presentation.tell();
    if (presentation.table?.element.hidden === false) {
      presentation.table.show();
    }
    this.summary.say(feed.model, now, () => presentation.summary());
  }

  private setPaused(paused: boolean, byReader: boolean): void {
    if (byReader) {
      this.remembered.paused = paused;
    }
    this.feed.paused = paused;
    this.pause.set(paused ? 'play' : 'pause', paused ? 'Go on' : 'Pause', paused);
    this.refresh();
  }

  private showTable(shown: boolean): void {
    const { body, table } = this.presentation;
    if (table !== undefined) {
      table.element.hidden = !shown;
      body.hidden = shown;
      this.switch.set(shown ? 'chart' : 'table', shown ? 'Show as a picture' : 'Show as a table', shown);
      this.refresh();
    }
  }

  private refresh(): void {
    this.toldAt = 0;
    this.loop.request();
  }

  private resize(width: number): void {
    this.presentation.resize?.(width);
    this.loop.request();
  }

  private restyle(): void {
    const theme = readTheme(this.root);
    if (JSON.stringify(theme) !== JSON.stringify(this.theme)) {
      this.theme = theme;
      this.refresh();
    }
  }
}
