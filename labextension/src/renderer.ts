import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { configure, pageClient } from './client/shared';
import { MIME_TYPE } from './views/specification';
import { View } from './views/view';

/** Before the renderer of ipywidgets (-10), which needs a kernel and a trusted notebook; ours needs neither. */
const RANK = -20;

type Message = Parameters<Widget['processMessage']>[0];

/** An output with a live view. JupyterLab renders it before it is in the page, and again when it has changed. */
class RenderedView extends Widget implements IRenderMime.IRenderer {
  private readonly view: View;

  constructor() {
    super();
    this.addClass('nbchannels-output');
    this.view = new View(this.node, pageClient);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.view.show(model.data[MIME_TYPE]);
    return Promise.resolve();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.view.dispose();
      super.dispose();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.view.attach();
  }
}

/** Draws live views in notebooks. */
export const renderer: JupyterFrontEndPlugin<void> = {
  id: 'nbchannels:renderer',
  description: 'Draws the live views of nbchannels in notebooks.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (app: JupyterFrontEnd, rendermime: IRenderMimeRegistry) => {
    const { baseUrl, wsUrl, token, appendToken } = app.serviceManager.serverSettings;
    configure({ baseUrl, wsUrl, token, appendToken });
    rendermime.addFactory({
      // A view only reads, and takes its specification for what it may be: anyone's.
      safe: true,
      mimeTypes: [MIME_TYPE],
      defaultRank: RANK,
      createRenderer: () => new RenderedView()
    });
  }
};
