import type { LabIcon } from '@jupyterlab/ui-components';
import { Toolbar } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { element } from '../views/dom';
import type { SectionModel } from './keyed';

/** What a section shows: elements, and how they are brought up to date. */
export interface Body {
  readonly element: HTMLElement;
  /** Show what the model says now; called at most once for each frame of the screen, and only while it can be seen. */
  update(): void;
  /** What stands beside the title: a count, or nothing. */
  badge?(): Badge | null;
  dispose(): void;
}

export interface Badge {
  readonly text: string;
  /** In words, for those who do not see it. */
  readonly label: string;
  readonly tone: 'plain' | 'bad';
}

export interface SectionOptions {
  readonly name: string;
  readonly label: string;
  readonly model: SectionModel;
  readonly body: Body;
  readonly open: boolean;
}

/** A section of the sidebar. It asks and paints only while it can be seen: collapsed or hidden, it costs nothing. */
export class Section extends Widget implements Toolbar.IWidgetToolbar {
  readonly toolbar = new Toolbar();
  readonly opensFirst: boolean;
  readonly name: string;
  private readonly model: SectionModel;
  private readonly body: Body;
  private heading: HTMLElement | null = null;
  private readonly count = element('span', 'nbc-count');
  private frame = 0;

  constructor({ name, label, model, body, open }: SectionOptions) {
    super();
    this.name = name;
    this.model = model;
    this.body = body;
    this.opensFirst = open;
    this.id = `nbchannels-section-${name}`;
    this.title.label = label;
    this.addClass('nbc-section');
    this.node.append(body.element);
    model.changed.connect(this.request, this);
  }

  /** Where the title is, for the count. */
  set titleNode(node: HTMLElement | null) {
    this.heading = node;
    node?.querySelector('.lm-AccordionPanel-titleLabel')?.after(this.count);
    this.showBadge();
  }

  addButton(name: string, icon: LabIcon, label: string, onClick: () => void): HTMLButtonElement {
    const button = element('button', 'jp-ToolbarButtonComponent nbc-tool');
    button.type = 'button';
    setButton(button, icon, label);
    button.addEventListener('click', onClick);
    const widget = new Widget();
    widget.node.append(button);
    this.toolbar.addItem(name, widget);
    return button;
  }

  override dispose(): void {
    if (!this.isDisposed) {
      cancelAnimationFrame(this.frame);
      this.model.changed.disconnect(this.request, this);
      this.model.stop();
      this.body.dispose();
      this.toolbar.dispose();
      super.dispose();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.look();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.look();
  }

  protected override onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.model.stop();
  }

  protected override onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.model.stop();
  }

  protected override onResize(message: Widget.ResizeMessage): void {
    super.onResize(message);
    this.request();
  }

  private look(): void {
    if (this.isVisible) {
      this.model.start();
      this.request();
    }
  }

  private request(): void {
    if (this.frame === 0 && this.isVisible) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        if (this.isVisible) {
          this.body.update();
          this.showBadge();
        }
      });
    } else if (!this.isVisible) {
      // Closed, its title still says how many there are.
      this.showBadge();
    }
  }

  private showBadge(): void {
    const badge = this.body.badge?.() ?? null;
    this.count.hidden = badge === null;
    const text = badge?.text ?? '';
    if (this.count.textContent !== text) {
      this.count.textContent = text;
    }
    this.count.dataset['tone'] = badge?.tone ?? 'plain';
    const label = badge === null ? this.title.label : `${this.title.label}, ${badge.label}`;
    if (this.heading !== null && this.heading.getAttribute('aria-label') !== label) {
      this.heading.setAttribute('aria-label', label);
    }
  }
}

/** Give a button an icon and a name. */
export function setButton(button: HTMLButtonElement, icon: LabIcon, label: string, pressed: boolean | null = null): void {
  button.replaceChildren(icon.element({ tag: 'span', stylesheet: 'toolbarButton' }));
  button.title = label;
  button.setAttribute('aria-label', label);
  if (pressed !== null) {
    button.setAttribute('aria-pressed', String(pressed));
  }
}
