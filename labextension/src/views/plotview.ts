import type { Client, ConnectionState, Disposer } from '../client/types';
import { Chip, describe } from './chip';
import { element, IconButton, setText } from './dom';
import { EmptyState } from './empty';
import { Feed } from './feed';
import { Legend, type LegendContent } from './legend';
import { Loop } from './loop';
import { drawPicture, saveAs } from './picture';
import type { Pointed } from './cursor';
import { Plot } from './plot';
import { needsReread, type Options, type Specification } from './specification';
import { Summary } from './summary';
import { TableView } from './table';
import { dashOf, readTheme, watchTheme, type Theme } from './theme';

/** Words change no more often than this, in ms. */
const READABLE = 200;

/** What a reader did to a view, kept when its cell is run again. */
interface Remembered {
  paused: boolean | null;
  hidden: ReadonlySet<string>;
}

const REMEMBERED = new Map<string, Remembered>();

/** A live plot with its header, legend and table. */
export class PlotView {
  private readonly header = element('div', 'nbc-header');
  private readonly title = element('div', 'nbc-title');
  private readonly group = element('div', 'nbc-group');
  private readonly notes = element('div', 'nbc-notes');
  private readonly stage = element('div', 'nbc-stage');
  private readonly figure = element('div', 'nbc-figure');
  private readonly chip = new Chip();
  private readonly legend = new Legend(name => this.toggle(name));
  private readonly summary = new Summary();
  private readonly empty: EmptyState;
  private readonly table: TableView;
  private readonly pause = new IconButton('pause', 'Pause', () => this.setPaused(!this.feed.paused, true));
  private readonly switch = new IconButton('table', 'Show as a table', () => this.showTable(this.table.element.hidden));
  private readonly save = new IconButton('save', 'Save as PNG', () => void this.savePicture());
  private readonly reset = new IconButton('reset', 'Show everything again', () => this.zoom());

  private readonly feed: Feed;
  private readonly plot: Plot;
  private readonly loop: Loop;
  private readonly disposers: Disposer[] = [];
  private readonly remembered: Remembered;
  private readonly words = new Map<string, string>();
  private options: Options;
  private theme: Theme;
  private connection: ConnectionState;
  private pointed: Pointed | null = null;
  private toldAt = 0;
  private later: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly root: HTMLElement,
    private readonly client: Client,
    private readonly specification: Specification
  ) {
    const { id, group, options } = specification;
    this.options = options;
    this.connection = client.state;
    this.remembered = REMEMBERED.get(id) ?? { paused: null, hidden: new Set() };
    REMEMBERED.set(id, this.remembered);
    this.empty = new EmptyState(group);
    this.table = new TableView(options.title ?? group);
    this.layOut();
    this.theme = readTheme(root);
    this.loop = new Loop(root, () => this.draw(), () => this.tell(), width => this.resize(width));
    this.feed = new Feed(client, group, options, () => this.loop.request());
    this.plot = new Plot(this.figure, this.feed.model, options, this.theme);
    this.plot.hidden = this.remembered.hidden;
    this.plot.onPoint = pointed => this.point(pointed);
    this.plot.onZoom = this.plot.onMove = () => this.loop.request();
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
      this.loop
    );
    this.setPaused(this.remembered.paused ?? this.options.paused, false);
    this.loop.start();
    this.feed.open();
  }

  /** Take other options, live. */
  configure(options: Options): void {
    const before = this.options;
    if (JSON.stringify(before) === JSON.stringify(options)) {
      return;
    }
    this.options = options;
    if (needsReread(before, options)) {
      this.feed.reopen(options);
    }
    if (before.paused !== options.paused) {
      this.setPaused(options.paused, false);
    }
    this.showOptions();
    this.loop.request();
  }

  /** Say something above the plot, or nothing any more. One sentence for each `topic`. */
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
    this.plot.dispose();
    this.root.replaceChildren();
  }

  private layOut(): void {
    const titles = element('div', 'nbc-titles');
    titles.append(this.title, this.group);
    const tools = element('div', 'nbc-tools');
    tools.append(this.chip.element, this.reset.element, this.pause.element, this.switch.element, this.save.element);
    this.header.append(titles, tools);
    this.figure.setAttribute('role', 'figure');
    this.notes.setAttribute('role', 'status');
    this.notes.hidden = this.table.element.hidden = this.reset.element.hidden = true;
    this.stage.append(this.figure, this.empty.element, this.table.element);
    this.root.append(this.header, this.notes, this.stage, this.legend.element, this.summary.element);
  }

  private showOptions(): void {
    const { title, height, line } = this.options;
    const { group } = this.specification;
    setText(this.title, title ?? group);
    setText(this.group, title === null ? '' : group);
    this.figure.setAttribute('aria-label', `Live ${line} plot of group ${group}${title === null ? '' : `: ${title}`}. A table view is at the button "Show as a table".`);
    this.stage.style.minHeight = `${height}px`;
    this.stage.style.setProperty('--nbc-height', `${height}px`);
    this.plot.configure(this.feed.model, this.options, this.theme);
  }

  private draw(): void {
    const { model } = this.feed;
    this.plot.configure(model, this.options, this.theme);
    this.empty.show(model);
    this.figure.classList.toggle('nbc-nothing', model.isEmpty);
    if (!model.isEmpty) {
      this.plot.draw();
    }
    this.reset.element.hidden = this.plot.zoom === null;
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
    const { feed } = this;
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
    this.legend.show(this.legendContent());
    if (!this.table.element.hidden) {
      this.table.show(feed.model);
    }
    this.summary.say(this.specification.group, feed.model, now);
  }

  private legendContent(): LegendContent {
    const { model } = this.feed;
    const { hidden } = this.remembered;
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
    const hidden = new Set(this.remembered.hidden);
    if (!hidden.delete(name)) {
      hidden.add(name);
    }
    this.remembered.hidden = this.plot.hidden = hidden;
    this.refresh();
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
    this.table.element.hidden = !shown;
    this.figure.hidden = shown;
    this.switch.set(shown ? 'chart' : 'table', shown ? 'Show as a plot' : 'Show as a table', shown);
    this.refresh();
  }

  private zoom(): void {
    this.plot.zoom = null;
    this.refresh();
  }

  private point(pointed: Pointed | null): void {
    this.pointed = pointed;
    this.legend.show(this.legendContent());
  }

  private refresh(): void {
    this.toldAt = 0;
    this.loop.request();
  }

  private resize(width: number): void {
    this.plot.resize(width);
    this.loop.request();
  }

  private restyle(): void {
    const theme = readTheme(this.root);
    if (JSON.stringify(theme) !== JSON.stringify(this.theme)) {
      this.theme = theme;
      this.refresh();
    }
  }

  private async savePicture(): Promise<void> {
    const { canvas } = this.plot;
    if (canvas === null) {
      return;
    }
    const name = this.options.title ?? this.specification.group;
    const picture = await drawPicture(canvas, name, this.legendContent(), this.theme);
    if (picture !== null) {
      saveAs(picture, name);
    }
  }
}
