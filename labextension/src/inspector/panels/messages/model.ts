import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api, TailFilter, TailRow, WholeMessage } from '../../api';
import { sentence } from '../../api';
import type { SectionModel } from '../../keyed';
import type { Pace } from '../../poller';
import { Poller } from '../../poller';
import { redacted } from '../../redact';
import type { Settings } from '../../settings';

/** Seconds between two looks: the most that the server allows. */
const INTERVAL = 0.5;
/** While paused the server keeps them for ten seconds at a time. */
const RENEWAL = 4;
/** Messages of one answer. */
const LIMIT = 50;
/** Seconds for which the server goes on recording when nobody looks. */
const KEPT = 9;

export const NO_FILTER: TailFilter = { name: '', text: '', sender: null, least: null, kind: null };

/** The newest messages of all groups and channels, newest first. Sampled: what was left out is counted. */
export class MessagesModel implements SectionModel {
  rows: readonly TailRow[] = [];
  /** Show only messages of which this holds; `null`: all. */
  private narrow: ((row: TailRow) => boolean) | null = null;
  /** Messages that matched and are not in the list. */
  missed = 0;
  /** For so many seconds nobody looked, and what went by then is not in the list. */
  unwatched: number | null = null;
  refusal: string | null = null;
  private stopped: number | null = null;
  private wanted = NO_FILTER;
  private after = 0;
  private isPaused = false;
  private generation = 0;
  private begun = false;
  private readonly signal = new Signal<this, void>(this);
  private readonly poller: Poller;

  constructor(
    private readonly api: Api,
    private readonly settings: Settings,
    pace?: Pace,
    private readonly clock: () => number = () => performance.now() / 1000
  ) {
    this.poller = new Poller(api.client, () => this.ask(), () => (this.isPaused ? RENEWAL : INTERVAL), pace);
    settings.changed.connect(this.redact, this);
    api.client.watchState(({ status }) => {
      // Another server counts its messages anew.
      this.begun &&= status === 'live';
    });
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  get shown(): readonly TailRow[] {
    const { narrow } = this;
    return narrow === null ? this.rows : this.rows.filter(narrow);
  }

  get isNarrowed(): boolean {
    return this.narrow !== null;
  }

  set scope(holds: ((row: TailRow) => boolean) | null) {
    this.narrow = holds;
    this.signal.emit();
  }

  get filter(): TailFilter {
    return this.wanted;
  }

  /** Begin anew with what the server still has. */
  set filter(filter: TailFilter) {
    this.wanted = filter;
    this.clear();
    this.after = 0;
    this.poller.hurry();
  }

  get paused(): boolean {
    return this.isPaused;
  }

  set paused(paused: boolean) {
    this.isPaused = paused;
    this.signal.emit();
    if (!paused) {
      this.poller.hurry();
    }
  }

  start(): void {
    if (!this.poller.isOn && this.stopped !== null) {
      const seconds = this.clock() - this.stopped;
      this.unwatched = seconds > KEPT && this.rows.length > 0 ? seconds : null;
    }
    this.poller.start();
  }

  stop(): void {
    if (this.poller.isOn) {
      this.stopped = this.clock();
    }
    this.poller.stop();
  }

  /** Empty the list; what comes from now on is shown. */
  clear(): void {
    this.generation += 1;
    this.rows = [];
    this.missed = 0;
    this.unwatched = null;
    this.signal.emit();
  }

  dispose(): void {
    this.poller.dispose();
    this.settings.changed.disconnect(this.redact, this);
    Signal.clearData(this);
  }

  /** One message in full, without what is to be hidden. */
  async whole(row: TailRow): Promise<WholeMessage> {
    return redacted(this.settings.redaction, await this.api.message(row));
  }

  private redact(): void {
    this.rows = this.rows.map(row => this.veiled(row));
    this.signal.emit();
  }

  private veiled(row: TailRow): TailRow {
    return this.settings.redaction.isOff ? row : { ...row, preview: this.settings.redaction.apply(row.preview) };
  }

  private async ask(): Promise<void> {
    const { generation } = this;
    try {
      if (!this.begun || this.isPaused) {
        this.restarted(await this.api.startTail());
        this.begun = true;
      }
      if (!this.isPaused) {
        const { top, missed, rows } = await this.api.tail(this.after, LIMIT, this.wanted);
        if (generation === this.generation) {
          this.take(top, missed, rows);
        }
      }
      this.refusal = null;
    } catch (error) {
      if (this.api.client.state.status !== 'live') {
        return;
      }
      this.refusal = sentence(error);
    }
    this.signal.emit();
  }

  /** The server counts anew: what was seen is of another one. */
  private restarted(top: number): void {
    if (top < this.after) {
      this.after = 0;
    }
  }

  private take(top: number, missed: number, rows: readonly TailRow[]): void {
    // What was there before anyone looked is not missed.
    this.missed += this.after === 0 ? 0 : missed;
    this.after = top;
    const known = new Set(this.rows.slice(0, LIMIT * 2).map(({ key }) => key));
    const fresh = rows.filter(({ key }) => !known.has(key)).map(row => this.veiled(row)).reverse();
    if (fresh.length > 0) {
      this.rows = [...fresh, ...this.rows].slice(0, this.settings.messages);
    }
  }
}
