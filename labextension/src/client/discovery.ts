/** Where the Jupyter server of this page is. */

import type { PageFacts } from './environment';

/** What the labextension knows from JupyterLab's `ServerConnection`; the view bundle has no such thing. */
export interface ServerSettings {
  readonly baseUrl: string;
  readonly wsUrl?: string;
  readonly token?: string;
  /** Put the token into the WebSocket's URL, where a cookie does not reach the server. */
  readonly appendToken?: boolean;
}

export interface Server {
  readonly ticketUrl: string;
  readonly socketUrl: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The server, or `null` if the page says nothing of one. */
export function discover(configured: ServerSettings | null, facts: PageFacts): Server | null {
  for (const settings of [configured, fromConfig(facts.config), facts.baseUrl === null ? null : { baseUrl: facts.baseUrl }]) {
    const server = settings === null ? null : resolve(settings, facts);
    if (server !== null) {
      return server;
    }
  }
  return null;
}

function fromConfig(text: string | null): ServerSettings | null {
  if (text === null) {
    return null;
  }
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof config !== 'object' || config === null) {
    return null;
  }
  const { baseUrl, wsUrl, token, appendToken } = config as Readonly<Record<string, unknown>>;
  if (typeof baseUrl !== 'string' || baseUrl === '') {
    return null;
  }
  return {
    baseUrl,
    wsUrl: typeof wsUrl === 'string' ? wsUrl : '',
    token: typeof token === 'string' ? token : '',
    // Page config holds text only.
    appendToken: appendToken === true || String(appendToken).toLowerCase() === 'true'
  };
}

function resolve({ baseUrl, wsUrl = '', token = '', appendToken = false }: ServerSettings, facts: PageFacts): Server | null {
  const base = parse(slashed(baseUrl), facts.href);
  const socket = wsUrl === '' ? base : parse(slashed(wsUrl), facts.href);
  if (base === null || socket === null || !/^https?:$/.test(base.protocol) || !/^(?:http|ws)s?:$/.test(socket.protocol)) {
    return null;
  }
  const socketUrl = new URL('nbchannels/ws', socket);
  socketUrl.protocol = socketUrl.protocol.replace(/^http/, 'ws');
  if (appendToken && token !== '') {
    socketUrl.searchParams.set('token', token);
  }
  const headers: Record<string, string> = {};
  const xsrf = cookie(facts.cookie, '_xsrf');
  // The cookie belongs to the page's own server; another one checks the token instead.
  if (xsrf !== null && base.origin === parse('', facts.href)?.origin) {
    headers['X-XSRFToken'] = xsrf;
  }
  if (token !== '') {
    headers.Authorization = `token ${token}`;
  }
  return { ticketUrl: new URL('nbchannels/api/ticket', base).href, socketUrl: socketUrl.href, headers };
}

function slashed(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

function parse(url: string, base: string): URL | null {
  try {
    return new URL(url, base);
  } catch {
    return null;
  }
}

/** The first cookie of this name: browsers put the one with the longest path first. */
function cookie(cookies: string, name: string): string | null {
  for (const one of cookies.split(';')) {
    const [key, ...value] = one.trim().split('=');
    if (key === name) {
      return value.join('=');
    }
  }
  return null;
}
