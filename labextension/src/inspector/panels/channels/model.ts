import type { Api } from '../../api';
import { number, text } from '../../api';
import { byNumber, byText, KeyedModel } from '../../keyed';
import type { Pace } from '../../poller';
import { Rate } from '../../rates';

export interface ChannelRow {
  readonly key: string;
  readonly waiting: number;
  readonly bytes: number;
  /** Seconds that the oldest waits. */
  readonly oldest: number;
  readonly capacity: number;
  readonly receivers: number;
  readonly sent: number;
  readonly received: number;
  readonly dropped: number;
  readonly expired: number;
}

export class ChannelsModel extends KeyedModel<ChannelRow> {
  private readonly rates = new Map<string, Rate>();

  constructor(api: Api, seconds: () => number, pace?: Pace) {
    super(
      api,
      'channels',
      [
        { name: 'name', compare: byText(row => row.key) },
        { name: 'waiting', compare: byNumber(row => row.waiting) },
        { name: 'rate', compare: byNumber(row => this.rate(row.key)?.now ?? 0) },
        { name: 'dropped', compare: byNumber(row => row.dropped + row.expired) }
      ],
      seconds,
      pace
    );
  }

  rate(channel: string): Rate | undefined {
    return this.rates.get(channel);
  }

  protected read(row: readonly unknown[]): ChannelRow {
    const [name, waiting, bytes, oldest, capacity, receivers, sent, received, dropped, expired] = row;
    return {
      key: text(name),
      waiting: number(waiting),
      bytes: number(bytes),
      oldest: number(oldest),
      capacity: number(capacity),
      receivers: number(receivers),
      sent: number(sent),
      received: number(received),
      dropped: number(dropped),
      expired: number(expired)
    };
  }

  protected words(row: ChannelRow): string {
    return row.key;
  }

  protected override settled(time: number): void {
    for (const { key, sent } of this.rows.values()) {
      const rate = this.rates.get(key);
      if (rate === undefined) {
        this.rates.set(key, new Rate(sent, time));
      } else {
        rate.update(sent, time);
      }
    }
  }

  protected override forgotten(key: string): void {
    this.rates.delete(key);
  }
}
