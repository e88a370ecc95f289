import { element, setText } from '../../views/dom';

/** One thing that can be done. */
export interface Action {
  readonly label: string;
  readonly title?: string;
  readonly danger?: boolean;
  run(): void;
}

/** The details of the selected row, below the list. */
export class Detail {
  readonly element = element('div', 'nbc-detail');
  readonly content = element('div', 'nbc-detail-content');
  private readonly heading = element('div', 'nbc-detail-title');
  private readonly actions = element('div', 'nbc-actions');
  private readonly facts = element('dl', 'nbc-facts');
  private shown = '';

  constructor(label: string, close: string, onClose: () => void) {
    const { element: root } = this;
    root.hidden = true;
    root.tabIndex = -1;
    root.setAttribute('role', 'region');
    root.setAttribute('aria-label', label);
    const button = element('button', 'nbc-tool');
    button.type = 'button';
    button.title = close;
    button.setAttribute('aria-label', close);
    const cross = element('span', 'nbc-cross');
    cross.setAttribute('aria-hidden', 'true');
    button.append(cross);
    button.addEventListener('click', onClose);
    root.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        onClose();
      }
    });
    const head = element('div', 'nbc-detail-head');
    head.append(this.heading, button);
    const scroll = element('div', 'nbc-detail-scroll');
    scroll.append(this.actions, this.facts, this.content);
    root.append(head, scroll);
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Where there is no room for both, it stands in the place of `other`, and takes the focus from it. */
  takeFocus(other: HTMLElement): void {
    if (document.activeElement === other && other.offsetHeight === 0) {
      this.element.focus();
    }
  }

  /** Another thing is shown: forget what was there. */
  open(title: string): void {
    this.element.hidden = false;
    this.content.replaceChildren();
    this.facts.replaceChildren();
    this.actions.replaceChildren();
    this.shown = '';
    this.title(title);
  }

  close(): void {
    this.element.hidden = true;
    this.content.replaceChildren();
  }

  title(title: string): void {
    setText(this.heading, title);
    this.heading.title = title;
  }

  /** The thing is gone, or something cannot be told. */
  note(sentence: string): void {
    this.content.replaceChildren(element('div', 'nbc-note', sentence));
  }

  /** What can be done; the buttons stay as long as their names do. */
  act(actions: readonly Action[]): void {
    const key = actions.map(({ label }) => label).join('\n');
    if (key !== this.shown) {
      this.shown = key;
      this.actions.replaceChildren(...buttons(actions).children);
    }
  }

  /** Names and values; empty values are left out. */
  tell(facts: readonly (readonly [name: string, value: string])[]): void {
    const nodes: HTMLElement[] = [];
    for (const [name, value] of facts) {
      if (value !== '') {
        nodes.push(element('dt', '', name), element('dd', '', value));
      }
    }
    this.facts.replaceChildren(...nodes);
  }
}

/** A row of buttons. */
export function buttons(actions: readonly Action[]): HTMLElement {
  const row = element('div', 'nbc-actions');
  row.append(
    ...actions.map(({ label, title, danger, run }) => {
      const button = element('button', danger === true ? 'nbc-action nbc-danger' : 'nbc-action', label);
      button.type = 'button';
      button.title = title ?? label;
      button.addEventListener('click', run);
      return button;
    })
  );
  return row;
}
