import type { Window } from '../checks';
import type { Since } from './options';

/** Samples that are kept of one field. */
export const MOST_SAMPLES = 5000;

/** What a change is counted from. */
export interface Reference {
  readonly value: number;
  readonly time: number;
}

/** The values of one field, the newest last. */
export class Track {
  /** Seconds since 1970, and values (NaN: none), of the samples that are kept. */
  readonly times: number[] = [];
  readonly values: number[] = [];
  /** Indices of samples before which messages are missing. */
  readonly gaps = new Set<number>();
  /** What stands in place of a number. */
  text: string | null = null;
  private first: Reference | null = null;
  private interrupted = false;

  /** NaN: there is none. */
  get latest(): number {
    return this.values[this.values.length - 1] ?? NaN;
  }

  /** When it came, in seconds since 1970. */
  get time(): number {
    return this.times[this.times.length - 1] ?? NaN;
  }

  push(value: number, time: number): void {
    if (this.interrupted && this.values.length > 0) {
      this.gaps.add(this.values.length);
    }
    this.interrupted = false;
    this.times.push(time);
    this.values.push(value);
    if (this.first === null && Number.isFinite(value)) {
      this.first = { value, time };
    }
    if (this.values.length >= 2 * MOST_SAMPLES) {
      this.forget(this.values.length - MOST_SAMPLES);
    }
  }

  /** Messages are missing here. */
  interrupt(): void {
    this.interrupted = true;
  }

  /** What the newest value is compared with; null: nothing came before it. */
  reference(since: Since): Reference | null {
    const newest = this.values.length - 1;
    if (newest < 1) {
      return null;
    }
    if (since === 'first') {
      return this.first;
    }
    const until = since === 'previous' ? Infinity : this.time - since.seconds;
    let earliest: Reference | null = null;
    for (let i = newest - 1; i >= 0; i--) {
      const value = this.values[i] as number;
      const time = this.times[i] as number;
      if (Number.isFinite(value)) {
        earliest = { value, time };
        if (time <= until) {
          return earliest;
        }
      }
    }
    return earliest;
  }

  /** Index of the first sample within the window. */
  startOf(window: Window | null): number {
    const { length } = this.values;
    const bound = Math.max(0, length - MOST_SAMPLES);
    if (window === null) {
      return bound;
    }
    if ('points' in window) {
      return Math.max(bound, length - window.points);
    }
    const from = this.time - window.seconds;
    let start = length;
    while (start > bound && (this.times[start - 1] as number) >= from) {
      start -= 1;
    }
    return start;
  }

  private forget(count: number): void {
    this.times.splice(0, count);
    this.values.splice(0, count);
    const kept = [...this.gaps].filter(index => index > count);
    this.gaps.clear();
    for (const index of kept) {
      this.gaps.add(index - count);
    }
  }
}
