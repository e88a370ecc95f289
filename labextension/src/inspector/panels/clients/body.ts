import { element } from '../../../views/dom';
import { formatCount } from '../../../views/format';
import type { Context } from '../../context';
import { COMMANDS } from '../../context';
import { baseName, formatAge, formatMoment, formatSize } from '../../parts/format';
import { ListBody, TwoLines } from '../../parts/listbody';
import type { ClientRow, ClientsModel } from './model';

export function clientsBody(context: Context, model: ClientsModel): ListBody<ClientRow> {
  const { trans, selection, run } = context;
  const kinds: Readonly<Record<string, string>> = { page: trans.__('page'), kernel: trans.__('kernel'), script: trans.__('script') };

  /** A kernel is called by its notebook, a page by who looks at it. */
  const nameOf = ({ kind, user, label, key }: ClientRow): string => baseName(label) || (kind === 'page' ? user : '') || key;

  const words = ({ key, kind, user, label, subscriptions, consumers, channels, leases }: ClientRow): string =>
    [
      key,
      // A kernel's user is its own token.
      kind === 'page' && label === '' ? '' : user.startsWith('kernel:') ? '' : user,
      ...(subscriptions > 0 ? [trans._n('%1 subscription', '%1 subscriptions', subscriptions)] : []),
      ...(consumers > 0 ? [trans._n('%1 consumer', '%1 consumers', consumers)] : []),
      ...(channels > 0 ? [trans._n('%1 channel', '%1 channels', channels)] : []),
      ...(leases > 0 ? [trans.__('%1 in hand', formatCount(leases))] : [])
    ]
      .filter(part => part !== '')
      .join(' · ');

  return new ListBody<ClientRow>(context, model, {
    label: trans.__('Clients'),
    height: 42,
    orders: {
      kind: trans.__('by kind'),
      lag: trans.__('by lag'),
      since: trans.__('newest first'),
      user: trans.__('by user')
    },
    empty: { sentence: trans.__('No clients are connected.'), code: '' },
    row: () => {
      const row = new TwoLines('client');
      const kind = element('span', 'nbc-kind');
      row.lead(kind);
      return {
        element: row.element,
        show: client => {
          kind.textContent = kinds[client.kind] ?? client.kind;
          row.tone = !client.connected ? 'quiet' : client.lag > 100 ? 'bad' : 'plain';
          const lag = !client.connected ? trans.__('away') : client.lag > 0 ? trans.__('lag %1', formatCount(client.lag)) : '';
          row.show(nameOf(client), lag, words(client), formatAge(Math.max(0, context.now() - client.since)));
        }
      };
    },
    select: row => {
      selection.target = row === null ? null : { kind: 'client', key: row.key, label: row.label || row.key };
    },
    detail: (row, detail) => {
      const label = row.label || row.key;
      detail.title(label);
      detail.act([
        { label: trans.__('Disconnect…'), title: trans.__('End the connection of this client'), danger: true, run: () => { run(COMMANDS.disconnect, { client: row.key, label }); } }
      ]);
      detail.tell([
        [trans.__('Client'), row.key],
        [trans.__('User'), row.user.startsWith('kernel:') ? '' : row.user],
        [trans.__('Since'), formatMoment(row.since)],
        [trans.__('Connection'), row.connection === null ? trans.__('none now') : String(row.connection)],
        [trans.__('Lag'), row.lag === 0 ? trans.__('none') : trans._n('%1 message', '%1 messages', row.lag)],
        [trans.__('Not yet taken'), row.buffered > 0 ? formatSize(row.buffered) : ''],
        [trans.__('In hand'), row.leases > 0 ? formatCount(row.leases) : '']
      ]);
      const groups = element('div', 'nbc-chips');
      groups.append(...row.groups.map(group => element('span', 'nbc-tag', group)));
      detail.content.replaceChildren(...(row.groups.length === 0 ? [] : [element('div', 'nbc-subtitle', trans.__('Watches')), groups]));
    }
  });
}
