/** Whatever happens, a listener hears each epoch contiguously, or is told what is missing. Seeded, so a failure comes again. */

import { describe, expect, it } from 'vitest';

import { PageClient } from '../../src/client/client';
import type { Disposer, Since } from '../../src/client/types';
import { FakeServer } from './server';
import { Recorder, World } from './world';

/** A small generator of random numbers (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Walks through what a listener heard and finds what it should not have. */
class Checker extends Recorder {
  readonly faults: string[] = [];
  private epoch = '';
  private last: number | null = null;
  private missing: number | null = 0;

  override messages(batch: Parameters<Recorder['messages']>[0]): void {
    super.messages(batch);
    for (const { epoch, offset } of batch) {
      if (this.last !== null && epoch !== this.epoch) {
        this.faults.push(`epoch ${this.epoch} became ${epoch} unannounced before ${offset}`);
      } else if (this.last !== null && this.missing !== null && offset !== this.last + 1 + this.missing) {
        this.faults.push(`${offset} after ${this.last} with ${this.missing} announced as missing`);
      } else if (this.last !== null && offset <= this.last && this.missing !== null) {
        this.faults.push(`${offset} again after ${this.last}`);
      }
      this.epoch = epoch;
      this.last = offset;
      this.missing = 0;
    }
  }

  override discontinuity(what: Parameters<Recorder['discontinuity']>[0]): void {
    super.discontinuity(what);
    if (what.kind === 'epoch' || what.lost === null) {
      // Another history: it begins wherever it begins.
      this.last = null;
      this.missing = 0;
    } else {
      this.missing = (this.missing ?? 0) + what.lost;
    }
  }
}

describe.each(Array.from({ length: 60 }, (_, i) => i + 1))('seed %i', seed => {
  it('nothing is missing unannounced, nothing comes twice, and everyone arrives', async () => {
    const dice = random(seed);
    const pick = <T>(...choices: readonly T[]): T => choices[Math.floor(dice() * choices.length)]!;
    const server = new FakeServer();
    const world = new World(server);
    world.latency = pick(0.0005, 0.005, 0.03);
    server.window = pick(2, 16, 512);
    const client = new PageClient(world);
    const listeners: { checker: Checker; handle: Disposer }[] = [];
    server.publish('g', 600);
    for (let step = 0; step < 120; step++) {
      const what = dice();
      if (what < 0.45) {
        server.publish('g', Math.ceil(dice() * 60));
      } else if (what < 0.65) {
        const since = pick<Since>('now', 'earliest', { last: 5 }, { last: 300 });
        const checker = new Checker();
        listeners.push({ checker, handle: client.subscribe('g', { since, mode: pick('log', 'log', 'latest') }, checker) });
      } else if (what < 0.75 && listeners.length > 1) {
        listeners.splice(Math.floor(dice() * listeners.length), 1)[0]!.handle.dispose();
      } else if (what < 0.81) {
        server.cut(pick(1006, 4000, 4003));
      } else if (what < 0.85) {
        server.clear('g', pick(true, false));
      } else if (what < 0.88) {
        server.restart();
      } else if (what < 0.94) {
        server.trim('g', Math.ceil(dice() * 300));
      }
      await world.pass(pick(0, 0.001, 0.01, 0.1));
    }
    await world.pass(20);
    server.publish('g', 3);
    await world.pass(20);
    const log = server.logs.get('g')!;
    for (const { checker } of listeners) {
      expect(checker.faults).toEqual([]);
      expect(checker.heard.at(-1)).toMatchObject({ epoch: log.epoch, offset: log.top });
      expect(checker.endings).toEqual([]);
    }
    expect(client.state.status).toBe(listeners.length > 0 ? 'live' : client.state.status);
  });
});
