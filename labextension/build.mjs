// The bundles that run without JupyterLab's module system: the views, served by the server extension under a name that
// changes with their content (so that browsers may keep them for ever), and the loader that anywidget is given.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import * as esbuild from 'esbuild';

const here = path => fileURLToPath(new URL(path, import.meta.url));
const STATIC = here('../nbchannels/server/static');
const WIDGETS = here('../nbchannels/widgets/static');
const LAB = here('../nbchannels/labextension');

/** `import './x.css'` puts the rules into the page, as JupyterLab's own build does: the same source serves both. */
const css = {
  name: 'css',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true });
      return {
        loader: 'js',
        contents:
          `const style = document.createElement('style');\n` +
          `style.textContent = ${JSON.stringify(code)};\n` +
          `document.head.append(style);\n`
      };
    });
  }
};

const common = {
  absWorkingDir: here('.'),
  bundle: true,
  format: 'esm',
  target: ['es2022'],
  minify: true,
  charset: 'utf8',
  legalComments: 'eof',
  logLevel: 'warning',
  loader: { '.svg': 'text' },
  plugins: [css]
};

/** Empty the output folders: a stale bundle in a wheel would be served to someone. */
function clean(...folders) {
  for (const folder of folders) {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function buildView() {
  const built = await esbuild.build({
    ...common,
    entryPoints: [{ in: 'src/views/bundle.ts', out: 'view' }],
    entryNames: '[name]-[hash]',
    outdir: STATIC,
    metafile: true
  });
  const name = basename(Object.keys(built.metafile.outputs).find(path => path.endsWith('.js')));
  for (const old of readdirSync(STATIC)) {
    if (old !== name) {
      rmSync(`${STATIC}/${old}`);
    }
  }
  writeFileSync(`${STATIC}/manifest.json`, JSON.stringify({ view: name }) + '\n');
}

async function buildLoader() {
  mkdirSync(WIDGETS, { recursive: true });
  await esbuild.build({ ...common, entryPoints: ['src/widgets/loader.ts'], outfile: `${WIDGETS}/loader.js` });
}

if (process.argv.includes('--clean')) {
  clean(STATIC, WIDGETS, LAB, here('lib'));
} else {
  await Promise.all([buildView(), buildLoader()]);
}
