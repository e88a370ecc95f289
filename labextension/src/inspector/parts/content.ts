import type { TranslationBundle } from '@jupyterlab/translation';

import { element } from '../../views/dom';
import type { WholeMessage } from '../api';
import { hexLines, JsonTree } from './tree';

/** A message in full: what is left out of it, its tree, its bytes. */
export function contentNodes(trans: TranslationBundle, copy: (text: string) => void, { message, omitted, hex }: WholeMessage): HTMLElement[] {
  const nodes: HTMLElement[] = [];
  if (omitted !== null) {
    nodes.push(element('div', 'nbc-note', omitted));
  }
  const isEmpty = message === null || message === undefined;
  if (!isEmpty) {
    const tree = new JsonTree(trans.__('Content'), copy);
    tree.show(message);
    nodes.push(tree.element);
  }
  if (hex !== '') {
    const bytes = element('details', 'nbc-hex');
    bytes.open = isEmpty;
    const lines = element('pre', 'nbc-trace', hexLines(hex));
    lines.tabIndex = 0;
    bytes.append(element('summary', '', trans.__('Bytes')), lines);
    nodes.push(bytes);
  }
  return nodes;
}
