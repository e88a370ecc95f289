import type { Api } from '../../api';
import { list, number, text } from '../../api';
import { byNumber, byText, KeyedModel } from '../../keyed';
import type { Pace } from '../../poller';

export interface ClientRow {
  readonly key: string;
  readonly kind: string;
  readonly user: string;
  readonly label: string;
  readonly connected: boolean;
  /** Seconds since 1970. */
  readonly since: number;
  readonly subscriptions: number;
  readonly channels: number;
  readonly consumers: number;
  readonly leases: number;
  /** Messages that it has not been sent yet. */
  readonly lag: number;
  readonly buffered: number;
  readonly connection: number | null;
  readonly groups: readonly string[];
}

export class ClientsModel extends KeyedModel<ClientRow> {
  constructor(api: Api, seconds: () => number, pace?: Pace) {
    super(
      api,
      'clients',
      [
        { name: 'kind', compare: byText(row => `${row.kind} ${row.label} ${row.key}`) },
        { name: 'lag', compare: byNumber(row => row.lag) },
        { name: 'since', compare: byNumber(row => row.since) },
        { name: 'user', compare: byText(row => `${row.user} ${row.key}`) }
      ],
      seconds,
      pace
    );
  }

  /** What a connection's number stands for. */
  nameOf(connection: number): string {
    for (const row of this.rows.values()) {
      if (row.connection === connection) {
        return row.label || row.key;
      }
    }
    return String(connection);
  }

  protected read(row: readonly unknown[]): ClientRow {
    const [key, kind, user, label, connected, since, subscriptions, channels, consumers, leases, lag, buffered, connection, groups] = row;
    return {
      key: text(key),
      kind: text(kind),
      user: text(user),
      label: text(label),
      connected: connected === true,
      since: number(since),
      subscriptions: number(subscriptions),
      channels: number(channels),
      consumers: number(consumers),
      leases: number(leases),
      lag: number(lag),
      buffered: number(buffered),
      connection: typeof connection === 'number' ? connection : null,
      groups: list(groups).map(text)
    };
  }

  protected words(row: ClientRow): string {
    return `${row.kind} ${row.user} ${row.label} ${row.key} ${row.groups.join(' ')}`;
  }
}
