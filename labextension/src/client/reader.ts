/** One listener of a group: how far it is, and how it is called. */

import type { Discontinuity, Since, StreamListener, StreamMessage, SubscribeOptions } from './types';

/**
 * waiting: until the page's subscription stands · reading: catching up through `call read` ·
 * live: hears what the page hears · ended: disposed of, or told that it is over
 */
export type Phase = 'waiting' | 'reading' | 'live' | 'ended';

/** How far a listener is: the offset last heard (or left out, and told so). */
export interface Cursor {
  epoch: string;
  offset: number;
  /** Of the entry at `offset`, while reading; unused once live. */
  tag: number;
}

const UNDERSTOOD: ReadonlySet<string> = new Set(['trimmed', 'conflated', 'tag']);

export class Reader {
  phase: Phase = 'waiting';
  cursor: Cursor | null = null;
  /** A page was asked for and has not come. */
  asking = false;
  /** It has read all there is, but the live stream is in another epoch: it waits for a sign of life. */
  parked = false;
  /** `subscribed` is to be called with the next page. */
  announce = true;
  /** Pages in a row that brought nothing. */
  empty = 0;
  private complained = false;

  constructor(
    readonly options: SubscribeOptions,
    private readonly listener: StreamListener
  ) {}

  subscribed(epoch: string, top: number, recovered: boolean): void {
    this.call(listener => listener.subscribed?.({ epoch, top, recovered }));
  }

  messages(batch: readonly StreamMessage[]): void {
    // The hot path: no closure.
    if (this.phase !== 'ended') {
      try {
        this.listener.messages(batch);
      } catch (error) {
        this.complain(error);
      }
    }
  }

  /** Another log goes on from here. */
  epoch(cleared: boolean): void {
    this.discontinuity({ kind: 'epoch', reason: cleared ? 'cleared' : 'epoch', lost: null });
  }

  /** Messages are missing here. */
  gap(reason: string, lost: number | null): void {
    this.discontinuity({ kind: 'gap', reason: UNDERSTOOD.has(reason) ? (reason as Discontinuity['reason']) : 'trimmed', lost });
  }

  end(error: { readonly code: string; readonly message: string }): void {
    this.call(listener => listener.ended?.(error));
    this.phase = 'ended';
  }

  private discontinuity(what: Discontinuity): void {
    this.call(listener => listener.discontinuity?.(what));
  }

  private call(how: (listener: StreamListener) => void): void {
    if (this.phase !== 'ended') {
      try {
        how(this.listener);
      } catch (error) {
        this.complain(error);
      }
    }
  }

  /** A listener that throws hurts nobody else, and fills nobody's console. */
  private complain(error: unknown): void {
    if (!this.complained) {
      this.complained = true;
      console.error('nbchannels: a listener failed; it goes on to be called, further errors of it are not shown', error);
    }
  }
}

/** A tail of nothing is now. */
export function sane(since: Since): Since {
  if (typeof since !== 'object') {
    return since;
  }
  const last = Math.min(Math.floor(since.last), Number.MAX_SAFE_INTEGER);
  return last >= 1 ? { last } : 'now';
}
