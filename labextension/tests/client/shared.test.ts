// @vitest-environment happy-dom

import { afterEach, describe, expect, it, vi } from 'vitest';

const KEY = Symbol.for('nbchannels.client.v1');

afterEach(() => {
  vi.resetModules();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** What the client does with the globals of a page. */
class PageSocket {
  static readonly made: PageSocket[] = [];
  onopen: (() => void) | null = null;
  readonly sent: unknown[] = [];

  constructor(
    readonly url: string,
    readonly protocol: string
  ) {
    PageSocket.made.push(this);
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    // Nothing to do.
  }
}

describe('pageClient', () => {
  it('is one for the page, across copies of the code, and opens nothing unasked', async () => {
    const one = await import('../../src/client/shared');
    const client = one.pageClient();
    vi.resetModules();
    const other = await import('../../src/client/shared');
    expect(other).not.toBe(one);
    expect(other.pageClient()).toBe(client);
    expect((globalThis as { [KEY]?: unknown })[KEY]).toBe(client);
    expect(Object.keys(globalThis)).not.toContain('nbchannels');
  });

  it('reads the page, asks for a ticket and says hello', async () => {
    vi.useFakeTimers();
    const config = document.createElement('script');
    config.id = 'jupyter-config-data';
    config.type = 'application/json';
    config.textContent = '{"baseUrl": "/base/"}';
    document.body.append(config);
    document.cookie = '_xsrf=abc';
    const answer = { status: 200, type: 'basic', json: () => Promise.resolve({ ticket: 't1', expires: 30 }) };
    const fetched = vi.fn<(url: string, options: object) => Promise<typeof answer>>(() => Promise.resolve(answer));
    vi.stubGlobal('fetch', fetched);
    vi.stubGlobal('WebSocket', PageSocket);
    const { pageClient } = await import('../../src/client/shared');
    const handle = pageClient().subscribe('index', { since: 'now', mode: 'log' }, { messages: () => undefined });
    await vi.advanceTimersByTimeAsync(10);
    expect(fetched.mock.calls[0]?.[0]).toMatch(/\/base\/nbchannels\/api\/ticket$/);
    expect(fetched.mock.calls[0]?.[1]).toMatchObject({ method: 'POST', credentials: 'same-origin', headers: { 'X-XSRFToken': 'abc' } });
    const socket = PageSocket.made[0];
    expect(socket?.protocol).toBe('nbchannels.v1');
    socket?.onopen?.();
    expect(JSON.parse(String(socket?.sent[0]))).toMatchObject({ op: 'hello', ticket: 't1', subscriptions: [{ group: 'index' }] });
    handle.dispose();
    await vi.advanceTimersByTimeAsync(31_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
