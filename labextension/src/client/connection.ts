/** The page's connection over its life: when to connect, when to try again, when to stop, and what to say about it. */

import { Backoff } from './backoff';
import { discover } from './discovery';
import type { ServerSettings } from './discovery';
import type { Environment } from './environment';
import { CONNECTING, IDLE, judge, LIVE, NO_SERVER } from './sentences';
import { Socket } from './socket';
import type { Ending } from './socket';
import type { ConnectionState, ConnectionStatus } from './types';

/** Seconds after the last need until the connection is closed: a cell that is run again keeps it. */
const LINGER = 30;
/** A new view asks a server that refused again, but not more often than this. */
const ASK_AGAIN = 5;

/**
 * idle: not needed · trying: an attempt is under way · live: welcomed · waiting: for the next attempt ·
 * halted: refused or offline, until the page is looked at again · stopped: until it is reloaded
 */
type Phase = 'idle' | 'trying' | 'live' | 'waiting' | 'halted' | 'stopped';

export interface ConnectionHost {
  /** The WebSocket is open: say hello with this ticket. */
  opened(ticket: string): void;
  received(data: string | ArrayBuffer): void;
  /** The WebSocket that was opened is gone. */
  lost(): void;
  /** The page was asleep, perhaps: the connection may be dead without knowing. */
  woke(): void;
  changed(state: ConnectionState): void;
}

export class Connection {
  private phase: Phase = 'idle';
  private present: ConnectionState = { status: 'connecting', detail: IDLE, code: null };
  private readonly backoff: Backoff;
  private socket: Socket | null = null;
  private opened = false;
  private needed = false;
  private everLive = false;
  private backend = '';
  private freshTicket = false;
  private triedAt = -Infinity;
  /** When to come back, if the server has asked to be left. */
  private leaveAt: number | null = null;
  private settings: ServerSettings | null = null;
  private cancelRetry = noop;
  private cancelLinger = noop;
  private cancelLeave = noop;

  constructor(
    private readonly environment: Environment,
    private readonly host: ConnectionHost
  ) {
    this.backoff = new Backoff(() => environment.random());
    environment.onWake(() => {
      this.wake();
    });
  }

  get state(): ConnectionState {
    return this.present;
  }

  /** Where the server is. Asks at once where the page alone did not lead to one. */
  configure(settings: ServerSettings): void {
    this.settings = settings;
    if (this.needed && (this.phase === 'halted' || this.phase === 'waiting')) {
      this.start();
    }
  }

  /** Whether anyone needs the connection. */
  need(needed: boolean): void {
    if (needed === this.needed) {
      return;
    }
    this.needed = needed;
    this.cancelLinger();
    this.cancelLinger = noop;
    if (needed) {
      if (this.phase === 'idle') {
        this.start();
      }
    } else {
      this.cancelLinger = this.environment.after(LINGER, () => {
        this.rest();
      });
    }
  }

  /** Somebody new wants something: a server that refused may have changed its mind. */
  ask(): void {
    if (this.phase === 'halted' && this.environment.now() - this.triedAt >= ASK_AGAIN) {
      this.start();
    }
  }

  send(messages: readonly (string | Uint8Array<ArrayBuffer>)[]): void {
    this.socket?.send(messages);
  }

  /** The server has said welcome. */
  welcomed(backend: string, trouble: string | null = null): void {
    this.backend = backend;
    this.phase = 'live';
    this.everLive = true;
    this.freshTicket = false;
    this.backoff.live(this.environment.now());
    this.troubled(trouble);
  }

  /** The layer of the server does not answer, for this reason; null: it answers again. */
  troubled(trouble: string | null): void {
    const { backend } = this;
    this.present = {
      status: 'live',
      detail: trouble ?? LIVE,
      code: null,
      ...(trouble === null ? {} : { trouble }),
      ...(backend === 'redis' ? { shared: backend } : {}),
      ...(backend === 'foreign' ? { foreign: true } : {})
    };
    this.host.changed(this.present);
  }

  /** The session asks for a new connection. */
  reconnect(code: number, reason: string): void {
    this.drop(code);
    this.wait(`${capital(reason)}. Connecting again.`, code);
  }

  /** The server is about to stop: come back at random within `spread`, so that not all come at once. */
  goaway(spread: number): void {
    const delay = this.environment.random() * spread;
    this.leaveAt = this.environment.now() + delay;
    this.cancelLeave();
    this.cancelLeave = this.environment.after(delay, () => {
      this.drop(1000);
      this.start();
    });
  }

  private wake(): void {
    if (this.needed && (this.phase === 'waiting' || this.phase === 'halted')) {
      this.start();
    } else if (this.phase === 'live') {
      this.host.woke();
    }
  }

  private start(): void {
    this.cancelRetry();
    this.cancelRetry = noop;
    this.forgetLeaving();
    this.triedAt = this.environment.now();
    const server = discover(this.settings, this.environment.facts());
    if (server === null) {
      this.phase = 'halted';
      this.tell('offline', NO_SERVER, null);
      return;
    }
    this.phase = 'trying';
    if (this.present.status !== 'reconnecting') {
      this.tell(this.everLive ? 'reconnecting' : 'connecting', CONNECTING, null);
    }
    this.socket = new Socket(this.environment, server, {
      opened: ticket => {
        this.opened = true;
        this.host.opened(ticket);
      },
      received: data => {
        this.host.received(data);
      },
      ended: ending => {
        this.ended(ending);
      }
    });
  }

  private ended(ending: Ending): void {
    this.drop(1000);
    const { verdict, detail } = judge(ending);
    switch (verdict) {
      case 'again':
        this.wait(detail, ending.code);
        break;
      case 'ticket':
        if (this.freshTicket) {
          this.stop('stopped', 'refused', detail, ending.code);
        } else {
          // It may have expired on the way: one more, a new one.
          this.freshTicket = true;
          this.start();
        }
        break;
      case 'refused':
        this.stop('halted', 'refused', detail, ending.code);
        break;
      case 'offline':
        this.stop('halted', 'offline', detail, ending.code);
        break;
      case 'stopped':
        this.stop('stopped', 'refused', detail, ending.code);
        break;
    }
  }

  private stop(phase: Phase, status: ConnectionStatus, detail: string, code: number | null): void {
    this.phase = phase;
    this.tell(status, detail, code);
  }

  private wait(detail: string, code: number | null): void {
    if (!this.needed) {
      this.rest();
      return;
    }
    this.phase = 'waiting';
    const now = this.environment.now();
    const delay = this.leaveAt === null ? this.backoff.next(now) : Math.max(0, this.leaveAt - now);
    this.forgetLeaving();
    this.cancelRetry = this.environment.after(delay, () => {
      this.start();
    });
    this.tell('reconnecting', detail, code, now + delay);
  }

  /** Nobody needs it any more. */
  private rest(): void {
    this.cancelRetry();
    this.cancelRetry = noop;
    this.forgetLeaving();
    this.drop(1000);
    if (this.phase !== 'stopped') {
      this.phase = 'idle';
      this.everLive = false;
      this.tell('connecting', IDLE, null);
    }
  }

  private drop(code: number): void {
    this.socket?.close(code);
    this.socket = null;
    if (this.opened) {
      this.opened = false;
      this.host.lost();
    }
  }

  private forgetLeaving(): void {
    this.leaveAt = null;
    this.cancelLeave();
    this.cancelLeave = noop;
  }

  private tell(status: ConnectionStatus, detail: string, code: number | null, retryAt?: number): void {
    this.present = retryAt === undefined ? { status, detail, code } : { status, detail, code, retryAt };
    this.host.changed(this.present);
  }
}

function noop(): void {
  // Nothing to cancel.
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
