import type { TranslationBundle } from '@jupyterlab/translation';

import type { Receipt } from '../../client/types';
import { isChannelName, isGroupName } from '../../protocol/names';
import { element, setText } from '../../views/dom';
import type { Api, Kind, Names } from '../api';
import { sentence } from '../api';

/** What the form begins with. */
export interface Draft {
  readonly kind: Kind;
  readonly name: string;
  readonly content: string;
  /** What to know before it is sent. */
  readonly note?: string;
}

let forms = 0;

/** The form for a message: where to, and what, checked while it is written. It stays open: one may send again. */
export class SendForm {
  readonly element = element('form', 'nbc-form');
  private readonly kind = element('select', 'nbc-order');
  private readonly name = element('input', 'nbc-search');
  private readonly content = element('textarea', 'nbc-json');
  private readonly problem = element('div', 'nbc-problem');
  private readonly answer = element('div', 'nbc-answer');
  private readonly button = element('button', 'nbc-primary');
  private readonly options = element('datalist');
  private names: Names = { groups: [], channels: [] };
  private sending = false;

  constructor(
    private readonly api: Api,
    private readonly trans: TranslationBundle,
    draft: Draft
  ) {
    const id = `nbc-form-${++forms}`;
    for (const [value, label] of [['group', trans.__('group')], ['channel', trans.__('channel')]] as const) {
      const option = element('option', '', label);
      option.value = value;
      this.kind.append(option);
    }
    this.kind.value = draft.kind;
    this.kind.setAttribute('aria-label', trans.__('Group or channel'));
    this.name.value = draft.name;
    this.name.placeholder = trans.__('name');
    this.name.setAttribute('aria-label', trans.__('Name'));
    this.name.spellcheck = false;
    this.options.id = `${id}-names`;
    this.name.setAttribute('list', this.options.id);
    this.content.value = draft.content;
    this.content.rows = 8;
    this.content.spellcheck = false;
    this.content.setAttribute('aria-label', trans.__('Message as JSON'));
    this.problem.id = `${id}-problem`;
    this.problem.setAttribute('role', 'alert');
    this.content.setAttribute('aria-describedby', this.problem.id);
    this.answer.setAttribute('role', 'status');
    this.button.type = 'submit';
    setText(this.button, trans.__('Send'));
    this.button.title = trans.__('Send (Ctrl+Enter)');
    const place = element('div', 'nbc-form-place');
    place.append(this.kind, this.name, this.options);
    const foot = element('div', 'nbc-form-foot');
    foot.append(this.answer, this.button);
    this.element.append(place, ...(draft.note === undefined ? [] : [element('div', 'nbc-note', draft.note)]), this.content, this.problem, foot);
    this.element.addEventListener('submit', event => {
      event.preventDefault();
      void this.send();
    });
    // The dialog around it would take Enter for "close".
    this.element.addEventListener('keydown', event => {
      if (event.key === 'Enter') {
        event.stopPropagation();
        if (event.ctrlKey || event.metaKey) {
          event.preventDefault();
          void this.send();
        }
      }
    });
    for (const input of [this.name, this.content]) {
      input.addEventListener('input', () => {
        this.check();
      });
    }
    this.kind.addEventListener('change', () => {
      this.complete();
      this.check();
    });
    this.check();
  }

  /** Put the names that the server knows behind the name. */
  async load(): Promise<void> {
    try {
      this.names = await this.api.names();
      this.complete();
    } catch {
      // Names can be typed too.
    }
  }

  focus(): void {
    (this.name.value === '' ? this.name : this.content).focus();
  }

  async send(): Promise<void> {
    const { trans } = this;
    const content = this.check();
    if (content === null || this.sending) {
      return;
    }
    this.sending = true;
    this.button.disabled = true;
    this.answer.dataset['tone'] = 'plain';
    setText(this.answer, trans.__('Sending…'));
    try {
      const receipt = await this.api.client.send(this.target, this.name.value, content);
      this.answer.dataset['tone'] = receipt.hint === null && receipt.dropped === 0 ? 'good' : 'bad';
      setText(this.answer, receiptSentence(receipt, this.target, trans));
    } catch (error) {
      this.answer.dataset['tone'] = 'bad';
      setText(this.answer, sentence(error));
    }
    this.sending = false;
    this.button.disabled = false;
  }

  private get target(): Kind {
    return this.kind.value === 'channel' ? 'channel' : 'group';
  }

  private complete(): void {
    const names = this.target === 'group' ? this.names.groups : this.names.channels;
    this.options.replaceChildren(
      ...names.map(name => {
        const option = element('option');
        option.value = name;
        return option;
      })
    );
  }

  /** The message, or `null` and a sentence in the form. */
  private check(): Record<string, unknown> | null {
    const { trans } = this;
    const name = this.name.value;
    const named = this.target === 'group' ? isGroupName(name) : isChannelName(name);
    let problem = named || name === '' ? '' : trans.__('A name has ASCII letters, digits and "-", "_", "." only, at most 99.');
    let content: unknown = null;
    try {
      content = JSON.parse(this.content.value);
      if (problem === '' && (typeof content !== 'object' || content === null || Array.isArray(content))) {
        problem = trans.__('A message is an object: {"key": value}');
      }
    } catch (error) {
      problem ||= trans.__('This is no JSON yet: %1', sentence(error));
    }
    setText(this.problem, problem);
    this.name.setAttribute('aria-invalid', String(!named && name !== ''));
    this.button.disabled = problem !== '' || name === '' || this.sending;
    return problem === '' && name !== '' ? (content as Record<string, unknown>) : null;
  }
}

/** Where it went, as Python's receipt says it. */
export function receiptSentence({ members, subscribers, dropped, offset, hint }: Receipt, kind: Kind, trans: TranslationBundle): string {
  const parts: string[] = [];
  if (kind === 'group') {
    parts.push(subscribers === null ? trans.__('receivers not known') : trans._n('%1 subscriber', '%1 subscribers', subscribers));
    if (members !== null && members > 0) {
      parts.push(trans._n('%1 member', '%1 members', members));
    }
    if (offset !== null) {
      parts.push(trans.__('offset %1', offset));
    }
  } else if (members !== null && members > 0) {
    parts.push(trans._n('%1 receiver waits', '%1 receivers wait', members));
  }
  if (dropped > 0) {
    parts.push(trans._n('dropped by %1 full member', 'dropped by %1 full members', dropped));
  }
  const sent = parts.length === 0 ? trans.__('Sent.') : trans.__('Sent: %1.', parts.join(', '));
  return hint === null ? sent : `${sent} ${hint}`;
}
