import type { Client, Discontinuity, Disposer, StreamListener, StreamMessage } from '../client/types';
import type { Kind, ViewModel } from './kind';
import type { CommonOptions } from './options';

/** What may wait while the view is paused: what the server's log of one group holds too. */
const MOST_WAITING = 10_000;
const MOST_WAITING_BYTES = 16 * 2 ** 20;

/** Brings the messages of a group into a model. */
export class Feed<O extends CommonOptions = CommonOptions, M extends ViewModel = ViewModel> implements StreamListener {
  model: M;
  /** Interruptions of the stream, and messages lost in them as far as known. */
  gaps = 0;
  lost = 0;
  /** Why the server ended the subscription; null while it goes on. */
  stopped: string | null = null;
  /** The newest message that could not be drawn, in a sentence; null for none. */
  problem: string | null = null;
  /** When the last message came, by this page's clock in ms; null before. */
  lastAt: number | null = null;

  private subscription: Disposer | null = null;
  private backlog: (StreamMessage | Discontinuity)[] = [];
  private backlogBytes = 0;
  private isPaused = false;
  private problems = 0;

  /** @param changed - called after each change; shall be cheap */
  constructor(
    private readonly client: Client,
    private readonly group: string,
    private readonly kind: Pick<Kind<O, M>, 'model' | 'take'>,
    private options: O,
    private readonly changed: () => void
  ) {
    this.model = this.kind.model(this.options);
  }

  /** Begin to receive. */
  open(): void {
    const { history } = this.options;
    const since = history === null ? 'earliest' : history === 0 ? 'now' : { last: history };
    this.subscription?.dispose();
    this.subscription = this.client.subscribe(this.group, { since, mode: 'log' }, this);
  }

  /** Take other options that need the messages to be read again. */
  reopen(options: O): void {
    this.options = options;
    this.model = this.kind.model(this.options);
    this.backlog = [];
    this.backlogBytes = this.problems = this.gaps = this.lost = 0;
    this.problem = this.stopped = null;
    if (this.subscription !== null) {
      this.open();
    }
    this.changed();
  }

  dispose(): void {
    this.subscription?.dispose();
    this.subscription = null;
  }

  get paused(): boolean {
    return this.isPaused;
  }

  /** While paused the model stands still; what comes waits and is taken in later. */
  set paused(paused: boolean) {
    this.isPaused = paused;
    if (!paused) {
      this.release(0, 0);
    }
    this.changed();
  }

  /** How many messages wait. */
  get waiting(): number {
    return this.backlog.length;
  }

  messages(batch: readonly StreamMessage[]): void {
    this.lastAt = Date.now();
    if (this.isPaused) {
      for (const message of batch) {
        this.hold(message, message.size);
      }
    } else {
      for (const message of batch) {
        this.take(message);
      }
    }
    this.changed();
  }

  discontinuity(what: Discontinuity): void {
    if (this.isPaused) {
      this.hold(what, 0);
    } else {
      this.interrupt(what);
    }
    this.changed();
  }

  subscribed(): void {
    this.stopped = null;
    this.changed();
  }

  ended(error: { readonly code: string; readonly message: string }): void {
    this.stopped = error.message === '' ? `The server ended the subscription (${error.code}).` : error.message;
    this.changed();
  }

  private hold(what: StreamMessage | Discontinuity, bytes: number): void {
    this.backlog.push(what);
    this.backlogBytes += bytes;
    if (this.backlog.length > MOST_WAITING || this.backlogBytes > MOST_WAITING_BYTES) {
      this.release(MOST_WAITING / 2, MOST_WAITING_BYTES / 2);
    }
  }

  /** Take in what waits, the oldest first, until no more than this is left. */
  private release(messages: number, bytes: number): void {
    let taken = 0;
    for (const what of this.backlog) {
      if (this.backlog.length - taken <= messages && this.backlogBytes <= bytes) {
        break;
      }
      taken += 1;
      if ('offset' in what) {
        this.backlogBytes -= what.size;
        this.take(what);
      } else {
        this.interrupt(what);
      }
    }
    this.backlog = this.backlog.slice(taken);
  }

  private take(message: StreamMessage): void {
    try {
      this.kind.take(this.model, { content: message.content(), time: message.time }, this.options);
    } catch (error) {
      this.problems += 1;
      const why = error instanceof Error ? error.message : String(error);
      const more = this.problems > 1 ? ` (${this.problems} messages so far)` : '';
      this.problem = `Message ${message.offset} is not drawn: ${why}${more}`;
    }
  }

  private interrupt(what: Discontinuity): void {
    if (what.reason === 'cleared') {
      this.model.clear();
      this.problem = null;
      this.problems = this.gaps = this.lost = 0;
      return;
    }
    this.gaps += 1;
    this.lost += what.lost ?? 0;
    this.model.interrupt(describeGap(what));
  }
}

/** A discontinuity in words. */
export function describeGap(what: Discontinuity): string {
  const lost = what.lost === null || what.lost === 0 ? null : `${what.lost} ${what.lost === 1 ? 'message' : 'messages'} missing`;
  if (what.kind === 'epoch') {
    return lost === null ? 'server restarted' : `server restarted, ${lost}`;
  }
  return lost ?? 'messages missing';
}
