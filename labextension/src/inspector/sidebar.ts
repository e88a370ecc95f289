import { SidePanel } from '@jupyterlab/ui-components';
import type { ITranslator } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { AccordionPanel } from '@lumino/widgets';

import type { Disposer } from '../client/types';
import type { Context } from './context';
import { COMMANDS } from './context';
import { FollowLine } from './followline';
import { channelsIcon } from './icons';
import type { Section } from './section';
import { StateLine } from './state';

/** Of its even share a section has at least this part. */
const FAIR = 0.6;

export const SIDEBAR = 'nbchannels-inspector';

/** The sidebar: a state line, and the sections below each other. While it is shown the page keeps its connection. */
export class Sidebar extends SidePanel {
  /** Emitted when a section was opened or closed. */
  readonly toggled = new Signal<this, void>(this);
  private holder: Disposer | null = null;
  private readonly sections: readonly Section[];

  constructor(
    private readonly context: Context,
    sections: readonly Section[],
    translator: ITranslator
  ) {
    super({ translator });
    const { trans, api } = context;
    this.id = SIDEBAR;
    this.sections = sections;
    this.title.icon = channelsIcon;
    this.title.caption = trans.__('Channels: groups, messages, consumers and clients of nbchannels');
    this.addClass('nbc-sidebar');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Channels'));
    this.header.addWidget(new StateLine(api.client, trans));
    this.header.addWidget(
      new FollowLine(context.following, trans, () => {
        context.run(COMMANDS.follow);
      })
    );
    for (const section of sections) {
      this.addWidget(section);
    }
    const { content } = this;
    if (content instanceof AccordionPanel) {
      sections.forEach((section, index) => {
        section.titleNode = content.titles[index] ?? null;
        if (!section.opensFirst) {
          content.collapse(index);
        }
      });
      content.expansionToggled.connect(() => {
        this.balance(content);
        this.toggled.emit();
      });
    }
  }

  /** Open a section, if it is closed, and go there. */
  reveal(name: string): void {
    const index = this.sections.findIndex(section => section.name === name);
    if (index !== -1 && this.content instanceof AccordionPanel) {
      this.content.expand(index);
      this.content.titles[index]?.focus();
    }
  }

  /** Which sections are open. */
  get openSections(): readonly string[] {
    return this.sections.filter(section => !section.isHidden).map(section => section.name);
  }

  set openSections(names: readonly string[]) {
    const { content } = this;
    if (content instanceof AccordionPanel) {
      this.sections.forEach((section, index) => {
        if (names.includes(section.name)) {
          content.expand(index);
        } else {
          content.collapse(index);
        }
      });
    }
  }

  /** A number at the icon; 0: none. */
  set badge(count: number) {
    const text = count === 0 ? '' : count > 99 ? '99+' : String(count);
    if ((this.title.dataset['nbc-badge'] ?? '') !== text) {
      this.title.dataset = text === '' ? {} : { 'nbc-badge': text };
      this.title.className = text === '' ? '' : 'nbc-badged';
      const { trans } = this.context;
      this.title.caption = [trans.__('Channels: groups, messages, consumers and clients of nbchannels'), ...(count > 0 ? [trans._n('%1 problem', '%1 problems', count)] : [])].join('\n');
    }
  }

  override dispose(): void {
    this.release();
    super.dispose();
  }

  /** Whoever asked for it goes on here, with the keyboard too. */
  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    if (this.content instanceof AccordionPanel && !this.node.contains(document.activeElement)) {
      this.content.titles[0]?.focus();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.hold();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.hold();
  }

  protected override onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.release();
  }

  protected override onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.release();
  }

  /** What was opened shall have room: where one is left with next to nothing, all get the same. */
  private balance(content: AccordionPanel): void {
    const open = this.sections.map(section => !section.isHidden);
    const count = open.filter(Boolean).length;
    const sizes = content.relativeSizes();
    if (open.some((isOpen, index) => isOpen && (sizes[index] ?? 0) < FAIR / count)) {
      content.setRelativeSizes(open.map(isOpen => (isOpen ? 1 : 0)));
    }
  }

  private hold(): void {
    if (this.isVisible) {
      this.holder ??= this.context.api.client.hold();
      this.context.following.visible = true;
    }
  }

  private release(): void {
    this.holder?.dispose();
    this.holder = null;
    this.context.following.visible = false;
  }
}
