import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Announcements } from '../../announcements';
import type { Api, DeadLetter, Diagnosis } from '../../api';
import { sentence } from '../../api';
import type { SectionModel } from '../../keyed';
import type { Pace } from '../../poller';
import { Poller } from '../../poller';

/** Seconds between two looks while the section is open: the server tells when something has come. */
const SLOWER = 10;
/** If it does not tell. */
const UNTOLD = 3;

/** Dead letters in the list: the server sends no more at once. */
const MOST_LETTERS = 20;

export type Problem =
  | { readonly key: string; readonly kind: 'dead'; readonly time: number; readonly letter: DeadLetter }
  | { readonly key: string; readonly kind: 'diagnosis'; readonly time: number; readonly diagnosis: Diagnosis };

/** Dead letters and diagnoses, newest first. */
export class ProblemsModel implements SectionModel {
  problems: readonly Problem[] = [];
  refusal: string | null = null;
  loaded = false;
  /** How many there are in the list, if it has all and is newer than what was announced. */
  private counted: number | null = null;
  private readonly signal = new Signal<this, void>(this);
  private readonly poller: Poller;

  constructor(
    private readonly api: Api,
    private readonly announcements: Announcements,
    seconds: () => number,
    pace?: Pace
  ) {
    this.poller = new Poller(api.client, () => this.ask(), () => Math.max(announcements.told ? SLOWER : UNTOLD, seconds()), pace);
    announcements.changed.connect(this.hear, this);
  }

  /** How many there are, whether anyone looks or not. */
  get count(): number {
    return this.counted ?? (this.announcements.told ? this.announcements.problems : this.problems.length);
  }

  get changed(): ISignal<this, void> {
    return this.signal;
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

  dispose(): void {
    this.poller.dispose();
    this.announcements.changed.disconnect(this.hear, this);
    Signal.clearData(this);
  }

  private hear(): void {
    this.counted = null;
    // What is closed asks when it is opened.
    if (this.poller.isOn) {
      this.poller.hurry();
    }
    this.signal.emit();
  }

  private async ask(): Promise<void> {
    try {
      const diagnoses = await this.api.diagnoses();
      const letters = await this.api.deadLetters(MOST_LETTERS);
      this.problems = [
        ...letters.map(letter => ({ key: `dead ${letter.number}`, kind: 'dead', time: letter.time, letter }) as const),
        ...diagnoses.map(
          diagnosis => ({ key: `diagnosis ${diagnosis.number}`, kind: 'diagnosis', time: diagnosis.time, diagnosis }) as const
        )
      ].sort((a, b) => b.time - a.time);
      this.counted = letters.length < MOST_LETTERS ? this.problems.length : null;
      this.loaded = true;
      this.refusal = null;
    } catch (error) {
      if (this.api.client.state.status !== 'live') {
        return;
      }
      this.refusal = sentence(error);
    }
    this.signal.emit();
  }
}
