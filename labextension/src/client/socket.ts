/** One attempt to connect: a ticket, then a WebSocket. What becomes of it is told once; who tries again is not decided here. */

import type { Server } from './discovery';
import type { Environment, ResponseLike, SocketLike } from './environment';

export const SUBPROTOCOL = 'nbchannels.v1';
/** Seconds for the ticket, and for the WebSocket to open. */
const PATIENCE = 15;

/** How an attempt ended. */
export interface Ending {
  /** The HTTP status of the ticket, or the close code of the WebSocket; `null`: no answer. */
  readonly stage: 'ticket' | 'socket';
  readonly code: number | null;
  /** What the server or the browser said about it. */
  readonly reason: string;
}

export interface SocketHost {
  opened(ticket: string): void;
  received(data: string | ArrayBuffer): void;
  /** At most once, and never after `close`. */
  ended(ending: Ending): void;
}

export class Socket {
  private over = false;
  private open = false;
  private socket: SocketLike | null = null;
  private readonly abort = new AbortController();
  private cancelTimer: () => void;

  constructor(
    private readonly environment: Environment,
    private readonly server: Server,
    private readonly host: SocketHost
  ) {
    this.cancelTimer = environment.after(PATIENCE, () => {
      this.end({ stage: this.socket === null ? 'ticket' : 'socket', code: null, reason: `no answer within ${PATIENCE} s` });
    });
    void this.run();
  }

  send(messages: readonly (string | Uint8Array<ArrayBuffer>)[]): void {
    if (!this.open || this.socket === null) {
      return;
    }
    for (const message of messages) {
      this.socket.send(message);
    }
  }

  /** Give up without a word: `ended` does not follow. A lost connection can take minutes to close, so nobody waits for it. */
  close(code = 1000): void {
    this.over = true;
    this.open = false;
    this.cancelTimer();
    this.abort.abort();
    const { socket } = this;
    this.socket = null;
    if (socket !== null) {
      socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
      // Browsers refuse all other codes.
      socket.close(code >= 3000 && code <= 4999 ? code : 1000);
    }
  }

  private async run(): Promise<void> {
    let response: ResponseLike;
    let ticket: unknown = null;
    try {
      const { ticketUrl, headers } = this.server;
      response = await this.environment.fetch(ticketUrl, {
        method: 'POST', credentials: 'same-origin', redirect: 'manual', cache: 'no-store', headers, signal: this.abort.signal
      });
      if (response.status >= 200 && response.status < 300) {
        ticket = await readTicket(response);
      }
    } catch (error) {
      this.end({ stage: 'ticket', code: null, reason: error instanceof Error ? error.message : String(error) });
      return;
    }
    if (this.over) {
      return;
    }
    if (typeof ticket === 'string') {
      this.connect(ticket);
    } else if (response.type === 'opaqueredirect') {
      // A redirect leads to a login page; scripts do not see where.
      this.end({ stage: 'ticket', code: 403, reason: 'redirected to a login page' });
    } else {
      this.end({ stage: 'ticket', code: response.status, reason: '' });
    }
  }

  private connect(ticket: string): void {
    let socket: SocketLike;
    try {
      socket = this.environment.connect(this.server.socketUrl, SUBPROTOCOL);
    } catch (error) {
      // A content security policy, or a page over https with a server over http.
      this.end({ stage: 'socket', code: null, reason: error instanceof Error ? error.message : String(error) });
      return;
    }
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.open = true;
      this.cancelTimer();
      this.host.opened(ticket);
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string' || data instanceof ArrayBuffer) {
        this.host.received(data);
      }
    };
    socket.onclose = ({ code, reason }) => {
      this.end({ stage: 'socket', code, reason });
    };
    // `close` always follows; an error event says nothing that a script may know.
    socket.onerror = null;
  }

  private end(ending: Ending): void {
    if (!this.over) {
      this.close();
      this.host.ended(ending);
    }
  }
}

async function readTicket(response: ResponseLike): Promise<unknown> {
  const body = await response.json();
  return typeof body === 'object' && body !== null ? (body as { readonly ticket?: unknown }).ticket : null;
}
