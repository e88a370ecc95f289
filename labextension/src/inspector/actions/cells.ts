import type { INotebookTracker } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';

import { needsImport } from './snippets';

/** Put code into a new cell below the active one of the notebook that was used last. Returns whether there is one. */
export function insertCell(tracker: INotebookTracker | null, code: string): boolean {
  const panel = tracker?.currentWidget ?? null;
  if (panel === null) {
    return false;
  }
  const { content: notebook } = panel;
  const sources = notebook.widgets.map(cell => cell.model.sharedModel.getSource());
  NotebookActions.insertBelow(notebook);
  const cell = notebook.activeCell;
  if (cell === null) {
    return false;
  }
  cell.model.sharedModel.setSource(needsImport(sources) ? `import nbchannels as nb\n\n${code}` : code);
  void notebook.scrollToItem(notebook.activeCellIndex, 'smart').catch(() => undefined);
  return true;
}
