import { element, setText } from './dom';
import type { ViewModel } from './kind';

const PAUSE = 5000;

/** Speaks what a view shows to screen readers, politely and at most every five seconds. */
export class Summary {
  readonly element = element('div', 'nbc-visually-hidden');
  private spoken = 0;
  private version = -1;

  constructor() {
    this.element.setAttribute('aria-live', 'polite');
    this.element.setAttribute('role', 'status');
  }

  say(model: ViewModel, now: number, sentence: () => string): void {
    if (model.version !== this.version && now - this.spoken >= PAUSE) {
      this.version = model.version;
      this.spoken = now;
      setText(this.element, sentence());
    }
  }
}
