import { element } from '../../../views/dom';
import { formatCount } from '../../../views/format';
import type { Context } from '../../context';
import { COMMANDS } from '../../context';
import { formatRate, formatSize, formatSpan } from '../../parts/format';
import { ListBody, TwoLines } from '../../parts/listbody';
import { Sparkline } from '../../parts/spark';
import type { ChannelRow, ChannelsModel } from './model';

export function channelsBody(context: Context, model: ChannelsModel): ListBody<ChannelRow> {
  const { trans, selection, run } = context;

  const words = ({ waiting, receivers, dropped, expired }: ChannelRow): string =>
    [
      waiting === 0 ? trans.__('empty') : trans.__('%1 waiting', formatCount(waiting)),
      receivers === 0 ? trans.__('nobody receives') : trans._n('%1 receiver', '%1 receivers', receivers),
      ...(dropped > 0 ? [trans.__('%1 dropped', formatCount(dropped))] : []),
      ...(expired > 0 ? [trans.__('%1 expired', formatCount(expired))] : [])
    ].join(' · ');

  return new ListBody<ChannelRow>(context, model, {
    label: trans.__('Channels'),
    height: 46,
    orders: {
      name: trans.__('by name'),
      waiting: trans.__('by depth'),
      rate: trans.__('by rate'),
      dropped: trans.__('by losses')
    },
    empty: { sentence: trans.__('No channels yet. Send to one from any cell:'), code: 'nb.Channel("work").send({"n": 1})' },
    row: () => {
      const row = new TwoLines('channel');
      const spark = new Sparkline();
      const meter = element('div', 'nbc-meter');
      const bar = element('div', 'nbc-meter-bar');
      meter.append(bar);
      row.amid(spark.element);
      row.element.append(meter);
      return {
        element: row.element,
        show: channel => {
          const rate = model.rate(channel.key);
          const { waiting, receivers, dropped, expired, capacity, oldest } = channel;
          row.tone = dropped + expired > 0 || (waiting > 0 && receivers === 0) ? 'bad' : rate === undefined || rate.isQuiet ? 'quiet' : 'plain';
          spark.show(rate?.points() ?? []);
          const full = capacity > 0 ? Math.min(1, waiting / capacity) : 0;
          bar.style.width = `${(full * 100).toFixed(1)}%`;
          bar.dataset['tone'] = full > 0.8 ? 'bad' : 'plain';
          row.show(channel.key, formatRate(rate?.now ?? 0), words(channel), waiting > 0 ? formatSpan(oldest) : '');
        }
      };
    },
    select: row => {
      selection.target = row === null ? null : { kind: 'channel', name: row.key };
    },
    activate: () => {
      run(COMMANDS.send);
    },
    detail: (row, detail) => {
      const name = row.key;
      detail.act([
        { label: trans.__('Send…'), title: trans.__('Send a message to this channel'), run: () => { run(COMMANDS.send, { kind: 'channel', name }); } },
        { label: trans.__('Cell'), title: trans.__('Insert a cell with a consumer of this channel'), run: () => { run(COMMANDS.insertConsumer, { channel: name }); } },
        { label: trans.__('Messages'), title: trans.__('Show the messages of this channel as they come'), run: () => { run(COMMANDS.showMessages, { name }); } }
      ]);
      detail.tell([
        [trans.__('Waiting'), trans.__('%1 of %2, %3', formatCount(row.waiting), formatCount(row.capacity), formatSize(row.bytes))],
        [trans.__('Oldest waits'), row.waiting > 0 ? formatSpan(row.oldest) : ''],
        [trans.__('Receivers'), formatCount(row.receivers)],
        [trans.__('Sent'), formatCount(row.sent)],
        [trans.__('Received'), formatCount(row.received)],
        [trans.__('Dropped'), row.dropped > 0 ? formatCount(row.dropped) : ''],
        [trans.__('Expired'), row.expired > 0 ? formatCount(row.expired) : '']
      ]);
      if (row.waiting > 0 && row.receivers === 0) {
        detail.note(trans.__('Messages wait and nobody receives them: insert a cell with a consumer, or run the notebook that has it.'));
      } else {
        detail.content.replaceChildren();
      }
    }
  });
}
