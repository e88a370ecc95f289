/** What a person is told about the connection: what happened, and what to do. */

import type { Ending } from './socket';

/** What follows from the end of an attempt. */
export type Verdict =
  /** Wait and try again. */
  | 'again'
  /** Stop; try again when the page is looked at again. */
  | 'refused'
  | 'offline'
  /** Stop for good. */
  | 'stopped'
  /** The ticket was not taken: once more with a new one. */
  | 'ticket';

export const IDLE = 'Not connected: no view of this page needs the server now.';
export const CONNECTING = 'Connecting to the Jupyter server.';
export const LIVE = 'Connected to the Jupyter server.';
export const NO_SERVER =
  'This page does not say where its Jupyter server is: live data needs JupyterLab, Notebook 7, nbclassic or Voilà on a Jupyter server with nbchannels.';

const NO_EXTENSION =
  'This Jupyter server does not have the nbchannels extension: run "pip install nbchannels" in the environment of the server (not of the kernel) and restart the server.';

const STOPPED: ReadonlyMap<number, string> = new Map([
  [4500, 'The server did not take the ticket of this page: log in again and reload the page.'],
  [4501, 'The server could not read what this page sent: reload the page; if that does not help, page and server have different versions of nbchannels.'],
  [4502, 'The server did not hear this page in time: reload the page.'],
  [4503, 'You may not use nbchannels on this server: ask whoever runs it.'],
  [4504, 'The server has too many connections: close other pages, then reload this one.'],
  [4505, 'The server speaks another version of the nbchannels protocol: install the same version of nbchannels on the server, restart it and reload the page.'],
  [4506, 'The server revoked this connection: reload the page.'],
  [4507, 'Someone who looks after this server disconnected this page: reload it to connect again.']
]);

const LOST: ReadonlyMap<number, string> = new Map([
  [4000, 'The server is shutting down or restarting.'],
  [4001, 'The credentials of this page have expired.'],
  [4002, 'This page was too slow to read what the server sent.'],
  [4003, 'The connection was silent for too long.'],
  [4005, 'This page sent too much at once.']
]);

/** What an ending means. */
export function judge({ stage, code, reason }: Ending): { readonly verdict: Verdict; readonly detail: string } {
  if (stage === 'ticket') {
    switch (code) {
      case 401:
      case 403:
        return { verdict: 'refused', detail: `The Jupyter server refuses this page (HTTP ${code}): log in again, then come back to this page.` };
      case 404:
        return { verdict: 'offline', detail: NO_EXTENSION };
      case null:
        return { verdict: 'again', detail: 'The Jupyter server cannot be reached; trying again.' };
      default:
        return { verdict: 'again', detail: `The Jupyter server gave no ticket (HTTP ${code}); trying again.` };
    }
  }
  if (code === 4500) {
    return { verdict: 'ticket', detail: STOPPED.get(code) ?? '' };
  }
  if (code !== null && code >= 4500 && code <= 4999) {
    const told = reason === '' ? '' : ` (${reason})`;
    return { verdict: 'stopped', detail: STOPPED.get(code) ?? `The server ended the connection with code ${code}${told}: reload the page.` };
  }
  const what = (code === null ? undefined : LOST.get(code)) ?? 'The connection to the Jupyter server was lost.';
  return { verdict: 'again', detail: `${what} Trying again.` };
}
