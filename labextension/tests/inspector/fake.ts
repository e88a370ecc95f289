import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { Answer } from '../../src/client/calls';
import { CallError } from '../../src/client/calls';
import type { ConnectionState, Disposer, Receipt, StreamListener, SubscribeOptions } from '../../src/client/types';
import type { InspectorClient, Kind } from '../../src/inspector/api';
import { Api } from '../../src/inspector/api';
import type { Context } from '../../src/inspector/context';
import { Selection } from '../../src/inspector/context';
import { Following } from '../../src/inspector/following';
import type { Pace } from '../../src/inspector/poller';
import { Settings } from '../../src/inspector/settings';

export const LIVE: ConnectionState = { status: 'live', detail: 'Connected.', code: null };
export const LOST: ConnectionState = { status: 'reconnecting', detail: 'The connection was lost.', code: 1006, retryAt: 1003.2 };

type Method = (args: Readonly<Record<string, unknown>>) => unknown;

/** A page's client whose server is a table of functions; counts what it is asked. */
export class FakeClient implements InspectorClient {
  state: ConnectionState = LIVE;
  readonly calls: { readonly method: string; readonly args: Readonly<Record<string, unknown>> }[] = [];
  readonly sent: { readonly kind: Kind; readonly name: string; readonly content: unknown }[] = [];
  receipt: Receipt | Error = { members: 0, subscribers: 1, dropped: 0, offset: 7, hint: null };
  holders = 0;
  private readonly watchers = new Set<(state: ConnectionState) => void>();

  constructor(readonly methods: Record<string, Method> = {}) {}

  watchState(callback: (state: ConnectionState) => void): Disposer {
    this.watchers.add(callback);
    callback(this.state);
    return { dispose: () => void this.watchers.delete(callback) };
  }

  become(state: ConnectionState): void {
    this.state = state;
    for (const watcher of [...this.watchers]) {
      watcher(state);
    }
  }

  get watching(): number {
    return this.watchers.size;
  }

  async call(method: string, args: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    this.calls.push({ method, args });
    await Promise.resolve();
    if (this.state.status !== 'live') {
      throw new CallError('unavailable', 'the connection to the server was lost');
    }
    const answer = this.methods[method];
    if (answer === undefined) {
      throw new CallError('bad_request', `no method ${method}`);
    }
    return { value: answer(args), entries: [] };
  }

  async send(kind: Kind, name: string, content: Record<string, unknown>): Promise<Receipt> {
    this.sent.push({ kind, name, content });
    await Promise.resolve();
    if (this.receipt instanceof Error) {
      throw this.receipt;
    }
    return this.receipt;
  }

  /** Groups that are subscribed to, each with its listener. */
  readonly streams = new Map<string, StreamListener>();
  readonly asked: SubscribeOptions[] = [];

  subscribe(group: string, options: SubscribeOptions, listener: StreamListener): Disposer {
    this.asked.push(options);
    this.streams.set(group, listener);
    return { dispose: () => void (this.streams.get(group) === listener && this.streams.delete(group)) };
  }

  /** The server sends a message to a group. */
  push(group: string, content: unknown): void {
    this.streams.get(group)!.messages([{ group, epoch: 'e', offset: 1, time: 0, own: false, retried: false, size: 1, content: () => content }]);
  }

  hold(): Disposer {
    this.holders += 1;
    return { dispose: () => void (this.holders -= 1) };
  }

  count(method: string): number {
    return this.calls.filter(call => call.method === method).length;
  }
}

/** Time that passes when a test says so. */
export class FakePace implements Pace {
  seen = true;
  now = 0;
  private queue: { readonly at: number; readonly run: () => void }[] = [];
  private readonly callbacks = new Set<() => void>();

  after(seconds: number, callback: () => void): () => void {
    const one = { at: this.now + seconds, run: callback };
    this.queue.push(one);
    return () => {
      this.queue = this.queue.filter(other => other !== one);
    };
  }

  visible(): boolean {
    return this.seen;
  }

  onVisibility(callback: () => void): Disposer {
    this.callbacks.add(callback);
    return { dispose: () => void this.callbacks.delete(callback) };
  }

  look(seen: boolean): void {
    this.seen = seen;
    for (const callback of [...this.callbacks]) {
      callback();
    }
  }

  get waiting(): number {
    return this.queue.length;
  }

  async pass(seconds: number): Promise<void> {
    const end = this.now + seconds;
    for (;;) {
      await settle();
      const next = this.queue.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) {
        this.now = end;
        return;
      }
      this.queue = this.queue.filter(one => one !== next);
      this.now = next.at;
      next.run();
    }
  }
}

/** Let promises come to their ends. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
  }
}

function filled(words: string, args: readonly unknown[]): string {
  return words.replace(/%(\d)/g, (_, which: string) => String(args[Number(which) - 1]));
}

/** English, as it stands in the code. */
export const trans = {
  __: (words: string, ...args: unknown[]) => filled(words, args),
  _n: (one: string, many: string, n: number, ...args: unknown[]) => filled(n === 1 ? one : many, [n, ...args])
} as unknown as TranslationBundle;

export interface FakeContext extends Context {
  readonly lettersChanged: Signal<object, void>;
  readonly ran: { readonly command: string; readonly args: unknown }[];
  readonly copied: string[];
}

export function fakeContext(client: FakeClient, pace: Pace = new FakePace()): FakeContext {
  const ran: FakeContext['ran'] = [];
  const copied: string[] = [];
  const api = new Api(client, () => 0);
  return {
    api,
    following: new Following(api, () => ({ path: 'work/a.ipynb', kernel: 'k', views: ['seen'] }), pace),
    lettersChanged: new Signal<object, void>({}),
    settings: new Settings(),
    trans,
    selection: new Selection(),
    now: () => 1000,
    run: (command, args) => void ran.push({ command, args }),
    copy: text => void copied.push(text),
    ran,
    copied
  };
}

/** A frame of the screen, and what it makes. */
export async function frame(): Promise<void> {
  await new Promise(resolve => {
    requestAnimationFrame(resolve);
  });
  await settle();
}

/** The answer of `inspect` with these rows. */
export function changes(rows: readonly unknown[], more = false, gone: readonly string[] = [], time = 1000): unknown {
  return { time, total: rows.length, rows, gone, more };
}
