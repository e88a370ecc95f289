/**
 * The one client of a page. The labextension and the view bundle are built apart and can both be on one page:
 * whoever comes first makes the client, all others find it.
 */

import { PageClient } from './client';
import type { ServerSettings } from './discovery';
import { browserEnvironment } from './environment';
import type { Client } from './types';

/** What is shared: the client, and where the server is. It does not change within v1, whatever version made it. */
export interface SharedClient extends Client {
  configure(settings: ServerSettings): void;
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
