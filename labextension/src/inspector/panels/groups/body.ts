import { element } from '../../../views/dom';
import { formatCount } from '../../../views/format';
import { sentence } from '../../api';
import type { Context } from '../../context';
import { COMMANDS } from '../../context';
import type { Detail } from '../../parts/detail';
import { formatAge, formatMoment, formatRate, formatSize } from '../../parts/format';
import type { Columns } from '../../parts/listbody';
import { ListBody, TwoLines } from '../../parts/listbody';
import { Sparkline } from '../../parts/spark';
import type { GroupRow, GroupsModel } from './model';

/** Seconds after which who is in the group is asked again: the numbers are of this server, the people of all. */
const AGAIN = 5;

/** Who is in the group is asked again when its numbers have changed. */
interface Asked {
  readonly key: string;
  readonly at: number;
  readonly subscribers: number;
  readonly members: number;
}

export function groupsBody(context: Context, model: GroupsModel): ListBody<GroupRow> {
  const { trans, selection, run } = context;
  let asked: Asked | null = null;

  const words = ({ subscribers, members, messages, bytes }: GroupRow): string =>
    [
      trans._n('%1 subscriber', '%1 subscribers', subscribers),
      ...(members > 0 ? [trans._n('%1 member', '%1 members', members)] : []),
      trans.__('%1 kept, %2', formatCount(messages), formatSize(bytes))
    ].join(' · ');

  const present = async ({ key, subscribers, members }: GroupRow, detail: Detail): Promise<void> => {
    const at = context.now();
    if (asked?.key === key && asked.subscribers === subscribers && asked.members === members && at - asked.at < AGAIN) {
      return;
    }
    asked = { key, at, subscribers, members };
    try {
      const found = await context.api.presence(key);
      if (selection.target?.kind !== 'group' || selection.target.name !== key) {
        return;
      }
      const items = found.slice(0, 50).map(({ kind, user, label, as, here }) => {
        const item = element('li', 'nbc-person');
        item.append(element('span', 'nbc-kind', kind), element('span', 'nbc-person-name', label || user || trans.__('unnamed')));
        // A kernel's user is its own token.
        if (label !== '' && user !== '' && !user.startsWith('kernel:')) {
          item.append(element('span', 'nbc-muted', user));
        }
        const how = as === 'member' ? trans.__('member') : trans.__('subscriber');
        item.append(element('span', 'nbc-muted nbc-far', here ? how : trans.__('%1, elsewhere', how)));
        if (!here) {
          item.title = trans.__('Not a client of this server: of another one, or of Redis itself');
        }
        return item;
      });
      const list = element('ul', 'nbc-people');
      list.append(...items);
      if (found.length > 50) {
        list.append(element('li', 'nbc-muted', trans.__('and %1 more', formatCount(found.length - 50))));
      }
      detail.content.replaceChildren(
        element('div', 'nbc-subtitle', trans.__('Who is here')),
        found.length === 0 ? element('div', 'nbc-muted', trans.__('Nobody watches this group now.')) : list
      );
    } catch (error) {
      detail.note(sentence(error));
    }
  };

  const columns: Columns<GroupRow> = {
    label: trans.__('Groups'),
    height: 42,
    orders: {
      name: trans.__('by name'),
      rate: trans.__('by rate'),
      messages: trans.__('by messages'),
      bytes: trans.__('by size'),
      last: trans.__('newest first')
    },
    empty: { sentence: trans.__('No groups yet. Send a message from any cell:'), code: 'nb.Group("hello").send({"y": 1})' },
    row: () => {
      const row = new TwoLines('group');
      const spark = new Sparkline();
      row.amid(spark.element);
      return {
        element: row.element,
        show: group => {
          const rate = model.rate(group.key);
          row.tone = rate === undefined || rate.isQuiet ? 'quiet' : 'plain';
          spark.show(rate?.points() ?? []);
          row.show(group.key, formatRate(rate?.now ?? 0), words(group), group.last === null ? '' : formatAge(Math.max(0, context.now() - group.last)));
        }
      };
    },
    select: row => {
      asked = null;
      selection.target = row === null ? null : { kind: 'group', name: row.key };
    },
    activate: () => {
      run(COMMANDS.plot);
    },
    detail: (row, detail) => {
      const group = row.key;
      detail.act([
        { label: trans.__('Plot'), title: trans.__('Open a live plot of this group'), run: () => { run(COMMANDS.plot, { group }); } },
        { label: trans.__('Cell'), title: trans.__('Insert a cell that plots this group'), run: () => { run(COMMANDS.insertWatch, { group }); } },
        { label: trans.__('Send…'), title: trans.__('Send a message to this group'), run: () => { run(COMMANDS.send, { kind: 'group', name: group }); } },
        { label: trans.__('Messages'), title: trans.__('Show the messages of this group as they come'), run: () => { run(COMMANDS.showMessages, { name: group }); } },
        { label: trans.__('Clear…'), title: trans.__('Forget all messages of this group'), danger: true, run: () => { run(COMMANDS.clear, { group }); } }
      ]);
      detail.tell([
        [trans.__('Sent'), formatCount(row.offset)],
        [trans.__('Kept'), `${formatCount(row.messages)} · ${formatSize(row.bytes)}`],
        [trans.__('Newest'), row.last === null ? '' : formatMoment(row.last)]
      ]);
      void present(row, detail);
    }
  };
  return new ListBody(context, model, columns);
}
