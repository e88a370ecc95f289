import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { renderer } from './renderer';

/** The plugins of the extension. */
const plugins: JupyterFrontEndPlugin<void>[] = [renderer];

export default plugins;
