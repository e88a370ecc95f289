import { formatTime } from '../format';
import type { Arrival, ViewModel } from '../kind';
import { classify, columnsOf, entriesOf, type Value, X_FIELDS } from '../values';
import type { Options } from './options';
import { MOST_SAMPLES, Track } from './track';

const MOST_TRACKS = 24;
const MOST_NAMED = 50;
const LONGEST_TEXT = 200;

/** The newest values of a group, by field, each with the way it came there. */
export class Readouts implements ViewModel {
  /** In the order of their appearance, or as the options name them. */
  readonly tracks = new Map<string, Track>();
  /** Fields that are not shown, and why. */
  readonly undrawn = new Map<string, string>();
  version = 0;
  messages = 0;
  readonly notice = null;

  constructor(private readonly fields: Options['fields']) {}

  get isEmpty(): boolean {
    return this.tracks.size === 0;
  }

  /** Take in one message. Throws an error in words. */
  take({ content, time }: Arrival): void {
    this.messages += 1;
    this.version += 1;
    const entries = columnsOf(content) ?? entriesOf(content);
    if (entries === null) {
      throw new Error('The message is not a map of fields.');
    }
    for (const [name, value] of entries) {
      if (this.fields === null ? !X_FIELDS.includes(name) : this.fields.includes(name)) {
        this.put(name, classify(value), time);
      }
    }
  }

  interrupt(): void {
    this.version += 1;
    for (const track of this.tracks.values()) {
      track.interrupt();
    }
  }

  clear(): void {
    this.version += 1;
    this.messages = 0;
    this.tracks.clear();
    this.undrawn.clear();
  }

  private put(name: string, value: Value, time: number): void {
    const text = this.textOf(value);
    if (text === null && value.form !== 'number' && value.form !== 'numbers') {
      this.leaveOut(name, value.form === 'other' ? value.what : value.form);
      return;
    }
    const track = this.tracks.get(name) ?? this.add(name, value);
    if (track === null) {
      return;
    }
    track.text = text;
    if (value.form === 'numbers') {
      for (let i = Math.max(0, value.values.length - MOST_SAMPLES); i < value.values.length; i++) {
        track.push(value.values[i] as number, time);
      }
    } else {
      track.push(value.form === 'number' ? value.value : NaN, time);
    }
  }

  /** What is no number is shown only where it was asked for. */
  private textOf(value: Value): string | null {
    if (this.fields === null) {
      return null;
    }
    return value.form === 'text' ? value.value.slice(0, LONGEST_TEXT) : value.form === 'time' ? formatTime(value.value, 3600) : null;
  }

  private add(name: string, value: Value): Track | null {
    // A field that was never anything but missing is not worth a place.
    if (this.fields === null && value.form === 'number' && Number.isNaN(value.value)) {
      return null;
    }
    if (this.tracks.size >= MOST_TRACKS) {
      this.leaveOut(name, `more than ${MOST_TRACKS} values`);
      return null;
    }
    this.undrawn.delete(name);
    const track = new Track();
    this.tracks.set(name, track);
    if (this.fields !== null) {
      const ordered = this.fields.flatMap(field => [[field, this.tracks.get(field)] as const]);
      this.tracks.clear();
      for (const [field, known] of ordered) {
        if (known !== undefined) {
          this.tracks.set(field, known);
        }
      }
    }
    return track;
  }

  private leaveOut(name: string, why: string): void {
    if (!this.tracks.has(name) && (this.undrawn.has(name) || this.undrawn.size < MOST_NAMED)) {
      this.undrawn.set(name, why);
    }
  }
}
