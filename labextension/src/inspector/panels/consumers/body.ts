import { element, setText } from '../../../views/dom';
import { formatCount } from '../../../views/format';
import type { DeadLetter } from '../../api';
import { sentence } from '../../api';
import type { Context } from '../../context';
import { COMMANDS } from '../../context';
import type { Detail } from '../../parts/detail';
import { buttons } from '../../parts/detail';
import { baseName, formatRate, formatSpan } from '../../parts/format';
import { letterActions, letterContent } from '../../parts/letter';
import { ListBody, TwoLines } from '../../parts/listbody';
import { Sparkline } from '../../parts/spark';
import type { ConsumerRow, ConsumersModel } from './model';

export function consumersBody(context: Context, model: ConsumersModel): ListBody<ConsumerRow> {
  const { trans, selection, run } = context;
  /** The failure that was asked for; `null`: it has to be asked for anew. */
  let told: { readonly key: string; readonly failed: number } | null = null;
  /** What of it can be seen. */
  let drawn = '';

  const words = ({ function: name, client, held, done, failed, error, connected }: ConsumerRow): string =>
    [
      ...(connected ? [] : [trans.__('away')]),
      ...(failed > 0 ? [trans.__('%1 failed: %2', formatCount(failed), error)] : []),
      ...(held > 0 ? [trans.__('%1 in hand', formatCount(held))] : []),
      trans.__('%1 done', formatCount(done)),
      trans.__('%1 in %2', name, baseName(client))
    ].join(' · ');

  /** What can be read of its newest failure: the server's dead letter, else its diagnosis. */
  const failure = async (row: ConsumerRow): Promise<{ readonly trace: string; readonly letter?: DeadLetter }> => {
    try {
      const letters = await context.api.deadLetters();
      const letter = letters.find(({ channel, consumer }) => channel === row.channel && consumer.startsWith(row.function));
      if (letter !== undefined && letter.traceback !== '') {
        return { trace: letter.traceback, letter };
      }
      const diagnoses = await context.api.diagnoses();
      const said = diagnoses.find(({ kind, client, sentence: words }) => kind === 'consumer-failed' && client === row.client && words.startsWith(`${row.function} failed`));
      return { trace: said?.detail ?? '', ...(letter === undefined ? {} : { letter }) };
    } catch (error) {
      return { trace: sentence(error) };
    }
  };
  const showFailure = async (row: ConsumerRow, detail: Detail): Promise<void> => {
    const asked = { key: row.key, failed: row.failed };
    if (told?.key === asked.key && told.failed === asked.failed) {
      return;
    }
    told = asked;
    if (row.failed === 0) {
      drawn = '';
      detail.content.replaceChildren();
      return;
    }
    const { trace, letter } = await failure(row);
    // Another row may have been selected meanwhile, or this one has failed again.
    if (told !== asked) {
      return;
    }
    // What is the same stays as the reader has opened it.
    const now = JSON.stringify([row.key, row.error, trace, letter?.number]);
    if (now === drawn) {
      return;
    }
    drawn = now;
    const pre = element('pre', 'nbc-trace');
    pre.tabIndex = 0;
    setText(pre, trace);
    detail.content.replaceChildren(
      element('div', 'nbc-error', row.error),
      ...(trace === '' ? [] : [pre]),
      ...(letter === undefined ? [] : [letterContent(context, letter, false), buttons(letterActions(context, letter.number))])
    );
  };
  context.lettersChanged.connect(() => {
    told = null;
    model.hurry();
  });

  return new ListBody<ConsumerRow>(context, model, {
    label: trans.__('Consumers'),
    height: 42,
    orders: {
      channel: trans.__('by channel'),
      failed: trans.__('by failures'),
      rate: trans.__('by rate'),
      slowest: trans.__('by slowest'),
      held: trans.__('by in hand')
    },
    empty: { sentence: trans.__('No consumers yet. Define one in any cell:'), code: '@nb.consume("work")\ndef work(message):\n    print(message)' },
    row: () => {
      const row = new TwoLines('consumer');
      const spark = new Sparkline();
      row.amid(spark.element);
      return {
        element: row.element,
        show: consumer => {
          const rate = model.rate(consumer.key);
          row.tone = consumer.failed > 0 ? 'bad' : !consumer.connected || rate === undefined || rate.isQuiet ? 'quiet' : 'plain';
          spark.show(rate?.points() ?? []);
          row.show(consumer.channel, formatRate(rate?.now ?? 0), words(consumer), consumer.slowest > 0 ? `≤ ${formatSpan(consumer.slowest)}` : '');
        }
      };
    },
    select: row => {
      told = null;
      drawn = '';
      selection.target = row === null ? null : { kind: 'consumer', channel: row.channel, client: row.clientKey };
    },
    activate: () => {
      run(COMMANDS.send);
    },
    detail: (row, detail) => {
      detail.title(`${row.channel} → ${row.function}`);
      detail.act([
        { label: trans.__('Send…'), title: trans.__('Send a message to its channel'), run: () => { run(COMMANDS.send, { kind: 'channel', name: row.channel }); } },
        { label: trans.__('Messages'), title: trans.__('Show the messages of its channel as they come'), run: () => { run(COMMANDS.showMessages, { name: row.channel }); } },
        ...(row.where === 'server' || row.clientKey === '' ? [] : [
          { label: trans.__('Disconnect…'), title: trans.__('Disconnect the client that it belongs to'), danger: true, run: () => { run(COMMANDS.disconnect, { client: row.clientKey, label: row.client }); } }
        ])
      ]);
      detail.tell([
        [trans.__('Runs in'), `${row.client} (${row.where}${row.on === '' ? '' : `, ${row.on}`})`],
        [trans.__('State'), row.connected ? '' : trans.__('away: it comes back with its connection, or ends after a minute')],
        [trans.__('Only if'), row.filters.map(([key, pattern]) => `${key} ~ ${pattern}`).join(', ')],
        [trans.__('In hand'), trans.__('%1 of %2', formatCount(row.held), formatCount(row.credit))],
        [trans.__('Taken'), formatCount(row.taken)],
        [trans.__('Done'), formatCount(row.done)],
        [trans.__('Failed'), row.failed > 0 ? formatCount(row.failed) : ''],
        [trans.__('Put back'), row.later > 0 ? formatCount(row.later) : ''],
        [trans.__('Slowest'), row.slowest > 0 ? formatSpan(row.slowest) : '']
      ]);
      void showFailure(row, detail);
    },
    isStale: () => told === null
  });
}
