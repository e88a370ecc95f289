/** A page without a browser: a clock, a network and a server that speaks the protocol, all in this process. */

import type { Environment, PageFacts, ResponseLike, SocketLike } from '../../src/client/environment';
import type { Discontinuity, StreamListener, StreamMessage } from '../../src/client/types';
import type { FakeServer } from './server';

/** Everything that is scheduled, run in order of time; messages between page and server take `latency`. */
export class World implements Environment {
  clock = 1000;
  page: PageFacts = { href: 'http://host/lab', config: '{"baseUrl": "/a%40b/"}', baseUrl: null, cookie: 'x=1; _xsrf=2|secret' };
  /** What the ticket request is answered with: a status, or no answer at all. */
  ticketStatus: number | 'network' | 'hangs' = 200;
  readonly ticketRequests: { url: string; headers: Readonly<Record<string, string>> }[] = [];
  readonly sockets: FakeSocket[] = [];
  latency = 0.001;
  chance = 0.5;
  private queue: { at: number; run: () => void }[] = [];
  private wakers: (() => void)[] = [];
  private tickets = 0;

  constructor(public server: FakeServer) {}

  now(): number {
    return this.clock;
  }

  random(): number {
    return this.chance;
  }

  secret(bytes: number): string {
    return 'ab'.repeat(bytes);
  }

  after(seconds: number, callback: () => void): () => void {
    const one = { at: this.clock + seconds, run: callback };
    this.queue.push(one);
    return () => {
      this.queue = this.queue.filter(other => other !== one);
    };
  }

  soon(callback: () => void): void {
    this.after(0, callback);
  }

  facts(): PageFacts {
    return this.page;
  }

  fetch(url: string, options: { headers: Readonly<Record<string, string>> }): Promise<ResponseLike> {
    this.ticketRequests.push({ url, headers: options.headers });
    if (this.ticketStatus === 'network') {
      return Promise.reject(new TypeError('Failed to fetch'));
    }
    if (this.ticketStatus === 'hangs') {
      return new Promise(() => undefined);
    }
    const status = this.ticketStatus;
    const ticket = `ticket-${++this.tickets}`;
    this.server.tickets.add(ticket);
    return Promise.resolve({ status, type: 'basic', json: () => Promise.resolve({ ticket, expires: 30 }) });
  }

  connect(url: string, protocol: string): SocketLike {
    const socket = new FakeSocket(this, url, protocol);
    this.sockets.push(socket);
    return socket;
  }

  onWake(callback: () => void): void {
    this.wakers.push(callback);
  }

  wake(): void {
    this.wakers.forEach(waker => {
      waker();
    });
  }

  /** Let time pass; promises are given their turn between any two events. */
  async pass(seconds: number): Promise<void> {
    const end = this.clock + seconds;
    for (;;) {
      for (let i = 0; i < 8; i++) {
        await Promise.resolve();
      }
      let next: { at: number; run: () => void } | undefined;
      for (const one of this.queue) {
        if (next === undefined || one.at < next.at) {
          next = one;
        }
      }
      if (next === undefined || next.at > end) {
        this.clock = end;
        return;
      }
      this.queue = this.queue.filter(one => one !== next);
      this.clock = Math.max(this.clock, next.at);
      next.run();
    }
  }

  get socket(): FakeSocket {
    return this.sockets[this.sockets.length - 1]!;
  }
}

/** A WebSocket whose other end is the fake server. */
export class FakeSocket implements SocketLike {
  binaryType = '';
  onopen: SocketLike['onopen'] = null;
  onmessage: SocketLike['onmessage'] = null;
  onclose: SocketLike['onclose'] = null;
  onerror: SocketLike['onerror'] = null;
  closedWith: number | null = null;
  readonly sent: (string | Uint8Array)[] = [];
  private closed = false;

  constructor(
    private readonly world: World,
    readonly url: string,
    readonly protocol: string
  ) {
    world.after(world.latency, () => {
      if (!this.closed) {
        if (world.server.down) {
          this.serverCloses(1006);
        } else {
          this.onopen?.();
          world.server.accept(this);
        }
      }
    });
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.sent.push(data);
    this.world.after(this.world.latency, () => {
      if (!this.closed) {
        this.world.server.receive(this, data);
      }
    });
  }

  close(code = 1000): void {
    this.closedWith = code;
    this.closed = true;
    this.world.server.gone(this);
  }

  // -- the server's end

  deliver(data: string | Uint8Array<ArrayBuffer>): void {
    this.world.after(this.world.latency, () => {
      if (!this.closed) {
        this.onmessage?.({ data: typeof data === 'string' ? data : data.buffer });
      }
    });
  }

  serverCloses(code: number, reason = ''): void {
    this.world.after(this.world.latency, () => {
      if (!this.closed) {
        this.closed = true;
        this.world.server.gone(this);
        this.onclose?.({ code, reason });
      }
    });
  }

  /** The control records that were sent, of one op. */
  controls(op: string): Record<string, unknown>[] {
    return this.sent
      .filter(one => typeof one === 'string')
      .map(text => JSON.parse(text) as Record<string, unknown>)
      .filter(record => record.op === op);
  }
}

/** Writes down what it hears. */
export class Recorder implements StreamListener {
  readonly heard: StreamMessage[] = [];
  readonly log: (string | number)[] = [];
  readonly interruptions: Discontinuity[] = [];
  readonly subscriptions: { epoch: string; top: number; recovered: boolean }[] = [];
  readonly endings: { code: string; message: string }[] = [];
  batches = 0;

  messages(batch: readonly StreamMessage[]): void {
    this.batches += 1;
    for (const message of batch) {
      this.heard.push(message);
      this.log.push(message.offset);
    }
  }

  subscribed(info: { epoch: string; top: number; recovered: boolean }): void {
    this.subscriptions.push(info);
  }

  discontinuity(what: Discontinuity): void {
    this.interruptions.push(what);
    this.log.push(`${what.kind} ${what.reason} ${what.lost ?? '?'}`);
  }

  ended(error: { code: string; message: string }): void {
    this.endings.push(error);
  }

  get offsets(): number[] {
    return this.heard.map(message => message.offset);
  }
}
