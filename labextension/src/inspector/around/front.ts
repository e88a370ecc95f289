import type { INotebookTracker } from '@jupyterlab/notebook';

import type { ActiveNotebook } from '../following';

/** Of a cell that has outputs. */
interface Outputs {
  readonly length: number;
  get(index: number): { readonly data: Readonly<Record<string, unknown>> };
}

const MIME_TYPE = 'application/vnd.nbchannels.view.v1+json';

/** The notebook that was used last, its kernel, and the groups that its outputs show. */
export function notebookInFront(tracker: INotebookTracker | null): ActiveNotebook | null {
  const panel = tracker?.currentWidget ?? null;
  if (panel === null) {
    return null;
  }
  const views = new Set<string>();
  for (const cell of panel.content.model?.cells ?? []) {
    const { outputs } = cell as { outputs?: Outputs };
    for (let index = 0; index < (outputs?.length ?? 0); index++) {
      const view = outputs?.get(index).data[MIME_TYPE];
      if (typeof view === 'object' && view !== null && 'group' in view && typeof view.group === 'string') {
        views.add(view.group);
      }
    }
  }
  return { path: panel.context.path, kernel: panel.sessionContext.session?.kernel?.id ?? null, views: [...views] };
}
