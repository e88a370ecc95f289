/** What the client takes from the page it runs in: handed in, so that tests have a clock and a network of their own. */

/** The part of a WebSocket that is used. */
export interface SocketLike {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

/** The part of a `fetch` response that is used. */
export interface ResponseLike {
  readonly status: number;
  readonly type: string;
  json(): Promise<unknown>;
}

export interface RequestOptions {
  readonly method: string;
  readonly credentials: 'same-origin';
  readonly redirect: 'manual';
  readonly cache: 'no-store';
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** What the page says about its server. */
export interface PageFacts {
  readonly href: string;
  /** Text of `#jupyter-config-data` (JupyterLab, Notebook 7, Voilà). */
  readonly config: string | null;
  /** `document.body.dataset.baseUrl` (nbclassic). */
  readonly baseUrl: string | null;
  readonly cookie: string;
}

export interface Environment {
  /** Seconds since 1970. */
  now(): number;
  /** From 0 to 1, for back-off only. */
  random(): number;
  /** Random hexadecimal digits that nobody can guess. */
  secret(bytes: number): string;
  /** Returns a function that cancels. */
  after(seconds: number, callback: () => void): () => void;
  /** Run `callback` when the present task is done. */
  soon(callback: () => void): void;
  facts(): PageFacts;
  fetch(url: string, options: RequestOptions): Promise<ResponseLike>;
  connect(url: string, protocol: string): SocketLike;
  /** Called when the network is back and when the page becomes visible. */
  onWake(callback: () => void): void;
}

/** The environment of a real page. Everything is looked up when it is used: importing this touches nothing. */
export function browserEnvironment(): Environment {
  return {
    now: () => Date.now() / 1000,
    random: () => Math.random(),
    secret: bytes => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), one => one.toString(16).padStart(2, '0')).join(''),
    after: (seconds, callback) => {
      const timer = setTimeout(callback, seconds * 1000);
      return () => {
        clearTimeout(timer);
      };
    },
    soon: callback => {
      queueMicrotask(callback);
    },
    facts: () => ({
      href: location.href,
      config: document.getElementById('jupyter-config-data')?.textContent ?? null,
      baseUrl: document.body.dataset.baseUrl ?? null,
      cookie: document.cookie
    }),
    fetch: (url, options) => fetch(url, options),
    // Its handlers take more of an event than is asked for here.
    connect: (url, protocol) => new WebSocket(url, protocol) as SocketLike,
    onWake: callback => {
      addEventListener('online', callback);
      document.addEventListener('visibilitychange', () => {
        if (document.visibilityState === 'visible') {
          callback();
        }
      });
    }
  };
}
