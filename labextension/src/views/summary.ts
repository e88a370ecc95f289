import { element, setText } from './dom';
import { formatNumber } from './format';
import type { Model } from './runs';

const PAUSE = 5000;

/** What the plot shows in one sentence. */
export function summarise(group: string, model: Model): string {
  if (model.isEmpty) {
    return `Waiting for messages on group ${group}.`;
  }
  const values = [...model.current.series].slice(0, 4).map(([name, series]) => `${name} ${formatNumber(series.latest)}`);
  const more = model.current.series.size - values.length;
  return `${values.join(', ')}${more > 0 ? `, and ${more} more` : ''}.`;
}

/** Speaks the newest values to screen readers, politely and at most every five seconds. */
export class Summary {
  readonly element = element('div', 'nbc-visually-hidden');
  private spoken = 0;
  private version = -1;

  constructor() {
    this.element.setAttribute('aria-live', 'polite');
    this.element.setAttribute('role', 'status');
  }

  say(group: string, model: Model, now: number): void {
    if (model.version !== this.version && now - this.spoken >= PAUSE) {
      this.version = model.version;
      this.spoken = now;
      setText(this.element, summarise(group, model));
    }
  }
}
