import { element, setText } from '../../../views/dom';
import { formatCount } from '../../../views/format';
import type { Context } from '../../context';
import { COMMANDS } from '../../context';
import { Detail } from '../../parts/detail';
import { EmptyNote } from '../../parts/empty';
import { baseName, formatAge, formatMoment, formatSize } from '../../parts/format';
import { letterActions, letterContent } from '../../parts/letter';
import type { Selected } from '../../parts/list';
import { VirtualList } from '../../parts/list';
import { TwoLines } from '../../parts/listbody';
import type { Badge, Body } from '../../section';
import type { Problem, ProblemsModel } from './model';

/** What went wrong: messages that were given up, and mistakes that nobody would have seen. */
export class ProblemsBody implements Body {
  readonly element = element('div', 'nbc-panel');
  private readonly list: VirtualList<Problem>;
  private readonly empty: EmptyNote;
  private readonly detail: Detail;
  /** The key of the problem whose details are open. */
  private shown: string | null = null;

  constructor(
    private readonly context: Context,
    private readonly model: ProblemsModel
  ) {
    const { trans } = context;
    this.list = new VirtualList<Problem>({
      label: trans.__('Problems'),
      height: 42,
      make: () => this.row(),
      selected: (problem, how) => {
        this.choose(problem, how);
      }
    });
    this.detail = new Detail(trans.__('Problem'), trans.__('Close the details'), () => {
      this.list.select(null);
      this.list.element.focus();
    });
    this.empty = new EmptyNote(context);
    const split = element('div', 'nbc-split');
    split.append(this.list.element, this.empty.element, this.detail.element);
    this.element.append(split);
  }

  update(): void {
    const { model, context, detail } = this;
    const { trans } = context;
    const { problems } = model;
    this.list.set(problems);
    this.list.element.hidden = problems.length === 0;
    if (this.shown !== null && !problems.some(({ key }) => key === this.shown)) {
      detail.act([]);
      detail.note(trans.__('This is gone.'));
      this.shown = null;
    }
    if (model.refusal !== null) {
      this.empty.show(model.refusal);
    } else if (problems.length > 0) {
      this.empty.hide();
    } else {
      this.empty.show(model.loaded ? trans.__('No problems: no dead letters, nothing to report.') : trans.__('Waiting for the server.'));
    }
  }

  badge(): Badge | null {
    const { count } = this.model;
    return count === 0 ? null : { text: formatCount(count), label: this.context.trans._n('%1 problem', '%1 problems', count), tone: 'bad' };
  }

  dispose(): void {
    this.list.dispose();
  }

  private row(): { element: HTMLElement; show(problem: Problem): void } {
    const lines = new TwoLines('problem');
    const kind = element('span', 'nbc-kind');
    const { context } = this;
    const { trans } = context;
    lines.lead(kind);
    return {
      element: lines.element,
      show: problem => {
        lines.element.dataset['nbc'] = problem.kind;
        kind.hidden = problem.kind !== 'dead';
        const age = formatAge(Math.max(0, context.now() - problem.time));
        if (problem.kind === 'dead') {
          const { channel, error, reason, number } = problem.letter;
          lines.tone = 'bad';
          setText(kind, trans.__('dead letter'));
          lines.show(`${channel} #${number}`, age, error || reason, '');
        } else {
          const { kind: name, sentence, client, count } = problem.diagnosis;
          lines.tone = 'plain';
          lines.show(name, age, sentence, count > 1 ? `×${formatCount(count)}` : baseName(client));
        }
      }
    };
  }

  private choose(problem: Problem | null, how: Selected): void {
    const { trans, selection, run, copy } = this.context;
    const { detail } = this;
    if (problem === null) {
      selection.target = null;
      this.shown = null;
      detail.close();
      return;
    }
    selection.target =
      problem.kind === 'dead'
        ? { kind: 'dead', letter: problem.letter }
        : { kind: 'diagnosis', number: problem.diagnosis.number, text: `${problem.diagnosis.sentence}\n${problem.diagnosis.detail}`.trim() };
    if (how === 'point' && !detail.isOpen) {
      return;
    }
    this.shown = problem.key;
    if (problem.kind === 'dead') {
      const { letter } = problem;
      detail.open(trans.__('Dead letter %1 of %2', letter.number, letter.channel));
      detail.act(letterActions(this.context, letter.number));
      detail.tell([
        [trans.__('Why'), letter.reason],
        [trans.__('Consumer'), letter.consumer],
        [trans.__('Given up'), formatMoment(letter.time)],
        [trans.__('Sent'), formatMoment(letter.sent)],
        [trans.__('Tried again'), letter.retries > 0 ? formatCount(letter.retries) : ''],
        [trans.__('Size'), formatSize(letter.bytes)]
      ]);
      this.words(letter.error, letter.traceback);
      detail.content.append(letterContent(this.context, letter, true));
    } else {
      const { diagnosis } = problem;
      detail.open(diagnosis.kind);
      detail.act([
        { label: trans.__('Copy'), title: trans.__('Copy the sentence and its details'), run: () => { copy(`${diagnosis.sentence}\n${diagnosis.detail}`.trim()); } },
        { label: trans.__('Dismiss'), title: trans.__('Forget it; if it happens again, it is told again'), run: () => { run(COMMANDS.dismiss, { number: diagnosis.number }); } }
      ]);
      detail.tell([
        [trans.__('Where'), `${diagnosis.client} (${diagnosis.where})`],
        [trans.__('Last'), formatMoment(diagnosis.time)],
        [trans.__('Times'), formatCount(diagnosis.count)]
      ]);
      this.words(diagnosis.sentence, diagnosis.detail);
    }
    detail.takeFocus(this.list.element);
  }

  private words(sentence: string, more: string): void {
    const nodes: HTMLElement[] = [];
    if (sentence !== '') {
      nodes.push(element('div', 'nbc-error', sentence));
    }
    if (more !== '') {
      const trace = element('pre', 'nbc-trace', more);
      trace.tabIndex = 0;
      nodes.push(trace);
    }
    this.detail.content.replaceChildren(...nodes);
  }
}
