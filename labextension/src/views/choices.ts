import { element } from './dom';

/** A line to type into that narrows what is shown. */
export class FilterField {
  readonly element = element('input', 'nbc-filter');

  /** @param changed - called with what it says, as one types */
  constructor(label: string, value: string, changed: (text: string) => void) {
    this.element.type = 'search';
    this.element.placeholder = 'Filter';
    this.element.maxLength = 200;
    this.element.setAttribute('aria-label', label);
    this.element.value = value;
    this.element.addEventListener('input', () => changed(this.element.value));
    // In a notebook keys are commands.
    this.element.addEventListener('keydown', event => event.stopPropagation());
  }
}
