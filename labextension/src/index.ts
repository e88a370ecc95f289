import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { inspector } from './inspector/plugin';
import { renderer } from './renderer';

/** The plugins of the extension. */
const plugins: JupyterFrontEndPlugin<void>[] = [renderer, inspector];

export default plugins;
