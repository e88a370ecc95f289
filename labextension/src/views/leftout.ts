import { element, setText } from './dom';

/** How many are named at a glance. */
const NAMED = 8;

/** Names the fields that a view does not show, each with the reason. */
export class LeftOut {
  readonly element = element('div', 'nbc-undrawn');

  /** @param what - what is not done with them */
  constructor(private readonly what: string) {}

  show(fields: ReadonlyMap<string, string>): void {
    const names = [...fields].map(([name, why]) => `${name.slice(0, 60)} (${why})`);
    const more = names.length - NAMED;
    setText(this.element, names.length === 0 ? '' : `${this.what}: ${names.slice(0, NAMED).join(', ')}${more > 0 ? `, and ${more} more` : ''}`);
    this.element.title = more > 0 ? names.join('\n') : '';
    this.element.hidden = names.length === 0;
  }
}
