/** Questions to the server that wait for their answers. */

import type { WireError } from '../protocol/events';
import type { DataRecord } from '../protocol/records';

/** What the server answered: a value, and the records that came before it. */
export interface Answer {
  readonly value: unknown;
  readonly entries: readonly DataRecord[];
}

/** The server did not do what was asked. `code` is one of the protocol's error codes. */
export class CallError extends Error {
  override readonly name = 'CallError';

  constructor(
    readonly code: string,
    message: string
  ) {
    super(message);
  }
}

/** Who asked. */
export interface CallHandler {
  answered(answer: Answer): void;
  failed(error: WireError): void;
}

export class Calls {
  private readonly open = new Map<number, { readonly handler: CallHandler; readonly entries: DataRecord[] }>();

  get size(): number {
    return this.open.size;
  }

  add(id: number, handler: CallHandler): void {
    this.open.set(id, { handler, entries: [] });
  }

  /** A record that belongs to the answer of this call. */
  entry(id: number, record: DataRecord): void {
    this.open.get(id)?.entries.push(record);
  }

  answered(id: number, value: unknown): void {
    const call = this.open.get(id);
    this.open.delete(id);
    call?.handler.answered({ value, entries: call.entries });
  }

  failed(id: number, error: WireError): void {
    const call = this.open.get(id);
    this.open.delete(id);
    call?.handler.failed(error);
  }
}
