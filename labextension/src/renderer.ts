import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { configure, pageClient } from './client/shared';
import type { Disposer } from './client/types';
import { Notifications } from './renderer-notifications';
import { KINDS } from './views/kinds';
import { MIME_TYPE, parseSpecification } from './views/specification';
import { View } from './views/view';

/** Whose settings say whether notifications are shown. */
const SETTINGS = 'nbchannels:inspector';

/** Before the renderer of ipywidgets (-10), which needs a kernel and a trusted notebook; ours needs neither. */
const RANK = -20;

type Message = Parameters<Widget['processMessage']>[0];

/** An output with a live view. JupyterLab renders it before it is in the page, and again when it has changed. */
class RenderedView extends Widget implements IRenderMime.IRenderer {
  private readonly view: View;
  private group: string | null = null;
  private hearing: Disposer | null = null;

  constructor(private readonly notifications: Notifications) {
    super();
    this.addClass('nbchannels-output');
    this.view = new View(this.node, pageClient);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.view.show(model.data[MIME_TYPE]);
    const group = groupOf(model.data[MIME_TYPE]);
    if (group !== this.group) {
      this.group = group;
      if (this.isAttached) {
        this.hear();
      }
    }
    return Promise.resolve();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.hearing?.dispose();
      this.hearing = null;
      this.view.dispose();
      super.dispose();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.view.attach();
    this.hear();
  }

  /** What is told to the group that it shows. */
  private hear(): void {
    this.hearing?.dispose();
    this.hearing = this.group === null ? null : this.notifications.watch(this.group);
  }
}

/** The group of a specification, which may come from anyone; null if it is none. */
function groupOf(specification: unknown): string | null {
  try {
    return parseSpecification(specification, KINDS).group;
  } catch {
    return null; // the view says why
  }
}

/** Draws live views in notebooks. */
export const renderer: JupyterFrontEndPlugin<void> = {
  id: 'nbchannels:renderer',
  description: 'Draws the live views of nbchannels in notebooks.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator, ISettingRegistry],
  activate: (app: JupyterFrontEnd, rendermime: IRenderMimeRegistry, translator: ITranslator | null, registry: ISettingRegistry | null) => {
    const { baseUrl, wsUrl, token, appendToken } = app.serviceManager.serverSettings;
    configure({ baseUrl, wsUrl, token, appendToken });
    const trans = (translator ?? nullTranslator).load('nbchannels');
    const notifications = new Notifications(pageClient, trans, (text, level) => {
      Notification.emit(text, level, { autoClose: level === 'error' ? false : 8000 });
    });
    if (registry !== null) {
      void registry.load(SETTINGS).then(
        loaded => {
          const read = (): void => {
            notifications.enabled = loaded.composite.notifications !== false;
          };
          loaded.changed.connect(read);
          read();
        },
        (error: unknown) => {
          console.warn(`nbchannels: the settings cannot be read, notifications are shown: ${String(error)}`);
        }
      );
    }
    rendermime.addFactory({
      // A view only reads, and takes its specification for what it may be: anyone's.
      safe: true,
      mimeTypes: [MIME_TYPE],
      defaultRank: RANK,
      createRenderer: () => new RenderedView(notifications)
    });
  }
};
