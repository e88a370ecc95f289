import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { pageClient } from '../../client/shared';
import { View } from '../../views/view';

/** What a view needs besides its stage: header, legend, paddings. */
const AROUND = 110;
const SMALLEST = 120;

/** A live view of a group that fills a tab. */
export class ViewPanel extends Widget {
  private readonly view: View;
  private readonly identity = Array.from(crypto.getRandomValues(new Uint8Array(8)), one => one.toString(16).padStart(2, '0')).join('');
  private height = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param kind - as in a specification */
  constructor(
    readonly group: string,
    readonly kind: string
  ) {
    super();
    this.addClass('nbc-plot-panel');
    this.view = new View(this.node, pageClient);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      clearTimeout(this.timer);
      this.view.dispose();
      super.dispose();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.adapt(this.node.clientHeight);
    this.view.attach();
  }

  protected override onResize(message: Widget.ResizeMessage): void {
    super.onResize(message);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.adapt(this.node.clientHeight);
    }, 100);
  }

  private adapt(available: number): void {
    const height = Math.min(2000, Math.max(SMALLEST, available - AROUND));
    if (height !== this.height) {
      this.height = height;
      this.view.show({ version: 1, id: this.identity, group: this.group, kind: this.kind, options: { height } });
    }
  }
}
