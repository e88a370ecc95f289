import type { Api } from '../../api';
import { list, number, text } from '../../api';
import { byNumber, byText, KeyedModel } from '../../keyed';
import type { Pace } from '../../poller';
import { Rate } from '../../rates';

export interface ConsumerRow {
  readonly key: string;
  readonly channel: string;
  readonly function: string;
  /** A notebook's path, a script's name. */
  readonly client: string;
  readonly where: string;
  /** main, thread, loop … */
  readonly on: string;
  readonly filters: readonly (readonly [key: string, pattern: string])[];
  readonly connected: boolean;
  readonly held: number;
  readonly credit: number;
  readonly taken: number;
  readonly done: number;
  readonly failed: number;
  readonly later: number;
  /** Seconds. */
  readonly slowest: number;
  readonly error: string;
  readonly clientKey: string;
}

export class ConsumersModel extends KeyedModel<ConsumerRow> {
  private readonly rates = new Map<string, Rate>();

  constructor(api: Api, seconds: () => number, pace?: Pace) {
    super(
      api,
      'consumers',
      [
        { name: 'channel', compare: byText(row => `${row.channel} ${row.key}`) },
        { name: 'failed', compare: byNumber(row => row.failed) },
        { name: 'rate', compare: byNumber(row => this.rate(row.key)?.now ?? 0) },
        { name: 'slowest', compare: byNumber(row => row.slowest) },
        { name: 'held', compare: byNumber(row => row.held) }
      ],
      seconds,
      pace
    );
  }

  rate(consumer: string): Rate | undefined {
    return this.rates.get(consumer);
  }

  protected read(row: readonly unknown[]): ConsumerRow {
    const [key, channel, name, client, where, on, filters, connected, held, credit, taken, done, failed, later, slowest, error, clientKey] = row;
    return {
      key: text(key),
      channel: text(channel),
      function: text(name),
      client: text(client),
      where: text(where),
      on: text(on),
      filters: list(filters).map(step => [text(list(step)[0]), text(list(step)[1])] as const),
      connected: connected !== false,
      held: number(held),
      credit: number(credit),
      taken: number(taken),
      done: number(done),
      failed: number(failed),
      later: number(later),
      slowest: number(slowest),
      error: text(error),
      clientKey: text(clientKey)
    };
  }

  protected words(row: ConsumerRow): string {
    return `${row.channel} ${row.function} ${row.client} ${row.error}`;
  }

  protected override settled(time: number): void {
    for (const { key, taken } of this.rows.values()) {
      const rate = this.rates.get(key);
      if (rate === undefined) {
        this.rates.set(key, new Rate(taken, time));
      } else {
        rate.update(taken, time);
      }
    }
  }

  protected override forgotten(key: string): void {
    this.rates.delete(key);
  }
}
