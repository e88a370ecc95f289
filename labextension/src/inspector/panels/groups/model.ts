import type { Api } from '../../api';
import { number, text } from '../../api';
import { byNumber, byText, KeyedModel } from '../../keyed';
import type { Pace } from '../../poller';
import { Rate } from '../../rates';

export interface GroupRow {
  readonly key: string;
  /** Of the newest message: how many were ever sent in this epoch. */
  readonly offset: number;
  /** Kept in the log. */
  readonly messages: number;
  readonly bytes: number;
  readonly subscribers: number;
  readonly members: number;
  /** Seconds since 1970. */
  readonly last: number | null;
  readonly epoch: string;
}

/** Names that nbchannels uses itself; they stand at the end. */
const RESERVED = 'nbchannels.';

/** What people made comes first. */
function reservedLast(compare: (a: GroupRow, b: GroupRow) => number): (a: GroupRow, b: GroupRow) => number {
  return (a, b) => Number(a.key.startsWith(RESERVED)) - Number(b.key.startsWith(RESERVED)) || compare(a, b);
}

export class GroupsModel extends KeyedModel<GroupRow> {
  private readonly rates = new Map<string, Rate>();

  constructor(api: Api, seconds: () => number, pace?: Pace) {
    super(
      api,
      'groups',
      [
        { name: 'name', compare: reservedLast(byText(row => row.key)) },
        { name: 'rate', compare: reservedLast(byNumber(row => this.rate(row.key)?.now ?? 0)) },
        { name: 'messages', compare: reservedLast(byNumber(row => row.messages)) },
        { name: 'bytes', compare: reservedLast(byNumber(row => row.bytes)) },
        { name: 'last', compare: reservedLast(byNumber(row => row.last ?? 0)) }
      ],
      seconds,
      pace
    );
  }

  rate(group: string): Rate | undefined {
    return this.rates.get(group);
  }

  protected read(row: readonly unknown[]): GroupRow {
    const [name, offset, messages, bytes, subscribers, members, last, epoch] = row;
    return {
      key: text(name),
      offset: number(offset),
      messages: number(messages),
      bytes: number(bytes),
      subscribers: number(subscribers),
      members: number(members),
      last: typeof last === 'number' ? last : null,
      epoch: text(epoch)
    };
  }

  protected words(row: GroupRow): string {
    return row.key;
  }

  protected override settled(time: number): void {
    for (const { key, offset } of this.rows.values()) {
      const rate = this.rates.get(key);
      if (rate === undefined) {
        this.rates.set(key, new Rate(offset, time));
      } else {
        rate.update(offset, time);
      }
    }
  }

  protected override forgotten(key: string): void {
    this.rates.delete(key);
  }
}
