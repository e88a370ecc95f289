/** Small helpers for making elements. Text goes in as text, never as HTML. */

/** A new element with a class and, if given, text. */
export function element<K extends keyof HTMLElementTagNameMap>(tag: K, className = '', text = ''): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== '') {
    made.className = className;
  }
  if (text !== '') {
    made.textContent = text;
  }
  return made;
}

/** Set the text only when it is another: screen readers and selections notice. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}

const ICONS = {
  pause: 'M5 3.5h2v9H5zM9 3.5h2v9H9z',
  play: 'M5 3.2v9.6l7.6-4.8z',
  table: 'M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.7h11M6.3 3v10',
  chart: 'M2.5 2.5v11h11M4.6 10.4l2.9-3.7 2.4 2.2 3.6-4.9',
  save: 'M8 2.5v7.2M4.9 6.9 8 10l3.1-3.1M2.8 10.5v3h10.4v-3',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  done: 'M3 8.5l3.2 3.2L13 4.8',
  wrap: 'M2.5 4h11M2.5 8h8.3a2.2 2.2 0 0 1 0 4.4H8.2M9.8 10.6 8 12.4l1.8 1.8M2.5 12.4h3',
  warning: 'M8 2.2 14.3 13.3H1.7zM8 6.4v3.4M8 11.6v.2',
  alarm: 'M5.4 2h5.2L14 5.4v5.2L10.6 14H5.4L2 10.6V5.4zM8 4.8v4M8 11.1v.2',
  reset: 'M3 8a5 5 0 1 0 1.6-3.7M4.4 1.9v2.7h2.7'
} as const;

/** What a button can show. */
export type IconName = keyof typeof ICONS;

/** An icon, for those who see; its name has to stand beside it. */
export class Icon {
  readonly element = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  private readonly path = document.createElementNS('http://www.w3.org/2000/svg', 'path');

  constructor() {
    this.element.setAttribute('viewBox', '0 0 16 16');
    this.element.setAttribute('aria-hidden', 'true');
    this.element.append(this.path);
  }

  set(icon: IconName): void {
    this.path.setAttribute('d', ICONS[icon]);
    this.path.setAttribute('class', icon === 'pause' || icon === 'play' ? 'nbc-solid' : 'nbc-stroked');
  }
}

/** A button with an icon and a name for those who do not see it. */
export class IconButton {
  readonly element = element('button', 'nbc-button');
  private readonly icon = new Icon();

  constructor(icon: IconName, label: string, onClick: () => void) {
    this.element.type = 'button';
    this.element.append(this.icon.element);
    this.element.addEventListener('click', onClick);
    this.set(icon, label);
  }

  /** Show another icon under another name; `pressed` for a button that stays down. */
  set(icon: IconName, label: string, pressed: boolean | null = null): void {
    this.icon.set(icon);
    this.element.title = label;
    this.element.setAttribute('aria-label', label);
    if (pressed !== null) {
      this.element.setAttribute('aria-pressed', String(pressed));
    }
  }
}
