import type { Window } from '../checks';
import { element, Icon, setText } from '../dom';
import { Curve } from './curve';
import type { Track } from './track';
import type { Words } from './words';

const ARROWS = { up: '▲', down: '▼', level: '●' } as const;
const TRENDS = { up: 'up', down: 'down', level: 'unchanged' } as const;

/** One value. */
export class Tile {
  readonly element = element('div', 'nbc-tile');
  private readonly number = element('span', 'nbc-amount');
  private readonly unit = element('span', 'nbc-unit');
  private readonly change = element('div', 'nbc-change');
  private readonly arrow = element('span', 'nbc-trend');
  private readonly trend = element('span', 'nbc-visually-hidden');
  private readonly by = element('span');
  private readonly since = element('span', 'nbc-since');
  private readonly state = element('span', 'nbc-threshold');
  private readonly icon = new Icon();
  private readonly stateText = element('span');
  private readonly curve = new Curve();

  constructor(name: string) {
    const head = element('div', 'nbc-tile-head');
    const line = element('div', 'nbc-reading');
    this.element.setAttribute('role', 'group');
    this.element.setAttribute('aria-label', name);
    this.arrow.setAttribute('aria-hidden', 'true');
    this.state.append(this.icon.element, this.stateText);
    head.append(element('span', 'nbc-field', name), this.state);
    line.append(this.number, this.unit);
    this.change.append(this.arrow, this.trend, this.by, this.since);
    this.element.append(head, line, this.change, this.curve.element);
  }

  show({ value, unit, change, trend, since, state }: Words, track: Track, window: Window | null): void {
    setText(this.number, value);
    setText(this.unit, unit);
    this.number.title = value;
    // Its room stays, so that the page does not jump when the second value comes.
    this.change.style.visibility = change === '' ? 'hidden' : '';
    this.change.dataset['trend'] = trend;
    setText(this.arrow, ARROWS[trend]);
    setText(this.trend, TRENDS[trend]);
    setText(this.by, trend === 'level' ? 'unchanged' : change);
    this.trend.hidden = trend === 'level';
    setText(this.since, since);
    this.state.hidden = state === null;
    if (state === null) {
      delete this.element.dataset['state'];
    } else {
      this.element.dataset['state'] = state.tone;
      this.icon.set(state.tone);
      setText(this.stateText, state.text);
    }
    this.curve.show(track, window);
  }
}
