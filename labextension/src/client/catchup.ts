/**
 * How a listener that wants the past reaches the live stream: pages of `call read`, one at a time, until its cursor is where the wire is.
 *
 * Nothing but the cursor is kept between two pages, so a lost connection or a new epoch needs no special care:
 * the next page says what became of the position that was asked for.
 */

import type { Standing } from '../protocol/controls';
import { Message } from '../protocol/events';
import type { WireError } from '../protocol/events';
import type { DataRecord } from '../protocol/records';
import type { Cursor, Reader } from './reader';

/** Entries of one page, the most that the protocol allows. */
const PAGE = 256;
/** Live messages kept while someone catches up, so that a fast stream can be reached at all: see `join`. */
const RECENT = 2048;
const RECENT_BYTES = 8 * 1024 * 1024;
/** Seconds until a page is asked for again after a temporary error. */
const RETRY = 1;
/** Empty pages in a row after which a listener waits for a sign of life. */
const ENOUGH_EMPTY = 3;

/** What answers `call read`. */
export interface PageHandler {
  page(standing: Standing, entries: readonly DataRecord[]): void;
  failed(error: WireError): void;
}

/** The group whose past is read. */
export interface Scene {
  readonly group: string;
  /** Where the wire is; `null` while the subscription does not stand on this connection. */
  readonly place: { readonly epoch: string; readonly offset: number } | null;
  /** Newest offset known. */
  readonly top: number;
  readonly readers: readonly Reader[];
  own(sender: number): boolean;
  read(request: Readonly<Record<string, unknown>>, handler: PageHandler): void;
  after(seconds: number, callback: () => void): void;
  /** The server will not let this one read. */
  refused(reader: Reader, error: WireError): void;
}

export class CatchUp {
  /** The newest live messages without a hole, while someone catches up. */
  private recent: Message[] = [];
  private recentBytes = 0;

  constructor(private readonly scene: Scene) {}

  /** Live messages have come; `catching`: someone is not there yet. */
  messages(batch: readonly Message[], catching: boolean): void {
    if (catching) {
      this.remember(batch);
      this.wakeParked();
    } else if (this.recent.length > 0) {
      this.forget();
    }
  }

  /** The live stream was interrupted. */
  interrupted(): void {
    this.forget();
    this.wakeParked();
  }

  /** Go on: join the live stream if it is reached, else ask for a page. */
  proceed(reader: Reader): void {
    if (reader.phase !== 'reading' || reader.asking || this.scene.place === null || this.join(reader)) {
      return;
    }
    reader.asking = true;
    reader.parked = false;
    const { cursor, options } = reader;
    const { since } = options;
    const from = cursor === null ? { since } : { position: { ...cursor } };
    const limit = cursor === null && typeof since === 'object' ? Math.max(1, Math.min(PAGE, since.last)) : PAGE;
    this.scene.read({ group: this.scene.group, ...from, limit }, {
      page: (standing, entries) => {
        reader.asking = false;
        if (reader.phase === 'reading') {
          this.page(reader, standing, entries);
        }
      },
      failed: error => {
        reader.asking = false;
        this.failed(reader, error);
      }
    });
  }

  private page(reader: Reader, standing: Standing, entries: readonly DataRecord[]): void {
    const { epoch, offset, tag } = standing;
    let cursor = reader.cursor;
    let recovered = true;
    let news = entries.length > 0;
    if (cursor === null) {
      cursor = reader.cursor = { epoch, offset, tag };
    } else if (epoch !== cursor.epoch || (!standing.recovered && (standing.reason === 'tag' || offset > cursor.offset))) {
      const before = cursor;
      cursor = reader.cursor = { epoch, offset, tag };
      recovered = false;
      news = true;
      if (epoch !== before.epoch) {
        reader.epoch(standing.cleared);
      } else {
        reader.gap(standing.reason ?? 'trimmed', standing.reason === 'tag' ? null : offset - before.offset);
      }
    }
    if (reader.announce) {
      reader.announce = false;
      reader.subscribed(epoch, standing.top, recovered);
    }
    this.handEntries(reader, cursor, entries);
    reader.empty = news ? 0 : reader.empty + 1;
    if (this.join(reader)) {
      return;
    }
    if (!news && (this.scene.place?.epoch !== epoch || reader.empty >= ENOUGH_EMPTY)) {
      // All is read, and the live stream has not come here yet: it will tell before it brings anything.
      reader.parked = true;
      return;
    }
    this.proceed(reader);
  }

  private handEntries(reader: Reader, cursor: Cursor, entries: readonly DataRecord[]): void {
    let batch: Message[] = [];
    const flush = (): void => {
      if (batch.length > 0) {
        reader.messages(batch);
        batch = [];
      }
    };
    for (const record of entries) {
      const missing = record.sequence - cursor.offset - 1;
      if (missing < 0) {
        continue;
      }
      if (missing > 0) {
        flush();
        reader.gap('trimmed', missing);
      }
      batch.push(new Message(this.scene.group, cursor.epoch, this.scene.own(record.sender), record));
      cursor.offset = record.sequence;
      cursor.tag = record.tag;
    }
    flush();
  }

  /**
   * Go live if the cursor has reached the live stream, or what lies between is still in `recent`. Without that, a stream
   * that brings more than a page in the time of a page would never be reached.
   */
  private join(reader: Reader): boolean {
    const { cursor } = reader;
    const { place: live, readers } = this.scene;
    if (reader.phase !== 'reading' || cursor === null || live === null || cursor.epoch !== live.epoch) {
      return false;
    }
    if (cursor.offset < live.offset) {
      const oldest = this.recent[0];
      const newest = this.recent[this.recent.length - 1];
      if (oldest === undefined || oldest.offset > cursor.offset + 1 || newest?.offset !== live.offset) {
        return false;
      }
      const missed = this.recent.slice(cursor.offset + 1 - oldest.offset);
      cursor.offset = live.offset;
      this.goLive(reader, live.epoch);
      reader.messages(missed);
    } else {
      this.goLive(reader, live.epoch);
    }
    if (!readers.some(one => one.phase === 'reading')) {
      this.forget();
    }
    return true;
  }

  private goLive(reader: Reader, epoch: string): void {
    reader.phase = 'live';
    reader.parked = false;
    if (reader.announce) {
      // The connection came back, and there was nothing more to read.
      reader.announce = false;
      reader.subscribed(epoch, this.scene.top, true);
    }
  }

  private failed(reader: Reader, error: WireError): void {
    if (reader.phase !== 'reading' || this.scene.place === null) {
      // After a lost connection the next `subscribed` goes on.
      return;
    }
    if (error.temporary) {
      this.scene.after(RETRY, () => {
        this.proceed(reader);
      });
    } else {
      this.scene.refused(reader, error);
    }
  }

  private wakeParked(): void {
    for (const reader of this.scene.readers) {
      if (reader.parked) {
        this.proceed(reader);
      }
    }
  }

  private remember(batch: readonly Message[]): void {
    const newest = this.recent[this.recent.length - 1];
    if (newest !== undefined && batch[0]?.offset !== newest.offset + 1) {
      this.forget();
    }
    for (const message of batch) {
      this.recent.push(message);
      this.recentBytes += message.size;
    }
    if (this.recent.length > RECENT || this.recentBytes > RECENT_BYTES) {
      // Half at a time: cutting one by one would move the whole list for each message.
      let drop = 0;
      while (drop < this.recent.length && (this.recent.length - drop > RECENT / 2 || this.recentBytes > RECENT_BYTES / 2)) {
        this.recentBytes -= this.recent[drop]?.size ?? 0;
        drop += 1;
      }
      this.recent = this.recent.slice(drop);
    }
  }

  private forget(): void {
    this.recent = [];
    this.recentBytes = 0;
  }
}
