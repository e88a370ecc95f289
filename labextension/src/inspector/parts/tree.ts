import { element, setText } from '../../views/dom';
import { formatCount } from '../../views/format';
import { formatSize } from './format';

/** Children made at a time; the rest on demand. */
const CHUNK = 100;
/** Levels that are open from the start, if they are small. */
const OPEN_DEPTH = 2;
const OPEN_CHILDREN = 20;

interface ArrayFacts {
  readonly array: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/**
 * A JSON value as a tree. Arrows open, close and move, Home and End go to the ends, Ctrl+C copies what has the focus.
 * Children are made when they are first looked at. Everything is text.
 */
export class JsonTree {
  readonly element = element('div', 'nbc-tree');
  private focused: HTMLElement | null = null;

  constructor(
    label: string,
    private readonly copy: (text: string) => void
  ) {
    this.element.setAttribute('role', 'tree');
    this.element.setAttribute('aria-label', label);
    this.element.addEventListener('keydown', event => {
      this.key(event);
    });
    this.element.addEventListener('click', event => {
      const item = event.target instanceof Element ? event.target.closest<HTMLElement>('[role=treeitem]') : null;
      if (item !== null) {
        this.focus(item);
        if (event.target instanceof Element && event.target.closest('.nbc-tree-line') !== null && getSelection()?.isCollapsed !== false) {
          this.toggle(item);
        }
      }
    });
  }

  show(value: unknown): void {
    const root = this.item(null, value, 0);
    this.element.replaceChildren(root);
    this.focused = root;
    root.tabIndex = 0;
  }

  private readonly values = new WeakMap<HTMLElement, { readonly value: unknown; readonly depth: number }>();

  private item(name: string | null, value: unknown, depth: number): HTMLElement {
    const made = element('div', 'nbc-tree-item');
    made.setAttribute('role', 'treeitem');
    made.tabIndex = -1;
    this.values.set(made, { value, depth });
    const line = element('div', 'nbc-tree-line');
    line.append(element('span', 'nbc-tree-caret'));
    if (name !== null) {
      line.append(element('span', 'nbc-tree-key', name), element('span', 'nbc-tree-colon', ': '));
    }
    const [kind, words] = describe(value);
    const shown = element('span', `nbc-tree-value nbc-tree-${kind}`);
    setText(shown, words);
    line.append(shown);
    made.append(line);
    const count = childCount(value);
    if (count > 0) {
      made.setAttribute('aria-expanded', 'false');
      if (depth < OPEN_DEPTH && (depth === 0 || count <= OPEN_CHILDREN)) {
        this.open(made);
      }
    }
    return made;
  }

  private toggle(item: HTMLElement): void {
    if (item.dataset['more'] !== undefined) {
      this.extend(item);
    } else if (item.getAttribute('aria-expanded') === 'true') {
      item.setAttribute('aria-expanded', 'false');
    } else if (item.hasAttribute('aria-expanded')) {
      this.open(item);
    }
  }

  private open(item: HTMLElement): void {
    item.setAttribute('aria-expanded', 'true');
    if (item.querySelector(':scope > [role=group]') === null) {
      const group = element('div', 'nbc-tree-group');
      group.setAttribute('role', 'group');
      item.append(group);
      this.fill(group, item, 0);
    }
  }

  private fill(group: HTMLElement, owner: HTMLElement, from: number): void {
    const told = this.values.get(owner);
    const children = entries(told?.value);
    for (const [key, child] of children.slice(from, from + CHUNK)) {
      group.append(this.item(key, child, (told?.depth ?? 0) + 1));
    }
    const rest = children.length - from - CHUNK;
    if (rest > 0) {
      const more = this.item(null, `… ${formatCount(rest)} more`, 99);
      more.dataset['more'] = String(from + CHUNK);
      more.classList.add('nbc-tree-more');
      group.append(more);
    }
  }

  private extend(more: HTMLElement): void {
    const group = more.parentElement;
    const owner = group?.closest<HTMLElement>('[role=treeitem]') ?? null;
    if (group !== null && owner !== null) {
      const from = Number(more.dataset['more']);
      more.remove();
      const before = group.children.length;
      this.fill(group, owner, from);
      this.focus(group.children[before] as HTMLElement);
    }
  }

  private key(event: KeyboardEvent): void {
    const item = this.focused;
    if (item === null) {
      return;
    }
    const all = this.visible();
    const index = all.indexOf(item);
    const isOpen = item.getAttribute('aria-expanded');
    switch (event.key) {
      case 'ArrowDown':
        this.focus(all[index + 1] ?? item);
        break;
      case 'ArrowUp':
        this.focus(all[index - 1] ?? item);
        break;
      case 'Home':
        this.focus(all[0] ?? item);
        break;
      case 'End':
        this.focus(all[all.length - 1] ?? item);
        break;
      case 'ArrowRight':
        if (isOpen === 'false') {
          this.open(item);
        } else if (isOpen === 'true') {
          this.focus(all[index + 1] ?? item);
        }
        break;
      case 'ArrowLeft':
        if (isOpen === 'true') {
          item.setAttribute('aria-expanded', 'false');
        } else {
          this.focus(item.parentElement?.closest<HTMLElement>('[role=treeitem]') ?? item);
        }
        break;
      case 'Enter':
      case ' ':
        this.toggle(item);
        break;
      case 'c':
        if ((event.ctrlKey || event.metaKey) && getSelection()?.isCollapsed !== false) {
          const value = this.values.get(item)?.value;
          this.copy(typeof value === 'string' ? value : JSON.stringify(value, null, 2));
          break;
        }
        return;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private visible(): HTMLElement[] {
    return [...this.element.querySelectorAll<HTMLElement>('[role=treeitem]')].filter(
      item => item.parentElement?.closest('[aria-expanded=false]') === null || item.parentElement === this.element
    );
  }

  private focus(item: HTMLElement): void {
    if (this.focused !== null) {
      this.focused.tabIndex = -1;
    }
    this.focused = item;
    item.tabIndex = 0;
    item.focus();
  }
}

function entries(value: unknown): (readonly [string, unknown])[] {
  if (Array.isArray(value)) {
    return value.map((item, index) => [String(index), item] as const);
  }
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function childCount(value: unknown): number {
  return isArrayFacts(value) ? 0 : entries(value).length;
}

/** An array too long to be shown, as the server describes it. */
function isArrayFacts(value: unknown): value is ArrayFacts {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 3 &&
    'array' in value && typeof value.array === 'string' && 'shape' in value && Array.isArray(value.shape) &&
    'bytes' in value && typeof value.bytes === 'number'
  );
}

/** Its kind, for the colour, and its words. */
function describe(value: unknown): readonly [kind: string, words: string] {
  switch (typeof value) {
    case 'string':
      return value.startsWith('… ') ? ['note', value] : ['string', `"${value}"`];
    case 'number':
      return ['number', String(value)];
    case 'boolean':
      return ['boolean', String(value)];
    case 'object':
      if (value === null) {
        return ['null', 'null'];
      }
      if (isArrayFacts(value)) {
        return ['array', `array ${value.array} ${value.shape.join('×')} · ${formatSize(value.bytes)}`];
      }
      if (Array.isArray(value)) {
        return ['note', value.length === 0 ? '[]' : `[${formatCount(value.length)}]`];
      }
      return ['note', Object.keys(value).length === 0 ? '{}' : `{${formatCount(Object.keys(value).length)}}`];
    default:
      return ['null', String(value)];
  }
}

/** A value on one line, for a row of a list. */
export function inline(value: unknown, most = 160): string {
  const words = flat(value, 0);
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
}

function flat(value: unknown, depth: number): string {
  if (isArrayFacts(value)) {
    return `⟨${value.array} ${value.shape.join('×')}⟩`;
  }
  if (typeof value === 'number') {
    return short(value);
  }
  if (typeof value !== 'object' || value === null) {
    return describe(value)[1];
  }
  if (depth > 3) {
    return '…';
  }
  if (Array.isArray(value)) {
    return `[${value.slice(0, 20).map(item => flat(item, depth + 1)).join(', ')}${value.length > 20 ? ', …' : ''}]`;
  }
  const parts = Object.entries(value).slice(0, 20).map(([key, item]) => `${key}: ${flat(item, depth + 1)}`);
  return depth === 0 ? parts.join(' · ') : `{${parts.join(', ')}}`;
}

/** A number with six digits that count; what is before the point always does. */
function short(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) < 1e-4) {
    return String(value);
  }
  return String(Math.abs(value) >= 1e5 ? Math.round(value * 10) / 10 : Number(value.toPrecision(6)));
}

/** The first bytes as hexadecimal digits and characters, 8 to a line. */
export function hexLines(hex: string): string {
  const lines: string[] = [];
  for (let at = 0; at < hex.length; at += 16) {
    const bytes = hex.slice(at, at + 16).match(/../g) ?? [];
    const characters = bytes.map(byte => {
      const code = parseInt(byte, 16);
      return code >= 32 && code < 127 ? String.fromCharCode(code) : '·';
    });
    lines.push(`${(at / 2).toString(16).padStart(4, '0')}  ${bytes.join(' ').padEnd(23)}  ${characters.join('')}`);
  }
  return lines.join('\n');
}
