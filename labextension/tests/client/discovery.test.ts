import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { discover } from '../../src/client/discovery';
import { VERSION } from '../../src/client/version';

const facts = { href: 'https://host/user/a/lab', config: null, baseUrl: null, cookie: '' };

describe('discover', () => {
  it('prefers what the labextension says, then the page config, then nbclassic', () => {
    const page = { ...facts, config: '{"baseUrl": "/config/"}', baseUrl: '/classic/' };
    expect(discover({ baseUrl: '/given' }, page)?.socketUrl).toBe('wss://host/given/nbchannels/ws');
    expect(discover(null, page)?.socketUrl).toBe('wss://host/config/nbchannels/ws');
    expect(discover(null, { ...page, config: '{"other": 1}' })?.socketUrl).toBe('wss://host/classic/nbchannels/ws');
    expect(discover(null, { ...page, config: 'not JSON' })?.socketUrl).toBe('wss://host/classic/nbchannels/ws');
    expect(discover(null, facts)).toBeNull();
  });

  it('takes http for ws, and ws from wsUrl', () => {
    expect(discover({ baseUrl: 'http://other:1/' }, facts)?.socketUrl).toBe('ws://other:1/nbchannels/ws');
    expect(discover({ baseUrl: '/', wsUrl: 'ws://sockets:2/x' }, facts)?.socketUrl).toBe('ws://sockets:2/x/nbchannels/ws');
    expect(discover({ baseUrl: 'javascript:alert(1)' }, facts)).toBeNull();
  });

  it('reads the token of the page config, and appends it only if told', () => {
    const config = (more: object): string => JSON.stringify({ baseUrl: '/', token: 's3', ...more });
    expect(discover(null, { ...facts, config: config({}) })).toMatchObject({
      headers: { Authorization: 'token s3' }, socketUrl: 'wss://host/nbchannels/ws'
    });
    expect(discover(null, { ...facts, config: config({ appendToken: 'True' }) })?.socketUrl).toBe('wss://host/nbchannels/ws?token=s3');
  });

  it('sends the XSRF cookie to the page’s own server only', () => {
    const cookie = 'a=b; _xsrf=2|x|y=z; _xsrf=less-specific';
    expect(discover({ baseUrl: '/' }, { ...facts, cookie })?.headers).toEqual({ 'X-XSRFToken': '2|x|y=z' });
    expect(discover({ baseUrl: 'https://evil/' }, { ...facts, cookie })?.headers).toEqual({});
  });
});

it('the version is the package’s', () => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  expect((JSON.parse(text) as { version: string }).version).toBe(VERSION);
});
