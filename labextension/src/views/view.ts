import type { Client, Disposer, StreamMessage } from '../client/types';
import { SpecificationError } from './checks';
import { element, setText } from './dom';
import { ViewFrame } from './frame';
import type { Kind } from './kind';
import { KINDS } from './kinds';
import { mergeOptions, parseSpecification, type Specification } from './specification';
import '../../style/view.css';

/** The reserved group in which a view's settings travel. */
export const settingsGroup = (id: string): string => `nbchannels.view.${id}`;

/**
 * A view in an element of the page: shows what a specification says, or in words why it cannot.
 *
 * `show` may be called before the element is in the page and as often as one likes; nothing is subscribed before `attach`.
 */
export class View {
  private readonly root = element('div', 'nbchannels-view');
  private readonly message = element('div', 'nbc-failure');
  private specification: Specification | null = null;
  private shown: string | null = null;
  private attached = false;
  private content: ViewFrame | null = null;
  private settings: Disposer | null = null;
  private changes: unknown = {};
  private disposed = false;

  /**
   * @param host - the element to live in
   * @param client - called when the view is attached: the page's connection
   */
  constructor(
    host: HTMLElement,
    private readonly client: () => Client
  ) {
    this.message.setAttribute('role', 'alert');
    host.append(this.root);
  }

  /** Show this specification. It may come from anyone. */
  show(value: unknown): void {
    const json = JSON.stringify(value) ?? '';
    if (json === this.shown || this.disposed) {
      return;
    }
    this.shown = json;
    let specification: Specification;
    try {
      specification = parseSpecification(value, KINDS);
    } catch (error) {
      this.fail(error);
      return;
    }
    const before = this.specification;
    this.specification = specification;
    if (before !== null && this.content !== null && before.id === specification.id && before.group === specification.group && before.kind === specification.kind) {
      this.configure(this.content);
      return;
    }
    this.close();
    this.changes = {};
    if (this.attached) {
      this.open(specification);
    }
  }

  /** The host is in the page: begin. */
  attach(): void {
    this.attached = true;
    if (this.specification !== null && this.content === null && !this.disposed) {
      this.open(this.specification);
    }
  }

  dispose(): void {
    this.disposed = true;
    this.close();
    this.root.remove();
  }

  private open(specification: Specification): void {
    try {
      const client = this.client();
      const content = new ViewFrame(this.root, client, specification, kindOf(specification));
      this.content = content;
      this.settings = client.subscribe(
        settingsGroup(specification.id),
        { since: { last: 1 }, mode: 'latest' },
        { messages: batch => this.readSettings(content, batch[batch.length - 1]) }
      );
      content.open();
    } catch (error) {
      this.fail(error);
    }
  }

  private readSettings(content: ViewFrame, message: StreamMessage | undefined): void {
    try {
      const settings = message?.content();
      this.changes = typeof settings === 'object' && settings !== null && 'options' in settings ? settings.options : {};
    } catch (error) {
      content.note('settings', `Settings from Python cannot be read: ${sentence(error)}`);
      return;
    }
    this.configure(content);
  }

  /** Lay the settings from Python over the options of the specification. */
  private configure(content: ViewFrame): void {
    if (this.specification === null) {
      return;
    }
    try {
      content.configure(mergeOptions(kindOf(this.specification), this.specification.options, this.changes));
      content.note('settings', null);
    } catch (error) {
      content.note('settings', `Settings from Python are not applied: ${sentence(error)}`);
    }
  }

  private close(): void {
    this.settings?.dispose();
    this.settings = null;
    this.content?.dispose();
    this.content = null;
    this.message.remove();
  }

  private fail(error: unknown): void {
    this.close();
    this.specification = null;
    const what = sentence(error);
    setText(this.message, error instanceof SpecificationError ? what : `This view could not be shown: ${what}`);
    this.root.append(this.message);
  }
}

function kindOf({ kind }: Specification): Kind {
  return KINDS.get(kind) as Kind;
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
