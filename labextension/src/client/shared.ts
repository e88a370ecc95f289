/**
 * The one client of a page. The labextension and the view bundle are built apart and can both be on one page:
 * whoever comes first makes the client, all others find it.
 */

import type { TargetKind } from '../protocol/events';
import type { Answer } from './calls';
import { PageClient } from './client';
import type { ServerSettings } from './discovery';
import { browserEnvironment } from './environment';
import type { Client, Disposer, Receipt } from './types';

/** What is shared: the client, and where the server is. It does not change within v1, whatever version made it. */
export interface SharedClient extends Client {
  configure(settings: ServerSettings): void;
  /** Send to a group or a channel; as `publish`. */
  send(kind: TargetKind, name: string, content: Record<string, unknown>): Promise<Receipt>;
  /** Ask the server. Rejects at once while there is no connection, with a `CallError`. */
  call(method: string, args?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** Keep the connection open until disposed of, though nothing is subscribed. */
  hold(): Disposer;
}

const KEY = Symbol.for('nbchannels.client.v1');

/** The page's client. The connection is opened with the first subscription. */
export function pageClient(): SharedClient {
  const page = globalThis as { [KEY]?: SharedClient };
  const present = page[KEY];
  if (present !== undefined) {
    return present;
  }
  const client = new PageClient(browserEnvironment());
  Object.defineProperty(page, KEY, { value: client });
  return client;
}

/** Say where the server is; without it the page is asked. */
export function configure(settings: ServerSettings): void {
  pageClient().configure(settings);
}
