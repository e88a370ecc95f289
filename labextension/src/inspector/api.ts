/**
 * What the inspector asks of the server, with types. Everything goes over the page's one connection, and whoever does not
 * ask costs nothing; only that there are problems is told unasked (see `announcements`). What comes back is read with care, as other people's text is in it.
 */

import type { Answer } from '../client/calls';
import type { ConnectionState, Disposer, Receipt, StreamListener, SubscribeOptions } from '../client/types';

export type Kind = 'group' | 'channel';

/** The part of the page's client that the inspector needs. */
export interface InspectorClient {
  readonly state: ConnectionState;
  watchState(callback: (state: ConnectionState) => void): Disposer;
  call(method: string, args?: Readonly<Record<string, unknown>>): Promise<Answer>;
  send(kind: Kind, name: string, content: Record<string, unknown>): Promise<Receipt>;
  subscribe(group: string, options: SubscribeOptions, listener: StreamListener): Disposer;
  /** Keep the connection open until disposed of. */
  hold(): Disposer;
}

export type PanelName = 'groups' | 'channels' | 'consumers' | 'clients';

/** What changed in a panel since it was asked for last. */
export interface Changes {
  /** The server's clock, in seconds since 1970. */
  readonly time: number;
  readonly total: number;
  readonly rows: readonly (readonly unknown[])[];
  readonly gone: readonly string[];
  readonly more: boolean;
}

export interface LayerFacts {
  readonly alias: string;
  readonly backend: string;
  /** Where it lives. */
  readonly where: string;
  /** Other servers may be on it too: what is counted is of this one, but groups, channels and dead letters. */
  readonly shared: boolean;
  /** Why it does not answer now. */
  readonly trouble: string;
  readonly version: string;
  /** Seconds. */
  readonly uptime: number;
  readonly statistics: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly clients: number;
  /** Limits by name. */
  readonly capacity: Readonly<Record<string, number>>;
  /** Seconds that the server's loop is late. */
  readonly loopDelay: number;
  /** Seconds from the question to the answer. */
  readonly roundTrip: number;
}

/** A message that went by. */
export interface TailRow {
  readonly key: string;
  readonly number: number;
  readonly kind: Kind;
  readonly name: string;
  readonly time: number;
  readonly sender: number;
  readonly size: number;
  readonly codec: string;
  readonly offset: number | null;
  readonly preview: unknown;
  readonly omitted: string | null;
}

export interface TailFilter {
  readonly name: string;
  readonly text: string;
  readonly sender: number | null;
  readonly least: number | null;
  readonly kind: Kind | null;
}

export interface Tail {
  readonly top: number;
  readonly missed: number;
  readonly rows: readonly TailRow[];
}

/** A message in full, as far as it can be shown. */
export interface WholeMessage {
  readonly message: unknown;
  readonly omitted: string | null;
  /** Of its first bytes. */
  readonly hex: string;
}

export interface DeadLetter {
  readonly number: number;
  readonly channel: string;
  readonly reason: string;
  readonly error: string;
  readonly traceback: string;
  readonly consumer: string;
  readonly time: number;
  readonly sent: number;
  readonly retries: number;
  readonly bytes: number;
}

export interface Diagnosis {
  readonly number: number;
  readonly kind: string;
  readonly sentence: string;
  readonly subject: string;
  readonly detail: string;
  readonly client: string;
  readonly where: string;
  readonly count: number;
  readonly time: number;
}

export interface Present {
  readonly kind: string;
  readonly user: string;
  readonly label: string;
  readonly as: string;
  /** Whether it is a client of this server. */
  readonly here: boolean;
}

/** What belongs to a notebook; channels may be globs. */
export interface Belongings {
  readonly groups: readonly string[];
  readonly channels: readonly string[];
  readonly clients: readonly string[];
}

export interface Names {
  readonly groups: readonly string[];
  readonly channels: readonly string[];
}

export class Api {
  constructor(
    readonly client: InspectorClient,
    private readonly clock: () => number = () => performance.now() / 1000
  ) {}

  async inspect(panel: PanelName, reset: boolean): Promise<Changes> {
    const told = record(await this.ask('inspect', { panel, reset }));
    return {
      time: number(told.time),
      total: number(told.total),
      rows: list(told.rows).filter((row): row is unknown[] => Array.isArray(row)),
      gone: list(told.gone).map(text),
      more: told.more === true
    };
  }

  async layer(): Promise<LayerFacts> {
    const begin = this.clock();
    const told = record(await this.ask('inspect_layer', {}));
    return {
      alias: text(told.alias),
      backend: text(told.backend),
      where: text(told.where),
      shared: told.shared === true,
      trouble: text(told.trouble),
      version: text(told.version),
      uptime: number(told.uptime),
      statistics: numbers(told.statistics),
      connections: number(told.connections),
      clients: number(told.clients),
      capacity: numbers(told.capacity),
      loopDelay: number(told.loop_delay),
      roundTrip: this.clock() - begin
    };
  }

  /** Have the server keep what goes by from now on, for ten seconds; `tail` renews it. Returns the newest number. */
  async startTail(): Promise<number> {
    return number(record(await this.ask('tail', { on: true })).top);
  }

  async tail(after: number, limit: number, filter: TailFilter): Promise<Tail> {
    const told = record(
      await this.ask('tail_read', {
        after,
        limit,
        name: filter.name === '' ? null : filter.name,
        text: filter.text === '' ? null : filter.text,
        sender: filter.sender,
        least: filter.least,
        kind: filter.kind
      })
    );
    return { top: number(told.top), missed: number(told.missed), rows: list(told.rows).map(tailRow) };
  }

  async message({ kind, name, number: which }: Pick<TailRow, 'kind' | 'name' | 'number'>): Promise<WholeMessage> {
    return wholeMessage(await this.ask('inspect_message', { kind, name, number: which }));
  }

  async deadLetters(limit = 20): Promise<DeadLetter[]> {
    return list(await this.ask('dead_letters', { limit, contents: false })).map(one => {
      const told = record(one);
      return {
        number: number(told.number),
        channel: text(told.channel),
        reason: text(told.reason),
        error: text(told.error),
        traceback: text(told.traceback),
        consumer: text(told.consumer),
        time: number(told.time),
        sent: number(told.sent),
        retries: number(told.retries),
        bytes: number(told.bytes)
      };
    });
  }

  async resend(which: number): Promise<void> {
    await this.ask('resend', { number: which });
  }

  async discard(which: number): Promise<void> {
    await this.ask('discard', { number: which });
  }

  async diagnoses(): Promise<Diagnosis[]> {
    const told = record(await this.ask('diagnoses', {}));
    return list(told.diagnoses).map(one => {
      const { number: which, kind, sentence, subject, detail, client, where, count, time } = record(one);
      return {
        number: number(which),
        kind: text(kind),
        sentence: text(sentence),
        subject: text(subject),
        detail: text(detail),
        client: text(client),
        where: text(where),
        count: number(count),
        time: number(time)
      };
    });
  }

  /** Forget a diagnosis; if it happens again, it is told again. `null`: all of them. */
  async dismiss(which: number | null): Promise<void> {
    await this.ask('dismiss', which === null ? { all: true } : { number: which });
  }

  /** What is in a dead letter. */
  async deadLetter(which: number): Promise<WholeMessage> {
    return wholeMessage(await this.ask('inspect_dead', { number: which }));
  }

  /** What belongs to the processes of a kernel, and to this page's views. */
  async belongings(kernel: string | null, views: readonly string[]): Promise<Belongings> {
    const told = record(await this.ask('belongings', { kernel, views: views.length > 0 }));
    return { groups: list(told.groups).map(text), channels: list(told.channels).map(text), clients: list(told.clients).map(text) };
  }

  async presence(group: string): Promise<Present[]> {
    return list(await this.ask('presence', { group })).map(one => {
      const told = record(one);
      return { kind: text(told.kind), user: text(told.user), label: text(told.label), as: text(told.as), here: told.here !== false };
    });
  }

  async names(): Promise<Names> {
    const told = record(await this.ask('names', {}));
    return { groups: list(told.groups).map(text), channels: list(told.channels).map(text) };
  }

  async clear(group: string): Promise<void> {
    await this.ask('clear', { group });
  }

  async disconnect(client: string): Promise<void> {
    await this.ask('disconnect', { client });
  }

  private async ask(method: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    return (await this.client.call(method, args)).value;
  }
}

function wholeMessage(answer: unknown): WholeMessage {
  const told = record(answer);
  return { message: told.message, omitted: optional(told.omitted), hex: text(told.hex) };
}

function tailRow(row: unknown): TailRow {
  const [which, kind, name, time, sender, size, codec, offset, preview, omitted] = list(row);
  return {
    // A restarted server counts anew.
    key: `${number(which)}@${number(time)}`,
    number: number(which),
    kind: kind === 'channel' ? 'channel' : 'group',
    name: text(name),
    time: number(time),
    sender: number(sender),
    size: number(size),
    codec: text(codec),
    offset: typeof offset === 'number' ? offset : null,
    preview,
    omitted: optional(omitted)
  };
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function optional(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {};
}

function numbers(value: unknown): Record<string, number> {
  return Object.fromEntries(Object.entries(record(value)).filter((pair): pair is [string, number] => typeof pair[1] === 'number'));
}

/** What went wrong, as a sentence. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
