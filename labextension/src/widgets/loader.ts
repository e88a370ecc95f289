/**
 * What anywidget is given: finds the Jupyter server, and lets the view bundle that lies there draw.
 *
 * It stays small because every widget carries a copy. `initialize` runs also where our MIME renderer draws instead: so it
 * does nothing at all.
 */

import type { AnyModel, AnyWidget } from '@anywidget/types';

interface State extends Record<string, unknown> {
  specification: unknown;
}

interface Bundle {
  renderView(
    el: HTMLElement,
    specification: unknown,
    options: { trusted: boolean }
  ): { update(specification: unknown): void; dispose(): void };
}

interface Place {
  readonly baseUrl: string;
  readonly token: string;
}

/** Where the Jupyter server says it is, or null when this page does not come from one. */
export function findServer(): Place | null {
  const config = document.getElementById('jupyter-config-data')?.textContent;
  if (config) {
    const { baseUrl, token } = JSON.parse(config) as Record<string, unknown>;
    if (typeof baseUrl === 'string') {
      return { baseUrl, token: typeof token === 'string' ? token : '' };
    }
  }
  const { baseUrl } = document.body.dataset;
  return baseUrl === undefined ? null : { baseUrl, token: '' };
}

/** The bundle of this server. Throws an error that says what is missing. */
async function load(): Promise<Bundle> {
  const place = findServer();
  if (place === null) {
    throw new Error('this page does not come from a Jupyter server, so there is none to receive messages from');
  }
  const base = new URL(`${place.baseUrl.replace(/\/*$/, '/')}nbchannels/static/`, document.baseURI);
  const headers: Record<string, string> = place.token === '' ? {} : { Authorization: `token ${place.token}` };
  const answer = await fetch(new URL('manifest.json', base), { credentials: 'same-origin', cache: 'no-cache', headers });
  if (!answer.ok) {
    const why = answer.status === 404 ? 'the nbchannels extension is not enabled there: run "pip install nbchannels" in the environment of the server and restart it' : 'reload the page';
    throw new Error(`${base.href} answered ${answer.status}; ${why}`);
  }
  const { view } = (await answer.json()) as { view?: unknown };
  if (typeof view !== 'string' || !/^view-\w+\.js$/.test(view)) {
    throw new Error(`${base.href} names no view bundle; reinstall nbchannels`);
  }
  return (await import(new URL(view, base).href)) as Bundle;
}

async function draw(model: AnyModel<State>, el: HTMLElement, signal: AbortSignal): Promise<void> {
  const { renderView } = await load();
  if (signal.aborted) {
    return;
  }
  const view = renderView(el, model.get('specification'), { trusted: true });
  const update = (): void => view.update(model.get('specification'));
  model.on('change:specification', update);
  signal.addEventListener('abort', () => {
    model.off('change:specification', update);
    view.dispose();
  });
}

const widget: AnyWidget<State> = {
  render({ model, el }) {
    const gone = new AbortController();
    draw(model, el, gone.signal).catch((error: unknown) => {
      const words = document.createElement('div');
      words.setAttribute('role', 'alert');
      words.textContent = `This live view cannot be shown: ${error instanceof Error ? error.message : String(error)}.`;
      el.append(words);
    });
    return () => gone.abort();
  }
};

export default widget;
