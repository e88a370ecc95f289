import type { Disposer } from '../client/types';
import { element, setText } from './dom';
import { formatCount } from './format';

/** Rows kept above and below what can be seen. */
const MARGIN = 6;
/** When the height is not known yet, in CSS pixels. */
const GUESS = 400;
/** So near to the end, in CSS pixels, the reader is at the end. */
const NEAR = 8;

/** What is scrolled through. */
export interface Rows {
  readonly length: number;
  /** CSS pixels that each row takes, about. */
  readonly height: number | ((index: number) => number);
  /** Tells the rows apart; rising, if new rows come at the end. */
  key(index: number): number;
  /** Put a row into its element: `isNew` if something else stood there. */
  fill(row: HTMLElement, index: number, isNew: boolean): void;
}

/**
 * A long list of which only the rows in sight are in the page. With `follow`, whoever is at the end stays there when rows come;
 * who has scrolled up stays where they are, and is told how many have come.
 */
export class Scroller implements Disposer {
  readonly element = element('div', 'nbc-scroller');
  /** The button that leads to the end; it stands beside the scrolled element. */
  readonly jump = element('button', 'nbc-jump');
  /** Whether the end is kept in sight. */
  follows = true;
  private readonly canvas = element('div', 'nbc-canvas');
  private readonly window = element('div', 'nbc-window');
  private readonly elements = new Map<number, HTMLElement>();
  private rows: Rows = { length: 0, height: 1, key: index => index, fill: () => undefined };
  private offsets = new Float64Array(1);
  private anchor: { readonly key: number; readonly by: number } | null = null;
  private leftAt = -Infinity;
  private frame = 0;

  /**
   * @param follow - whether new rows come at the end
   * @param make - makes the element of a row
   * @param noun - what the rows are called
   */
  constructor(
    public follow: boolean,
    private readonly make: () => HTMLElement,
    private readonly noun: string
  ) {
    this.element.tabIndex = 0;
    this.jump.type = 'button';
    this.jump.hidden = true;
    this.canvas.setAttribute('role', 'presentation');
    this.window.setAttribute('role', 'presentation');
    this.canvas.append(this.window);
    this.element.append(this.canvas);
    this.element.addEventListener('scroll', () => this.scrolled());
    this.jump.addEventListener('click', () => {
      this.toEnd();
      this.element.focus({ preventScroll: true });
    });
  }

  /** Put something above the rows that stays when they are scrolled. */
  head(top: HTMLElement): void {
    this.element.prepend(top);
  }

  /** Show these rows. */
  show(rows: Rows): void {
    this.rows = rows;
    const { length, height } = rows;
    if (typeof height === 'function') {
      if (this.offsets.length <= length) {
        this.offsets = new Float64Array(2 * length + 1);
      }
      for (let i = 0; i < length; i++) {
        this.offsets[i + 1] = (this.offsets[i] as number) + height(i);
      }
    }
    this.canvas.style.height = `${this.offsetOf(length)}px`;
    if (this.follow && this.follows) {
      this.render(this.offsetOf(length));
      this.element.scrollTop = this.element.scrollHeight;
    } else {
      if (this.follow && this.anchor !== null) {
        this.element.scrollTop = this.offsetOf(this.indexOf(this.anchor.key)) + this.anchor.by;
      }
      this.render(this.element.scrollTop);
    }
    this.tellNews();
  }

  /** Fill the rows in sight anew, whatever stood there. */
  refill(): void {
    this.elements.clear();
    this.window.replaceChildren();
  }

  toEnd(): void {
    this.follows = true;
    this.anchor = null;
    this.show(this.rows);
    // Where rows are higher than thought, the end is known only now.
    this.element.scrollTop = this.element.scrollHeight;
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  private scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    // What is out of the page has no place.
    if (clientHeight === 0) {
      return;
    }
    if (this.follow) {
      const atEnd = scrollTop + clientHeight >= scrollHeight - NEAR;
      if (this.follows && !atEnd) {
        this.leftAt = this.rows.length === 0 ? -Infinity : this.rows.key(this.rows.length - 1);
      }
      this.follows = atEnd;
      if (atEnd || this.rows.length === 0) {
        this.anchor = null;
      } else {
        const first = this.indexAt(scrollTop);
        this.anchor = { key: this.rows.key(first), by: scrollTop - this.offsetOf(first) };
      }
      this.tellNews();
    }
    if (this.frame === 0) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.render(this.element.scrollTop);
      });
    }
  }

  private tellNews(): void {
    this.jump.hidden = !this.follow || this.follows;
    if (!this.jump.hidden) {
      const news = this.rows.length - this.indexOf(this.leftAt + 1);
      setText(this.jump, news === 0 ? '↓ to the end' : `↓ ${formatCount(news)} new ${this.noun}${news === 1 ? '' : 's'}`);
    }
  }

  private render(top: number): void {
    const { rows } = this;
    const room = this.element.clientHeight || GUESS;
    const from = Math.max(0, this.indexAt(Math.min(top, this.offsetOf(rows.length) - room)) - MARGIN);
    const to = Math.min(rows.length, this.indexAt(top + room) + 1 + MARGIN);
    const wanted = new Set<number>();
    for (let i = from; i < to; i++) {
      wanted.add(rows.key(i));
    }
    const spare: HTMLElement[] = [];
    for (const [key, row] of this.elements) {
      if (!wanted.has(key)) {
        this.elements.delete(key);
        spare.push(row);
      }
    }
    this.window.style.transform = `translateY(${this.offsetOf(from)}px)`;
    let at = this.window.firstElementChild;
    for (let i = from; i < to; i++) {
      const key = rows.key(i);
      const known = this.elements.get(key);
      const row = known ?? spare.pop() ?? this.make();
      this.elements.set(key, row);
      rows.fill(row, i, known === undefined);
      if (row === at) {
        at = at.nextElementSibling;
      } else {
        this.window.insertBefore(row, at);
      }
    }
    for (const row of spare) {
      row.remove();
    }
  }

  private offsetOf(index: number): number {
    const { height } = this.rows;
    return typeof height === 'number' ? index * height : (this.offsets[index] as number);
  }

  /** The row at a height; the last if it is below. */
  private indexAt(top: number): number {
    return search(this.rows.length, index => this.offsetOf(index + 1) > top);
  }

  /** The first row whose key is not below `key`; there may be none. */
  private indexOf(key: number): number {
    return search(this.rows.length + 1, index => index === this.rows.length || this.rows.key(index) >= key);
  }
}

/** The first of so many for which it is true, and stays true; the last if there is none. */
function search(length: number, isThere: (index: number) => boolean): number {
  let low = 0;
  let high = Math.max(0, length - 1);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isThere(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}
