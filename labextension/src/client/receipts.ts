/** What becomes of a message that a page has sent. */

import type { Receipt } from './types';

/** The message was not taken. `code` is one of the protocol's error codes. */
export class PublishError extends Error {
  override readonly name = 'PublishError';

  constructor(
    readonly code: string,
    message: string
  ) {
    super(message);
  }
}

/** The receipt as the server words it; what it does not say is `null`: not known. */
export function toReceipt(told: Readonly<Record<string, unknown>> | null): Receipt {
  return {
    members: number(told?.members),
    subscribers: number(told?.subscribers),
    dropped: number(told?.dropped) ?? 0,
    offset: number(told?.offset),
    hint: typeof told?.hint === 'string' ? told.hint : null
  };
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
