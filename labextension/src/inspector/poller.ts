import type { ConnectionState, Disposer } from '../client/types';

/** What a poller needs of the page; handed in, so that tests have a clock of their own. */
export interface Pace {
  /** Returns a function that cancels. */
  after(seconds: number, callback: () => void): () => void;
  /** Whether anyone can see the page. */
  visible(): boolean;
  /** Calls back when that changes. */
  onVisibility(callback: () => void): Disposer;
}

/** The pace of a real page. */
export const pagePace: Pace = {
  after: (seconds, callback) => {
    const timer = setTimeout(callback, seconds * 1000);
    return () => {
      clearTimeout(timer);
    };
  },
  visible: () => document.visibilityState !== 'hidden',
  onVisibility: callback => {
    document.addEventListener('visibilitychange', callback);
    return {
      dispose: () => {
        document.removeEventListener('visibilitychange', callback);
      }
    };
  }
};

interface Connected {
  readonly state: ConnectionState;
  watchState(callback: (state: ConnectionState) => void): Disposer;
}

/**
 * Asks again and again while it is on, the page can be seen and the connection is live; never twice at the same time.
 * The client backs off by itself when the server is away, so a poller only waits for it.
 */
export class Poller implements Disposer {
  private on = false;
  private running = false;
  private due = false;
  private disposers: Disposer[] = [];
  private cancel: () => void = noop;

  /**
   * @param task - asks once
   * @param seconds - between the end of one and the begin of the next
   */
  constructor(
    private readonly connection: Connected,
    private readonly task: () => Promise<void>,
    private readonly seconds: () => number,
    private readonly pace: Pace = pagePace
  ) {}

  get isOn(): boolean {
    return this.on;
  }

  start(): void {
    if (this.on) {
      return;
    }
    this.on = this.due = true;
    this.disposers = [
      this.pace.onVisibility(() => {
        this.wake();
      }),
      this.connection.watchState(() => {
        this.wake();
      })
    ];
  }

  stop(): void {
    this.on = false;
    this.cancel();
    this.cancel = noop;
    for (const disposer of this.disposers.splice(0)) {
      disposer.dispose();
    }
  }

  /** Ask now rather than later. */
  hurry(): void {
    this.cancel();
    this.cancel = noop;
    this.due = true;
    this.wake();
  }

  dispose(): void {
    this.stop();
  }

  private wake(): void {
    if (this.on && this.due && !this.running && this.pace.visible() && this.connection.state.status === 'live') {
      void this.run();
    }
  }

  private async run(): Promise<void> {
    this.running = true;
    this.due = false;
    try {
      await this.task();
    } catch (error) {
      // A task tells of what it could not get; this would be a mistake of ours.
      console.error('nbchannels: the inspector failed', error);
    }
    this.running = false;
    if (this.due) {
      this.wake();
    } else if (this.on) {
      this.cancel = this.pace.after(this.seconds(), () => {
        this.due = true;
        this.wake();
      });
    }
  }
}

function noop(): void {
  // Nothing to cancel.
}
