/**
 * What this client sends, until the server has accepted it: numbered once, sent again in order after a
 * lost connection or a temporary refusal, never twice into a log (the server knows the numbers).
 */

import type { AcceptedControl, RejectedControl } from './controls';
import type { AcceptedEvent, RejectedEvent, TargetKind } from './events';
import type { EncodedBody } from './body';
import { FLAG, KIND } from './records';
import type { DataRecord } from './records';

/** Seconds to wait after a temporary rejection that does not say. */
const DEFAULT_RETRY = 1;

interface Pending {
  readonly target: Target;
  readonly sequence: number;
  readonly body: EncodedBody;
  readonly receipt: boolean;
  /** It has been written at least once: whatever follows is a retry. */
  written: boolean;
}

interface Target {
  readonly kind: TargetKind;
  readonly name: string;
  /** In the order of their numbers, as a `Map` keeps it. */
  readonly pending: Map<number, Pending>;
  /** Held back until this time, since the record with the number `heldFrom` was refused. */
  heldUntil: number | null;
  heldFrom: number;
}

/** A record to withdraw, as the server is told. */
export interface Withdrawal {
  readonly kind: TargetKind;
  readonly name: string;
  readonly sequence: number;
}

export interface PublishRequest {
  readonly kind: TargetKind;
  readonly name: string;
  readonly body: EncodedBody;
  readonly receipt: boolean;
}

export class Publisher {
  private sequence = 0;
  private readonly pending = new Map<number, Pending>();
  private readonly targets = new Map<string, Target>();
  /** Written, then withdrawn while there was no connection: the server may still wait for them. */
  private withdrawn: Withdrawal[] = [];
  private bytes = 0;

  /** Messages and bytes not yet accepted. */
  get backlog(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.pending.size, bytes: this.bytes };
  }

  /** Number a message and keep it. */
  add({ kind, name, body, receipt }: PublishRequest): number {
    const target = this.target(kind, name);
    const one: Pending = { target, sequence: ++this.sequence, body, receipt, written: false };
    this.pending.set(one.sequence, one);
    target.pending.set(one.sequence, one);
    this.bytes += body.bytes.length;
    return one.sequence;
  }

  /** The record to write now; `null` if its target is held back. */
  write(sequence: number): DataRecord | null {
    const one = this.pending.get(sequence);
    return one === undefined || one.target.heldUntil !== null ? null : record(one);
  }

  /** A new connection: withdrawals first (they unlock their target), then everything, in order. */
  resume(): { readonly withdrawals: readonly Withdrawal[]; readonly records: readonly DataRecord[] } {
    const withdrawals = this.withdrawn;
    this.withdrawn = [];
    for (const target of this.targets.values()) {
      target.heldUntil = null;
    }
    return { withdrawals, records: [...this.pending.values()].map(record) };
  }

  /** Targets whose waiting time is over: their records again. */
  due(now: number): readonly DataRecord[] {
    const records: DataRecord[] = [];
    for (const target of this.targets.values()) {
      if (target.heldUntil !== null && target.heldUntil <= now) {
        target.heldUntil = null;
        for (const one of target.pending.values()) {
          if (one.sequence >= target.heldFrom) {
            records.push(record(one));
          }
        }
      }
    }
    return records;
  }

  /** When `due` has something next. */
  get deadline(): number | null {
    let first: number | null = null;
    for (const { heldUntil } of this.targets.values()) {
      if (heldUntil !== null && (first === null || heldUntil < first)) {
        first = heldUntil;
      }
    }
    return first;
  }

  accepted({ targets, receipts }: AcceptedControl): AcceptedEvent[] {
    const told = new Map<number, Readonly<Record<string, unknown>>>();
    for (const { sequence, receipt } of receipts) {
      told.set(sequence, receipt);
    }
    const events: AcceptedEvent[] = [];
    const settle = (one: Pending): void => {
      this.remove(one);
      const { kind, name } = one.target;
      events.push({ event: 'accepted', kind, name, sequence: one.sequence, receipt: told.get(one.sequence) ?? null });
    };
    for (const [kind, name, upTo] of targets) {
      const target = this.targets.get(key(kind, name));
      for (const one of target?.pending.values() ?? []) {
        if (one.sequence > upTo) {
          break;
        }
        settle(one);
      }
    }
    // A receipt is an acceptance, also without its target beside it.
    for (const { sequence } of receipts) {
      const one = this.pending.get(sequence);
      if (one !== undefined) {
        settle(one);
      }
    }
    return events;
  }

  /** Final: an event. Temporary: `null`, and the target waits. */
  rejected({ kind, name, sequence, error, retry }: RejectedControl, now: number): RejectedEvent | null {
    const one = this.pending.get(sequence);
    if (one === undefined || one.target.kind !== kind || one.target.name !== name) {
      return null;
    }
    if (!error.temporary) {
      this.remove(one);
      return { event: 'rejected', kind, name, sequence, code: error.code, error };
    }
    const { target } = one;
    // The first refused record decides; those behind it are refused only for its sake.
    if (target.heldUntil === null || sequence <= target.heldFrom) {
      target.heldUntil = now + (retry ?? DEFAULT_RETRY);
      target.heldFrom = sequence;
    }
    return null;
  }

  /**
   * Forget a message that is not accepted yet.
   *
   * @returns what to tell the server, if it may have seen the message
   */
  withdraw(sequence: number, connected: boolean): Withdrawal | null {
    const one = this.pending.get(sequence);
    if (one === undefined) {
      return null;
    }
    this.remove(one);
    if (!one.written) {
      return null;
    }
    const { kind, name } = one.target;
    const withdrawal = { kind, name, sequence };
    if (!connected) {
      this.withdrawn.push(withdrawal);
      return null;
    }
    return withdrawal;
  }

  private remove(one: Pending): void {
    this.pending.delete(one.sequence);
    this.bytes -= one.body.bytes.length;
    const { target } = one;
    target.pending.delete(one.sequence);
    if (target.pending.size === 0) {
      this.targets.delete(key(target.kind, target.name));
    }
  }

  private target(kind: TargetKind, name: string): Target {
    const id = key(kind, name);
    let target = this.targets.get(id);
    if (target === undefined) {
      target = { kind, name, pending: new Map(), heldUntil: null, heldFrom: 0 };
      this.targets.set(id, target);
    }
    return target;
  }
}

function key(kind: TargetKind, name: string): string {
  return `${kind} ${name}`;
}

function record(one: Pending): DataRecord {
  const flags = (one.receipt ? FLAG.receipt : 0) | (one.written ? FLAG.retried : 0);
  one.written = true;
  return {
    kind: one.target.kind === 'group' ? KIND.PUBLISH : KIND.SEND,
    codec: one.body.codec,
    flags,
    name: one.target.name,
    id: 0,
    tag: 0,
    sequence: one.sequence,
    time: 0,
    sender: 0,
    body: one.body.bytes
  };
}
