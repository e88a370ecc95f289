import { element, setText } from '../../views/dom';
import type { Context } from '../context';

/** What a list without rows says: why, and what to type. */
export class EmptyNote {
  readonly element = element('div', 'nbc-nothing-yet');
  private readonly line = element('div', 'nbc-nothing-line');
  private readonly code = element('code', 'nbc-nothing-code');
  private readonly button = element('button', 'nbc-link');
  private readonly row = element('div', 'nbc-nothing-row');

  constructor(context: Context) {
    const { trans } = context;
    this.button.type = 'button';
    setText(this.button, trans.__('Copy'));
    this.button.setAttribute('aria-label', trans.__('Copy the line'));
    this.button.addEventListener('click', () => {
      context.copy(this.code.textContent);
    });
    this.row.append(this.code, this.button);
    this.element.append(this.line, this.row);
    this.element.hidden = true;
  }

  show(sentence: string, code = ''): void {
    this.element.hidden = false;
    setText(this.line, sentence);
    setText(this.code, code);
    this.row.hidden = code === '';
  }

  hide(): void {
    this.element.hidden = true;
  }
}
