/** The page's client: one session on one connection, a stream for each group, and the promises of what was published. */

import { encodeBody } from '../protocol/body';
import { readStanding } from '../protocol/controls';
import { ProtocolError } from '../protocol/errors';
import type { Message, Position, SessionEvent, SubscriptionRequest, TargetKind, WireError } from '../protocol/events';
import { isChannelName, isGroupName } from '../protocol/names';
import { ClientSession } from '../protocol/session';
import { CallError, Calls } from './calls';
import type { Answer } from './calls';
import type { PageHandler } from './catchup';
import { Connection } from './connection';
import type { ServerSettings } from './discovery';
import type { Environment } from './environment';
import { sane } from './reader';
import { PublishError, toReceipt } from './receipts';
import { GroupStream } from './stream';
import type { Wire } from './stream';
import type {
  Client, ConnectionState, Disposer, Receipt, StreamListener, StreamStatistics, SubscribeOptions
} from './types';
import { VERSION } from './version';

/** What may wait for its acceptance: a page that sends faster than the server takes is told so. */
const MOST_MESSAGES = 1000;
const MOST_BYTES = 16 * 1024 * 1024;

interface Publication {
  resolve(receipt: Receipt): void;
  reject(error: PublishError): void;
}

export class PageClient implements Client, Wire {
  readonly version = VERSION;
  private readonly session: ClientSession;
  private readonly connection: Connection;
  // Maps, not objects: `__proto__` is a legal name.
  private readonly streams = new Map<string, GroupStream>();
  private readonly unsettled = new Set<GroupStream>();
  private readonly calls = new Calls();
  private readonly publications = new Map<number, Publication>();
  private readonly watchers = new Set<(state: ConnectionState) => void>();
  private readonly holders = new Set<Disposer>();
  private pumping = false;
  private flushing = false;
  private timerAt = Infinity;
  private cancelTimer: (() => void) | null = null;

  constructor(private readonly environment: Environment) {
    this.session = new ClientSession({ client: 'page', version: VERSION, producer: environment.secret(16) });
    this.connection = new Connection(environment, {
      opened: ticket => {
        this.session.connected(environment.now(), ticket);
        this.flush();
      },
      received: data => {
        this.session.receive(data, environment.now());
        this.pump();
      },
      lost: () => {
        this.lost();
      },
      woke: () => {
        this.session.tick(environment.now());
        this.pump();
      },
      changed: state => {
        this.changedState(state);
      }
    });
  }

  // -- what views may ask ---------------------------------------------------------------------------

  get state(): ConnectionState {
    return this.connection.state;
  }

  /** Where the server is, if the page alone does not lead to it. */
  configure(settings: ServerSettings): void {
    this.connection.configure(settings);
  }

  watchState(callback: (state: ConnectionState) => void): Disposer {
    // A function of its own: the same callback may watch twice.
    const watcher = (state: ConnectionState): void => {
      callback(state);
    };
    this.watchers.add(watcher);
    tell(watcher, this.state);
    return {
      dispose: () => {
        this.watchers.delete(watcher);
      }
    };
  }

  subscribe(group: string, options: SubscribeOptions, listener: StreamListener): Disposer {
    if (!isGroupName(group)) {
      throw new TypeError(`${JSON.stringify(group)} is no name of a group: ASCII letters, digits and -_. only, at most 99`);
    }
    let stream = this.streams.get(group);
    if (stream === undefined) {
      stream = new GroupStream(group, this);
      this.streams.set(group, stream);
    }
    this.connection.ask();
    return stream.add({ ...options, since: sane(options.since) }, listener);
  }

  publish(group: string, content: Record<string, unknown>): Promise<Receipt> {
    return this.send('group', group, content);
  }

  send(kind: TargetKind, name: string, content: Record<string, unknown>): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      if (!(kind === 'group' ? isGroupName(name) : isChannelName(name))) {
        throw new PublishError('bad_name', `${JSON.stringify(name)} is no name of a ${kind}`);
      }
      const body = encodeBody(content);
      this.connection.ask();
      const { status, detail } = this.state;
      if (status === 'offline' || status === 'refused') {
        throw new PublishError('unavailable', detail);
      }
      const { messages, bytes } = this.session.backlog;
      if (messages >= MOST_MESSAGES || bytes + body.bytes.length > MOST_BYTES) {
        throw new PublishError('too_many', `${messages} messages (${bytes} bytes) of this page wait for the server already: wait for their receipts`);
      }
      this.publications.set(this.session.publish(kind, name, body, true), { resolve, reject });
      this.soon();
    });
  }

  call(method: string, args: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.connection.ask();
      this.calls.add(this.session.call(method, args), {
        answered: resolve,
        failed: error => {
          reject(new CallError(error.code, error.message));
        }
      });
      this.soon();
    });
  }

  hold(): Disposer {
    const holder = {
      dispose: () => {
        this.holders.delete(holder);
        this.soon();
      }
    };
    this.holders.add(holder);
    this.connection.ask();
    this.soon();
    return holder;
  }

  statistics(group: string): StreamStatistics | null {
    return this.streams.get(group)?.statistics ?? null;
  }

  // -- what streams need ----------------------------------------------------------------------------

  get greeted(): boolean {
    return this.session.state !== 'CLOSED';
  }

  unsubscribe(group: string): void {
    this.session.unsubscribe(group);
  }

  request(request: SubscriptionRequest): void {
    this.session.subscribe(request);
  }

  position(group: string): Position | null {
    return this.session.subscription(group)?.position ?? null;
  }

  top(group: string): number {
    return this.session.subscription(group)?.top ?? 0;
  }

  own(sender: number): boolean {
    return this.session.own(sender);
  }

  read(request: Readonly<Record<string, unknown>>, handler: PageHandler): void {
    this.calls.add(this.session.call('read', request), {
      answered: ({ value, entries }) => {
        this.page(handler, value, entries);
      },
      failed: error => {
        handler.failed(error);
      }
    });
    this.soon();
  }

  after(seconds: number, callback: () => void): void {
    this.environment.after(seconds, () => {
      callback();
      this.pump();
    });
  }

  changed(stream: GroupStream): void {
    this.unsettled.add(stream);
    this.soon();
  }

  // -- the session's events -------------------------------------------------------------------------

  /** Hand on what happened, then send what follows from it. A listener may call anything meanwhile. */
  private pump(): void {
    if (this.pumping) {
      return;
    }
    this.pumping = true;
    try {
      for (let events = this.session.events(); events.length > 0; events = this.session.events()) {
        this.dispatch(events);
      }
    } finally {
      this.pumping = false;
    }
    this.flush();
  }

  private dispatch(events: readonly SessionEvent[]): void {
    const batches = new Map<string, Message[]>();
    for (const event of events) {
      if (event.event === 'message') {
        const batch = batches.get(event.group);
        if (batch === undefined) {
          batches.set(event.group, [event]);
        } else {
          batch.push(event);
        }
      } else {
        this.deliver(batches);
        this.handle(event);
      }
    }
    this.deliver(batches);
  }

  private deliver(batches: Map<string, Message[]>): void {
    for (const [group, batch] of batches) {
      this.streams.get(group)?.messages(batch);
    }
    batches.clear();
  }

  private handle(event: Exclude<SessionEvent, Message>): void {
    switch (event.event) {
      case 'welcomed':
        this.connection.welcomed(event.backend, event.trouble);
        break;
      case 'subscribed':
        this.streams.get(event.group)?.subscribed(event);
        break;
      case 'unsubscribed':
        if (!event.asked) {
          this.streams.get(event.group)?.ended(event.error ?? { code: 'closed', message: 'the server ended the subscription' });
        }
        break;
      case 'gap':
        this.streams.get(event.group)?.gap(event.from, event.to, event.reason);
        break;
      case 'accepted':
        this.take(event.sequence)?.resolve(toReceipt(event.receipt));
        break;
      case 'rejected':
        this.take(event.sequence)?.reject(new PublishError(event.code, event.error.message));
        break;
      case 'entry':
        this.calls.entry(event.id, event.record);
        break;
      case 'result':
        this.calls.answered(event.id, event.value);
        break;
      case 'error':
        this.failed(event.id, event.error);
        break;
      case 'goaway':
        this.connection.goaway(event.spread);
        break;
      case 'layer':
        this.connection.troubled(event.trouble);
        break;
      case 'close':
        this.connection.reconnect(event.code, event.reason);
        break;
      case 'delivery':
        // A page has no channels.
        break;
    }
  }

  private page(handler: PageHandler, value: unknown, entries: Answer['entries']): void {
    try {
      handler.page(readStanding(value), entries);
    } catch (error) {
      if (!(error instanceof ProtocolError)) {
        throw error;
      }
      this.connection.reconnect(error.closeCode, error.message);
    }
  }

  private failed(id: number | null, error: WireError): void {
    if (id === null) {
      console.warn(`nbchannels: the server complains: ${error.message} (${error.code})`);
      return;
    }
    this.calls.failed(id, error);
  }

  private take(sequence: number): Publication | undefined {
    const publication = this.publications.get(sequence);
    this.publications.delete(sequence);
    return publication;
  }

  // -- the connection -------------------------------------------------------------------------------

  private lost(): void {
    for (const stream of this.streams.values()) {
      stream.disconnected();
    }
    this.session.disconnected(this.environment.now());
    this.pump();
  }

  private changedState(state: ConnectionState): void {
    if (state.status === 'offline' || state.status === 'refused') {
      for (const [sequence, publication] of this.publications) {
        this.session.withdraw(sequence);
        publication.reject(new PublishError('unavailable', state.detail));
      }
      this.publications.clear();
    }
    for (const watcher of [...this.watchers]) {
      tell(watcher, state);
    }
  }

  /** Everything asked for in one turn is sent together. */
  private soon(): void {
    if (!this.flushing) {
      this.flushing = true;
      this.environment.soon(() => {
        this.flushing = false;
        this.pump();
      });
    }
  }

  private flush(): void {
    for (const stream of this.unsettled) {
      this.unsettled.delete(stream);
      if (!stream.settle() && this.streams.get(stream.group) === stream) {
        this.streams.delete(stream.group);
      }
    }
    this.connection.need(this.streams.size > 0 || this.publications.size > 0 || this.holders.size > 0);
    this.connection.send(this.session.outgoing());
    this.schedule();
  }

  /** One timer for all deadlines; a deadline that moved away is found out when the timer fires. */
  private schedule(): void {
    const { deadline } = this.session;
    if (deadline === null || deadline >= this.timerAt) {
      return;
    }
    this.cancelTimer?.();
    this.timerAt = deadline;
    this.cancelTimer = this.environment.after(Math.max(0, deadline - this.environment.now()), () => {
      this.timerAt = Infinity;
      this.cancelTimer = null;
      this.session.tick(this.environment.now());
      this.pump();
    });
  }
}

function tell(watcher: (state: ConnectionState) => void, state: ConnectionState): void {
  try {
    watcher(state);
  } catch (error) {
    console.error('nbchannels: a watcher of the connection failed', error);
  }
}
