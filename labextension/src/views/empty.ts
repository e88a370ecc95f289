import { element, setText } from './dom';
import { formatCount } from './format';
import type { Kind, ViewModel } from './kind';

/** What a view with nothing to show says: what it waits for, and a line to try. */
export class EmptyState {
  readonly element = element('div', 'nbc-empty');
  private readonly line = element('div', 'nbc-empty-line');
  private readonly hint = element('div', 'nbc-empty-hint');

  constructor(
    private readonly group: string,
    private readonly words: Kind['empty']
  ) {
    const code = element('code', 'nbc-code', `Group("${group}").send(${words.example})`);
    const copy = element('button', 'nbc-copy', 'Copy');
    copy.type = 'button';
    copy.setAttribute('aria-label', 'Copy the line');
    copy.addEventListener('click', () => {
      navigator.clipboard.writeText(code.textContent).then(
        () => setText(copy, 'Copied'),
        () => setText(copy, 'Select it to copy')
      );
    });
    const row = element('div', 'nbc-empty-code');
    row.append(code, copy);
    this.element.append(this.line, this.hint, row);
  }

  show(model: ViewModel): void {
    this.element.hidden = !model.isEmpty;
    if (!model.isEmpty) {
      return;
    }
    const { messages } = model;
    if (messages === 0) {
      setText(this.line, `Waiting for messages on group '${this.group}'`);
      setText(this.hint, 'Send one from any cell:');
    } else {
      setText(this.line, `${formatCount(messages)} ${messages === 1 ? 'message' : 'messages'} on group '${this.group}', ${this.words.lacking}`);
      setText(this.hint, this.words.wanted);
    }
  }
}
