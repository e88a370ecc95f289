/** How fast a counter grows: the newest rate, and a picture of the last minute. */

/** Seconds that are kept. */
export const SPAN = 60;

export class Rate {
  private counter: number;
  private time: number;
  private readonly times: number[] = [];
  private readonly values: number[] = [];

  constructor(counter: number, time: number) {
    this.counter = counter;
    this.time = time;
  }

  /** The counter at a later time. One that went back has begun anew. */
  update(counter: number, time: number): void {
    const seconds = time - this.time;
    if (seconds <= 0) {
      return;
    }
    const grown = counter >= this.counter ? counter - this.counter : counter;
    this.counter = counter;
    this.time = time;
    this.times.push(time);
    this.values.push(grown / seconds);
    let old = 0;
    while (old < this.times.length && (this.times[old] ?? 0) < time - SPAN) {
      old += 1;
    }
    if (old > 0) {
      this.times.splice(0, old);
      this.values.splice(0, old);
    }
  }

  /** Per second, over the last three seconds: a stream of one message per second shall not flicker. */
  get now(): number {
    let sum = 0;
    let weight = 0;
    for (let i = this.values.length - 1; i >= 0; i--) {
      const [at, before] = [this.times[i] ?? 0, this.times[i - 1]];
      if (this.time - at >= 3) {
        break;
      }
      const seconds = before === undefined ? 1 : at - before;
      sum += (this.values[i] ?? 0) * seconds;
      weight += seconds;
    }
    return weight === 0 ? 0 : sum / weight;
  }

  get isQuiet(): boolean {
    return this.values.every(value => value === 0);
  }

  /** Points from 0 to 1: age (0 is a minute ago, 1 is now) and height beside the highest. */
  points(): readonly (readonly [x: number, y: number])[] {
    const top = Math.max(...this.values, 0);
    if (top === 0) {
      return [];
    }
    return this.values.map((value, i) => [1 - (this.time - (this.times[i] ?? 0)) / SPAN, value / top]);
  }
}
