// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import widget, { findServer } from '../../src/widgets/loader';

let el: HTMLElement;

beforeEach(() => {
  document.body.replaceChildren((el = document.createElement('div')));
  delete document.body.dataset['baseUrl'];
});

afterEach(() => vi.unstubAllGlobals());

function configure(config: Record<string, unknown>): void {
  const script = document.createElement('script');
  script.id = 'jupyter-config-data';
  script.type = 'application/json';
  script.textContent = JSON.stringify(config);
  document.body.append(script);
}

/** Render the widget, and what it then says in its element. */
async function render(): Promise<string | null> {
  const model = { get: () => null, on: () => undefined, off: () => undefined };
  const { render: draw } = widget as { render: (props: unknown) => unknown };
  draw({ model, el });
  await vi.waitFor(() => expect(el.textContent).not.toBe(''));
  expect(el.firstElementChild?.getAttribute('role')).toBe('alert');
  return el.textContent;
}

describe('the loader', () => {
  it('does nothing before it is shown: our renderer may draw instead', () => {
    expect(widget).not.toHaveProperty('initialize');
  });

  it('finds the server as the page says', () => {
    expect(findServer()).toBeNull();
    document.body.dataset['baseUrl'] = '/classic/';
    expect(findServer()).toEqual({ baseUrl: '/classic/', token: '' });
    configure({ baseUrl: '/user/me/', token: 'secret' });
    expect(findServer()).toEqual({ baseUrl: '/user/me/', token: 'secret' });
  });

  it('says in words that there is no server', async () => {
    expect(await render()).toBe('This live view cannot be shown: this page does not come from a Jupyter server, so there is none to receive messages from.');
  });

  it.each([
    [404, 'pip install nbchannels'],
    [403, 'reload the page']
  ])('says what to do when the server answers %d', async (status, words) => {
    configure({ baseUrl: '/' });
    vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response('', { status }))));
    expect(await render()).toContain(words);
  });

  it('asks under the base URL, with the token in a header', async () => {
    configure({ baseUrl: '/a%40b', token: 'secret' });
    const fetched = vi.fn<typeof fetch>(() => Promise.resolve(new Response('{"view": "../evil.js"}')));
    vi.stubGlobal('fetch', fetched);
    expect(await render()).toContain('names no view bundle');
    expect(String(fetched.mock.calls[0]?.[0])).toMatch(/\/a%40b\/nbchannels\/static\/manifest\.json$/);
    expect(fetched.mock.calls[0]?.[1]).toMatchObject({ headers: { Authorization: 'token secret' } });
  });
});
