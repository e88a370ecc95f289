/** How long to wait before the next connection: full jitter, so that a restarted server is not met by all pages at once. */

const FIRST = 0.25;
const LONGEST = 5;
/** A connection that lived this long was a good one. */
const HEALTHY = 30;

export class Backoff {
  private attempts = 0;
  private liveSince: number | null = null;

  constructor(private readonly random: () => number) {}

  /** The connection is live. */
  live(now: number): void {
    this.liveSince = now;
  }

  /** The connection was lost, or was never made: seconds to wait. */
  next(now: number): number {
    if (this.liveSince !== null && now - this.liveSince >= HEALTHY) {
      this.attempts = 0;
    }
    this.liveSince = null;
    const ceiling = Math.min(LONGEST, FIRST * 2 ** this.attempts);
    this.attempts = Math.min(this.attempts + 1, 16);
    return this.random() * ceiling;
  }
}
