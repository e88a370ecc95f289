import type { DataRecord } from './records';
import type { Settlement } from './events';

/** Settlements that are told again after a reconnect. */
const MOST_SETTLED = 256;

type Settled = readonly [lease: number, how: Settlement];

/**
 * What a client receives from channels: its credit, and the leases in its hands. They outlive a connection: each
 * hello tells which are held and which were settled last, in case that did not arrive.
 */
export class Deliveries {
  private readonly credits = new Map<string, number>();
  private readonly leases = new Set<number>();
  private readonly settlements: Settled[] = [];

  /** How many more deliveries of this channel are welcome. */
  credit(channel: string, credit: number): void {
    this.credits.set(channel, credit);
  }

  /** What is open, to be said at each connection. */
  open(): [channel: string, credit: number][] {
    return [...this.credits].filter(([, credit]) => credit > 0);
  }

  /** A DELIVERY came; those for consumers are counted by the server. */
  delivered(record: DataRecord): void {
    this.leases.add(record.sequence);
    if (record.id === 0) {
      this.credits.set(record.name, Math.max(0, (this.credits.get(record.name) ?? 0) - 1));
    }
  }

  /** Something became of leased messages; returns those that are held, which is what the server is told of. */
  settle(leases: readonly Settled[]): Settled[] {
    const held = leases.filter(([lease]) => this.leases.delete(lease));
    this.settlements.push(...held);
    this.settlements.splice(0, this.settlements.length - MOST_SETTLED);
    return held;
  }

  /** The fields of hello, if there is something to tell. */
  told(): { leases?: number[]; settled?: Settled[] } {
    return {
      ...(this.leases.size > 0 && { leases: [...this.leases] }),
      ...(this.settlements.length > 0 && { settled: [...this.settlements] })
    };
  }

  /** The server is another process: it knows nothing of them. */
  forgetLeases(): void {
    this.leases.clear();
    this.settlements.length = 0;
  }
}
