import type { Disposer } from '../../client/types';
import { element } from '../../views/dom';

/** Rows kept above and below what can be seen. */
const MARGIN = 4;
/** When the height is not known yet. */
const GUESS = 400;
/** Milliseconds after the last move of the pointer over the list for which no row changes its place. */
const STILL = 1000;

/** One row of the list: made once, shown with one item after the other. */
export interface RowView<T> {
  readonly element: HTMLElement;
  show(item: T): void;
}

/** open: a click or Enter · point: arrows, or a right click, which is about a menu */
export type Selected = 'open' | 'point';

export interface ListOptions<T> {
  readonly label: string;
  /** Height of a row in CSS pixels. */
  readonly height: number;
  make(): RowView<T>;
  /** An item was selected; `how` says whether its details are wanted too. */
  selected(item: T | null, how: Selected): void;
  /** A double click. */
  activated?(item: T): void;
}

let lists = 0;

/**
 * A long list of which only the rows in sight are in the page. A listbox for assistive technology; arrows, Home, End, Page
 * up and down, Enter and the menu key work. Who has scrolled away from the top stays where they are when rows come above;
 * while the pointer moves over the list, each row keeps its place, so that what is clicked is what was meant.
 */
export class VirtualList<T extends { readonly key: string }> implements Disposer {
  readonly element = element('div', 'nbc-list');
  private readonly canvas = element('div', 'nbc-list-canvas');
  private readonly pool: { readonly view: RowView<T>; key: string | null; index: number }[] = [];
  private items: readonly T[] = [];
  /** What the list shows next, as soon as the pointer has come to rest. */
  private waiting: readonly T[] | null = null;
  private moved = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private active: string | null = null;
  /** Where the active item was seen last: what takes its place is next when it has gone. */
  private place = -1;
  private frame = 0;
  private readonly id = `nbc-list-${++lists}`;

  constructor(private readonly options: ListOptions<T>) {
    const { element: root, canvas } = this;
    root.tabIndex = 0;
    root.setAttribute('role', 'listbox');
    root.setAttribute('aria-label', options.label);
    canvas.setAttribute('role', 'presentation');
    root.append(canvas);
    root.addEventListener('scroll', () => {
      this.request();
    });
    root.addEventListener('keydown', event => {
      this.key(event);
    });
    root.addEventListener('pointermove', () => {
      this.moved = performance.now();
    });
    root.addEventListener('pointerleave', () => {
      this.release();
    });
    root.addEventListener('mousedown', event => {
      this.pick(event);
    });
    root.addEventListener('dblclick', event => {
      const item = this.at(event.target);
      if (item !== null) {
        options.activated?.(item);
      }
    });
  }

  get current(): T | null {
    return this.items.find(item => item.key === this.active) ?? null;
  }

  /** Show these items; while the pointer moves over the list, those that are new wait. */
  set(items: readonly T[]): void {
    const rest = this.moved + STILL - performance.now();
    if (rest <= 0 || items.length === 0 || this.items.length === 0) {
      this.put(items);
      return;
    }
    const known = new Map(items.map(item => [item.key, item]));
    this.items = this.items.map(item => known.get(item.key) ?? item);
    this.waiting = items;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (this.waiting !== null) {
        this.set(this.waiting);
      }
    }, rest);
    this.request();
  }

  /** Select an item, or none. */
  select(key: string | null, how: Selected = 'open'): void {
    if (key !== this.active || how === 'open') {
      this.active = key;
      this.place = this.items.findIndex(item => item.key === key);
      this.options.selected(this.current, how);
      this.request();
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
  }

  /** Paint with the next frame of the screen. */
  request(): void {
    if (this.frame === 0) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.paint();
      });
    }
  }

  /** Nobody points at a row: show what has come. */
  private release(): void {
    this.moved = -Infinity;
    if (this.waiting !== null) {
      this.put(this.waiting);
    }
  }

  private put(items: readonly T[]): void {
    const { scrollTop } = this.element;
    const { height } = this.options;
    const anchor = scrollTop >= height ? this.items[Math.floor(scrollTop / height)] : undefined;
    const before = this.items.length;
    this.items = items;
    this.waiting = null;
    if (before !== items.length) {
      this.canvas.style.height = `${items.length * height}px`;
    }
    if (anchor !== undefined) {
      const index = items.findIndex(item => item.key === anchor.key);
      if (index !== -1 && index !== Math.floor(scrollTop / height)) {
        this.element.scrollTop = index * height + (scrollTop % height);
      }
    }
    if (this.active !== null) {
      const index = items.findIndex(item => item.key === this.active);
      this.place = index === -1 ? this.place : index;
    }
    this.request();
  }

  private paint(): void {
    const { height } = this.options;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / height) - MARGIN);
    const last = Math.min(this.items.length, Math.ceil((scrollTop + (clientHeight || GUESS)) / height) + MARGIN);
    const size = Math.max(this.pool.length, last - first);
    while (this.pool.length < size) {
      this.pool.push(this.slot(this.pool.length));
    }
    let active: string | null = null;
    for (let index = first; index < first + size; index++) {
      const slot = this.pool[index % size];
      const item = index < last ? this.items[index] : undefined;
      if (slot === undefined) {
        continue;
      }
      const { element: row } = slot.view;
      if (item === undefined) {
        row.hidden = true;
        row.setAttribute('aria-selected', 'false');
        slot.key = null;
        continue;
      }
      if (slot.index !== index) {
        slot.index = index;
        row.style.transform = `translateY(${index * height}px)`;
        row.setAttribute('aria-posinset', String(index + 1));
      }
      slot.key = item.key;
      row.hidden = false;
      row.setAttribute('aria-setsize', String(this.items.length));
      const selected = item.key === this.active;
      row.setAttribute('aria-selected', String(selected));
      active = selected ? row.id : active;
      slot.view.show(item);
    }
    if (active === null) {
      this.element.removeAttribute('aria-activedescendant');
    } else {
      this.element.setAttribute('aria-activedescendant', active);
    }
  }

  private slot(number: number): { view: RowView<T>; key: string | null; index: number } {
    const view = this.options.make();
    view.element.id = `${this.id}-${number}`;
    view.element.classList.add('nbc-list-row');
    view.element.style.height = `${this.options.height}px`;
    view.element.setAttribute('role', 'option');
    this.canvas.append(view.element);
    return { view, key: null, index: -1 };
  }

  private at(target: EventTarget | null): T | null {
    const slot = this.pool.find(({ view }) => target instanceof Node && view.element.contains(target));
    return (slot !== undefined && this.items.find(item => item.key === slot.key)) || null;
  }

  private pick(event: MouseEvent): void {
    const item = this.at(event.target);
    if (item === null) {
      return;
    }
    if (event.button !== 0) {
      this.select(item.key, 'point');
    } else if (event.detail < 2) {
      this.select(item.key);
    }
  }

  private key(event: KeyboardEvent): void {
    this.release();
    const { height } = this.options;
    const page = Math.max(1, Math.floor(this.element.clientHeight / height) - 1);
    const found = this.items.findIndex(item => item.key === this.active);
    const index = found === -1 ? this.place : found;
    const last = this.items.length - 1;
    const to: Readonly<Record<string, number>> = {
      ArrowDown: found === -1 && index !== -1 ? index : index + 1,
      ArrowUp: index === -1 ? 0 : index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: last
    };
    const next = to[event.key];
    const item = this.items[found];
    if (next !== undefined && last >= 0) {
      this.reveal(Math.min(Math.max(next, 0), last));
    } else if ((event.key === 'Enter' || event.key === ' ') && item !== undefined) {
      this.select(item.key);
    } else if (event.key === 'Escape' && item !== undefined) {
      this.select(null);
    } else if ((event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) && item !== undefined) {
      this.menu(item);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private reveal(index: number): void {
    const { height } = this.options;
    const { scrollTop, clientHeight } = this.element;
    const top = index * height;
    if (top < scrollTop) {
      this.element.scrollTop = top;
    } else if (clientHeight > 0 && top + height > scrollTop + clientHeight) {
      this.element.scrollTop = top + height - clientHeight;
    }
    this.select(this.items[index]?.key ?? null, 'point');
  }

  /** Open the menu where the row is: the page's own would open at the list. */
  private menu(item: T): void {
    const row = this.pool.find(({ key }) => key === item.key)?.view.element;
    if (row !== undefined) {
      const { left, bottom } = row.getBoundingClientRect();
      row.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true, clientX: left + 24, clientY: bottom - 4 }));
    }
  }
}
