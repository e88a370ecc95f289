import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api, Changes, PanelName } from './api';
import { sentence } from './api';
import type { Pace } from './poller';
import { Poller } from './poller';

/** Answers of one refresh: some hundred rows each. */
const MOST_PAGES = 60;

export interface Keyed {
  readonly key: string;
}

/** How a panel can be put in order. */
export interface Order<Row> {
  readonly name: string;
  compare(a: Row, b: Row): number;
}

/** What a section is made of: it asks while it is looked at. */
export interface SectionModel {
  readonly changed: ISignal<unknown, void>;
  start(): void;
  stop(): void;
  dispose(): void;
}

/** The rows of a panel as the server tells them: all of them first, then what has changed. */
export abstract class KeyedModel<Row extends Keyed> implements SectionModel {
  /** All rows, in the order they came. */
  readonly rows = new Map<string, Row>();
  /** Why there is nothing to see, if the server refuses. */
  refusal: string | null = null;
  /** Whether an answer has come. */
  loaded = false;
  time = 0;
  private readonly signal = new Signal<this, void>(this);
  private readonly poller: Poller;
  private stale = true;
  /** As it was typed. */
  private sought = '';
  private narrow: ((row: Row) => boolean) | null = null;
  private order: Order<Row>;
  private sorted: readonly Row[] | null = null;
  private open: Promise<void> | null = null;
  /** After a reset: what was known before and has not been told again. */
  private leftover: Set<string> | null = null;

  constructor(
    protected readonly api: Api,
    private readonly panel: PanelName,
    readonly orders: readonly [Order<Row>, ...Order<Row>[]],
    seconds: () => number,
    pace?: Pace
  ) {
    [this.order] = orders;
    this.poller = new Poller(api.client, () => this.refresh(), seconds, pace);
    // The server remembers what it told this connection; the next one begins with all.
    api.client.watchState(({ status }) => {
      this.stale ||= status !== 'live';
    });
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  get filter(): string {
    return this.sought;
  }

  set filter(sought: string) {
    if (sought !== this.sought) {
      this.sought = sought;
      this.tell();
    }
  }

  /** Show only rows of which this holds; `null`: all. */
  set scope(holds: ((row: Row) => boolean) | null) {
    this.narrow = holds;
    this.tell();
  }

  get isNarrowed(): boolean {
    return this.narrow !== null;
  }

  get sort(): string {
    return this.order.name;
  }

  set sort(name: string) {
    this.order = this.orders.find(order => order.name === name) ?? this.orders[0];
    this.tell();
  }

  /** The rows to show, filtered and in order. */
  get shown(): readonly Row[] {
    if (this.sorted === null) {
      const { narrow } = this;
      const sought = this.sought.trim().toLowerCase();
      this.sorted = [...this.rows.values()]
        .filter(row => (narrow === null || narrow(row)) && (sought === '' || this.words(row).toLowerCase().includes(sought)))
        .sort(this.order.compare);
    }
    return this.sorted;
  }

  start(): void {
    this.poller.start();
  }

  stop(): void {
    this.poller.stop();
  }

  hurry(): void {
    this.poller.hurry();
  }

  /** Ask once. Two at the same time are one. */
  refresh(): Promise<void> {
    this.open ??= this.ask().finally(() => {
      this.open = null;
    });
    return this.open;
  }

  dispose(): void {
    this.poller.dispose();
    Signal.clearData(this);
  }

  /** A row as it was told. */
  protected abstract read(row: readonly unknown[]): Row;

  /** What the filter looks in. */
  protected abstract words(row: Row): string;

  /** All rows are up to date: rates can be computed, where there are any. */
  protected settled?(time: number): void;

  protected forgotten?(key: string): void;

  protected tell(): void {
    this.sorted = null;
    this.signal.emit();
  }

  private async ask(): Promise<void> {
    try {
      for (let page = 0; page < MOST_PAGES; page++) {
        const reset = this.stale;
        this.stale = false;
        if (reset) {
          this.leftover = new Set(this.rows.keys());
        }
        const changes = await this.api.inspect(this.panel, reset);
        this.take(changes);
        if (!changes.more) {
          this.leftover?.forEach(key => {
            this.drop(key);
          });
          this.leftover = null;
          break;
        }
      }
      this.settled?.(this.time);
      this.refusal = null;
    } catch (error) {
      this.stale = true;
      if (this.api.client.state.status !== 'live') {
        return; // The state line says so; what was known stays.
      }
      this.refusal = sentence(error);
    }
    this.tell();
  }

  private take({ time, rows, gone }: Changes): void {
    for (const row of rows) {
      const one = this.read(row);
      this.rows.set(one.key, one);
      this.leftover?.delete(one.key);
    }
    for (const key of gone) {
      this.drop(key);
    }
    this.time = time;
    this.loaded = true;
  }

  private drop(key: string): void {
    this.rows.delete(key);
    this.forgotten?.(key);
  }
}

export function byText<Row>(read: (row: Row) => string): (a: Row, b: Row) => number {
  return (a, b) => {
    const [one, other] = [read(a), read(b)];
    return one < other ? -1 : one > other ? 1 : 0;
  };
}

/** The highest first. */
export function byNumber<Row extends Keyed>(read: (row: Row) => number): (a: Row, b: Row) => number {
  const ties = byText<Row>(row => row.key);
  return (a, b) => read(b) - read(a) || ties(a, b);
}
