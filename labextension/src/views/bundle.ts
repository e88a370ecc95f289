/** The views without JupyterLab, as one file that the server extension serves: what the widget's loader imports. */

import { pageClient } from '../client/shared';
import { adoptStyles } from './shadow';
import { View } from './view';

/** Ways to draw a view. */
export interface RenderOptions {
  /** Whether the reader trusts where the specification comes from. Views only ever read, trusted or not. */
  readonly trusted: boolean;
}

/** A view that was drawn. */
export interface RenderedView {
  /** Show another specification. */
  update(specification: unknown): void;
  dispose(): void;
}

/** Draw what `specification` says into `el` until disposed of. */
export const renderView: (el: HTMLElement, specification: unknown, options: RenderOptions) => RenderedView = (el, specification) => {
  adoptStyles(el);
  const view = new View(el, pageClient);
  view.show(specification);
  view.attach();
  return {
    update: changed => view.show(changed),
    dispose: () => view.dispose()
  };
};
