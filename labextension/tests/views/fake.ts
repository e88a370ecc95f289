import type {
  Client, ConnectionState, Discontinuity, Disposer, Receipt, StreamListener, StreamMessage, StreamStatistics, SubscribeOptions
} from '../../src/client/types';

export const LIVE: ConnectionState = { status: 'live', detail: '', code: null };

/** A page's connection without a network: tests say what comes. */
export class FakeClient implements Client {
  readonly version = 'test';
  state: ConnectionState = LIVE;
  readonly subscriptions: { group: string; options: SubscribeOptions; listener: StreamListener }[] = [];
  readonly published: string[] = [];
  numbers: StreamStatistics | null = null;
  private readonly watchers = new Set<(state: ConnectionState) => void>();
  private offset = 0;

  watchState(callback: (state: ConnectionState) => void): Disposer {
    this.watchers.add(callback);
    callback(this.state);
    return { dispose: () => void this.watchers.delete(callback) };
  }

  setState(state: ConnectionState): void {
    this.state = state;
    this.watchers.forEach(watcher => watcher(state));
  }

  subscribe(group: string, options: SubscribeOptions, listener: StreamListener): Disposer {
    const subscription = { group, options, listener };
    this.subscriptions.push(subscription);
    return { dispose: () => void this.subscriptions.splice(this.subscriptions.indexOf(subscription), 1) };
  }

  publish(group: string): Promise<Receipt> {
    this.published.push(group);
    return Promise.reject(new Error('views never send'));
  }

  statistics(): StreamStatistics | null {
    return this.numbers;
  }

  /** Deliver contents to everyone who listens to `group`. */
  send(group: string, ...contents: unknown[]): void {
    const batch = contents.map(content => message(group, (this.offset += 1), content));
    this.of(group).forEach(listener => listener.messages(batch));
  }

  interrupt(group: string, what: Discontinuity): void {
    this.of(group).forEach(listener => listener.discontinuity?.(what));
  }

  of(group: string): StreamListener[] {
    return this.subscriptions.filter(subscription => subscription.group === group).map(({ listener }) => listener);
  }
}

function message(group: string, offset: number, content: unknown): StreamMessage {
  return {
    group,
    epoch: '00',
    offset,
    time: 1_700_000_000 + offset,
    own: false,
    retried: false,
    size: 100,
    content: () => {
      if (content instanceof Error) {
        throw content;
      }
      return content;
    }
  };
}
