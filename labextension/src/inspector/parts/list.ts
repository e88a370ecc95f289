import type { Disposer } from '../../client/types';
import { element } from '../../views/dom';

/** Rows kept above and below what can be seen. */
const MARGIN = 4;
/** When the height is not known yet. */
const GUESS = 400;

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
 * up and down, Enter and the menu key work. Who has scrolled away from the top stays where they are when rows come above.
 */
export class VirtualList<T extends { readonly key: string }> implements Disposer {
  readonly element = element('div', 'nbc-list');
  private readonly canvas = element('div', 'nbc-list-canvas');
  private readonly pool: { readonly view: RowView<T>; key: string | null; index: number }[] = [];
  private items: readonly T[] = [];
  private active: string | null = null;
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

  /** Show these items. */
  set(items: readonly T[]): void {
    const { scrollTop } = this.element;
    const { height } = this.options;
    const anchor = scrollTop >= height ? this.items[Math.floor(scrollTop / height)] : undefined;
    const before = this.items.length;
    this.items = items;
    if (before !== items.length) {
      this.canvas.style.height = `${items.length * height}px`;
    }
    if (anchor !== undefined) {
      const index = items.findIndex(item => item.key === anchor.key);
      if (index !== -1 && index !== Math.floor(scrollTop / height)) {
        this.element.scrollTop = index * height + (scrollTop % height);
      }
    }
    this.request();
  }

  /** Select an item, or none. */
  select(key: string | null, how: Selected = 'open'): void {
    if (key !== this.active || how === 'open') {
      this.active = key;
      this.options.selected(this.current, how);
      this.request();
    }
  }

  dispose(): void {
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
    const { height } = this.options;
    const page = Math.max(1, Math.floor(this.element.clientHeight / height) - 1);
    const index = this.items.findIndex(item => item.key === this.active);
    const last = this.items.length - 1;
    const to: Readonly<Record<string, number>> = {
      ArrowDown: index + 1,
      ArrowUp: index === -1 ? 0 : index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: last
    };
    const next = to[event.key];
    const item = this.items[index];
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
