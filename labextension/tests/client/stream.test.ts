import { describe, expect, it, vi } from 'vitest';

import { PageClient } from '../../src/client/client';
import type { StreamMessage } from '../../src/client/types';
import { FakeServer } from './server';
import { Recorder, World } from './world';

function setUp(): { server: FakeServer; world: World; client: PageClient } {
  const server = new FakeServer();
  const world = new World(server);
  return { server, world, client: new PageClient(world) };
}

const upTo = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe('one listener', () => {
  it('hears the history and then the live stream, once each', async () => {
    const { server, world, client } = setUp();
    server.publish('index', 3);
    const recorder = new Recorder();
    client.subscribe('index', { since: 'earliest', mode: 'log' }, recorder);
    await world.pass(1);
    server.publish('index', 2);
    await world.pass(1);
    expect(recorder.offsets).toEqual([1, 2, 3, 4, 5]);
    expect(recorder.subscriptions).toEqual([{ epoch: '0000000000000001', top: 3, recovered: true }]);
    expect(recorder.heard[4]!.content()).toEqual({ n: 5 });
    expect(recorder.interruptions).toEqual([]);
    expect(client.statistics('index')).toEqual({ delivered: 5, top: 5, gaps: 0, lost: 0 });
    expect(client.statistics('other')).toBeNull();
  });

  it('gets 10,000 messages through a small window, in order', async () => {
    const { server, world, client } = setUp();
    server.window = 64;
    const recorder = new Recorder();
    client.subscribe('index', { since: 'now', mode: 'log' }, recorder);
    await world.pass(1);
    for (let i = 0; i < 100; i++) {
      server.publish('index', 100);
      await world.pass(0.01);
    }
    await world.pass(5);
    expect(recorder.offsets).toEqual(upTo(1, 10_000));
    expect(world.sockets).toHaveLength(1);
  });

  it('resumes where it was', async () => {
    const { server, world, client } = setUp();
    const recorder = new Recorder();
    client.subscribe('index', { since: 'earliest', mode: 'log' }, recorder);
    server.publish('index', 5);
    await world.pass(1);
    server.cut();
    await world.pass(0.01);
    server.publish('index', 5);
    await world.pass(2);
    expect(recorder.log).toEqual(upTo(1, 10));
    expect(recorder.subscriptions.map(one => one.recovered)).toEqual([true, true]);
    expect(world.sockets).toHaveLength(2);
  });

  it('is told what was trimmed while it was away', async () => {
    const { server, world, client } = setUp();
    const recorder = new Recorder();
    client.subscribe('index', { since: 'earliest', mode: 'log' }, recorder);
    server.publish('index', 5);
    await world.pass(1);
    server.cut();
    server.publish('index', 5);
    server.trim('index', 2);
    await world.pass(2);
    expect(recorder.log).toEqual([1, 2, 3, 4, 5, 'gap trimmed 3', 9, 10]);
    expect(client.statistics('index')).toMatchObject({ gaps: 1, lost: 3 });
  });

  it('is told of a restarted server and of a cleared group', async () => {
    const { server, world, client } = setUp();
    const recorder = new Recorder();
    client.subscribe('index', { since: 'earliest', mode: 'log' }, recorder);
    server.publish('index', 2);
    await world.pass(1);
    server.restart();
    server.publish('index', 1);
    await world.pass(2);
    server.clear('index');
    server.publish('index', 2);
    await world.pass(1);
    expect(recorder.log).toEqual([1, 2, 'epoch epoch ?', 1, 'epoch cleared ?', 1, 2]);
    expect(recorder.subscriptions.map(one => one.recovered)).toEqual([true, false, false]);
  });

  it('hears a gap at its place', async () => {
    const { server, world, client } = setUp();
    server.window = 4;
    const recorder = new Recorder();
    client.subscribe('index', { since: 'now', mode: 'latest' }, recorder);
    await world.pass(1);
    server.publish('index', 10);
    await world.pass(2);
    expect(recorder.log).toEqual(['gap conflated 9', 10]);
  });

  it('is told when the server refuses, and can try again from there', async () => {
    const { server, world, client } = setUp();
    server.forbidden.add('secret');
    const recorder = new Recorder();
    client.subscribe('secret', { since: 'now', mode: 'log' }, recorder);
    await world.pass(1);
    expect(recorder.endings).toEqual([{ code: 'forbidden', message: 'you may not', temporary: false }]);
    server.forbidden.clear();
    client.subscribe('secret', { since: 'earliest', mode: 'log' }, recorder);
    server.publish('secret', 1);
    await world.pass(1);
    expect(recorder.offsets).toEqual([1]);
  });

  it('may be for a group called __proto__', async () => {
    const { server, world, client } = setUp();
    const recorder = new Recorder();
    client.subscribe('__proto__', { since: 'now', mode: 'log' }, recorder);
    await world.pass(1);
    server.publish('__proto__', 1);
    await world.pass(1);
    expect(recorder.offsets).toEqual([1]);
    expect(client.statistics('__proto__')?.delivered).toBe(1);
  });

  it('hears nothing once disposed of; the wire is given back', async () => {
    const { server, world, client } = setUp();
    const recorder = new Recorder();
    const handle = client.subscribe('index', { since: 'now', mode: 'log' }, recorder);
    await world.pass(1);
    handle.dispose();
    handle.dispose();
    server.publish('index', 1);
    await world.pass(1);
    expect(recorder.offsets).toEqual([]);
    expect(world.socket.controls('unsubscribe')).toHaveLength(1);
    expect(client.statistics('index')).toBeNull();
  });
});

describe('several listeners of one group', () => {
  it('share one subscription, wide enough for all who came in time', async () => {
    const { server, world, client } = setUp();
    server.publish('index', 10);
    const [all, tail, now] = [new Recorder(), new Recorder(), new Recorder()];
    client.subscribe('index', { since: 'now', mode: 'latest' }, now);
    client.subscribe('index', { since: { last: 3 }, mode: 'log' }, tail);
    client.subscribe('index', { since: 'earliest', mode: 'log' }, all);
    await world.pass(1);
    server.publish('index', 1);
    await world.pass(1);
    expect(server.hellos[0]!.subscriptions).toEqual([{ group: 'index', mode: 'log', since: 'earliest' }]);
    expect(all.offsets).toEqual(upTo(1, 11));
    expect(tail.offsets).toEqual([8, 9, 10, 11]);
    expect(now.offsets).toEqual([11]);
    expect(server.reads).toBe(0);
  });

  it('change the mode of the wire without loss or repetition', async () => {
    const { server, world, client } = setUp();
    const [value, plot] = [new Recorder(), new Recorder()];
    client.subscribe('index', { since: 'now', mode: 'latest' }, value);
    await world.pass(1);
    server.publish('index', 3);
    const handle = client.subscribe('index', { since: 'now', mode: 'log' }, plot);
    server.publish('index', 3);
    await world.pass(0.01);
    server.publish('index', 3);
    await world.pass(1);
    handle.dispose();
    server.publish('index', 1);
    await world.pass(1);
    expect(world.socket.controls('subscribe').map(one => one.mode)).toEqual(['log', 'latest']);
    expect(value.log).toEqual(upTo(1, 10));
    // "now" was after what had come by then.
    expect(plot.offsets).toEqual(upTo(plot.offsets[0]!, 9));
  });

  it('catch up under live traffic: in order, nothing twice', async () => {
    const { server, world, client } = setUp();
    server.publish('index', 3000);
    const [early, late] = [new Recorder(), new Recorder()];
    client.subscribe('index', { since: 'now', mode: 'log' }, early);
    await world.pass(1);
    client.subscribe('index', { since: 'earliest', mode: 'log' }, late);
    for (let i = 0; i < 200; i++) {
      server.publish('index', 5);
      await world.pass(0.001);
    }
    await world.pass(1);
    expect(early.log).toEqual(upTo(3001, 4000));
    expect(late.log).toEqual(upTo(1, 4000));
    expect(late.subscriptions).toHaveLength(1);
    const { reads } = server;
    expect(reads).toBeLessThan(30);
    server.publish('index', 1);
    await world.pass(1);
    expect(server.reads).toBe(reads);
    expect(late.offsets.at(-1)).toBe(4001);
  });

  it('reach a stream that brings more than a page in the time of a page', async () => {
    const { server, world, client } = setUp();
    world.latency = 0.05;
    server.window = 4096;
    server.publish('index', 500);
    const [early, late] = [new Recorder(), new Recorder()];
    client.subscribe('index', { since: 'now', mode: 'log' }, early);
    await world.pass(1);
    client.subscribe('index', { since: 'earliest', mode: 'log' }, late);
    for (let i = 0; i < 100; i++) {
      server.publish('index', 40);
      await world.pass(0.01);
    }
    const { reads } = server;
    expect(reads).toBeLessThan(8);
    await world.pass(1);
    expect(late.log).toEqual(upTo(1, 4500));
    expect(server.reads).toBe(reads);
  });

  it('catch up across a lost connection', async () => {
    const { server, world, client } = setUp();
    world.latency = 0.01;
    server.publish('index', 2000);
    const [early, late] = [new Recorder(), new Recorder()];
    client.subscribe('index', { since: 'now', mode: 'log' }, early);
    await world.pass(1);
    client.subscribe('index', { since: 'earliest', mode: 'log' }, late);
    await world.pass(0.05);
    expect(late.heard.length).toBeGreaterThan(0);
    expect(late.heard.length).toBeLessThan(2000);
    server.cut();
    server.publish('index', 10);
    await world.pass(3);
    server.publish('index', 10);
    await world.pass(1);
    expect(early.log).toEqual(upTo(2001, 2020));
    expect(late.log).toEqual(upTo(1, 2020));
  });

  it('catch up across a cleared log', async () => {
    for (const told of [true, false]) {
      const { server, world, client } = setUp();
      world.latency = 0.01;
      server.publish('index', 2000);
      const [early, late] = [new Recorder(), new Recorder()];
      client.subscribe('index', { since: 'now', mode: 'log' }, early);
      await world.pass(1);
      client.subscribe('index', { since: 'earliest', mode: 'log' }, late);
      await world.pass(0.05);
      // Told at once, or only before the first message of the new log.
      server.clear('index', told);
      await world.pass(1);
      expect(server.reads).toBeLessThan(10);
      server.publish('index', 3);
      await world.pass(1);
      expect(early.log).toEqual(['epoch cleared ?', 1, 2, 3]);
      const cut = late.log.indexOf('epoch cleared ?');
      expect(cut).toBeGreaterThan(0);
      expect(late.log).toEqual([...upTo(1, cut), 'epoch cleared ?', 1, 2, 3]);
    }
  });

  it('are told what was trimmed before they could read it', async () => {
    const { server, world, client } = setUp();
    world.latency = 0.01;
    server.publish('index', 1000);
    const [early, late] = [new Recorder(), new Recorder()];
    client.subscribe('index', { since: 'now', mode: 'log' }, early);
    await world.pass(1);
    client.subscribe('index', { since: { last: 900 }, mode: 'log' }, late);
    await world.pass(0.025);
    server.trim('index', 100);
    await world.pass(1);
    const heard = late.offsets.filter(offset => offset <= 900).length;
    expect(late.log).toEqual([...upTo(101, 100 + heard), `gap trimmed ${800 - heard}`, ...upTo(901, 1000)]);
    expect(early.log).toEqual([]);
  });

  it('suffer nothing from one that throws', async () => {
    const { server, world, client } = setUp();
    const errors = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const good = new Recorder();
    client.subscribe('index', { since: 'now', mode: 'log' }, {
      messages: () => {
        throw new Error('broken view');
      }
    });
    client.subscribe('index', { since: 'now', mode: 'log' }, good);
    await world.pass(1);
    server.publish('index', 1);
    await world.pass(1);
    server.publish('index', 1);
    await world.pass(1);
    expect(good.offsets).toEqual([1, 2]);
    expect(errors).toHaveBeenCalledTimes(1);
  });

  it('may come and go from inside a callback', async () => {
    const { server, world, client } = setUp();
    const inner = new Recorder();
    const outer = client.subscribe('index', { since: 'now', mode: 'log' }, {
      messages: () => {
        outer.dispose();
        client.subscribe('index', { since: 'earliest', mode: 'log' }, inner);
      }
    });
    await world.pass(1);
    server.publish('index', 2);
    await world.pass(1);
    server.publish('index', 1);
    await world.pass(1);
    expect(inner.offsets).toEqual([1, 2, 3]);
  });

  it('end alone if only reading the past is refused', async () => {
    const { server, world, client } = setUp();
    const [early, late] = [new Recorder(), new Recorder()];
    client.subscribe('index', { since: 'now', mode: 'log' }, early);
    await world.pass(1);
    server.forbidden.add('index');
    client.subscribe('index', { since: 'earliest', mode: 'log' }, late);
    await world.pass(1);
    expect(late.endings.map(one => one.code)).toEqual(['forbidden']);
    expect(early.endings).toEqual([]);
  });
});

describe('publishing', () => {
  it('resolves with the receipt; the echo is known as own', async () => {
    const { world, client } = setUp();
    const heard: StreamMessage[] = [];
    client.subscribe('index', { since: 'now', mode: 'log' }, { messages: batch => heard.push(...batch) });
    await world.pass(1);
    const receipt = client.publish('index', { y: 1, z: Number.NaN });
    await world.pass(1);
    expect(await receipt).toEqual({ members: 0, subscribers: 1, dropped: 0, offset: 1, hint: null });
    expect(heard.map(one => [one.own, one.content()])).toEqual([[true, { y: 1, z: Number.NaN }]]);
  });

  it('opens the connection, waits for it, and sends again after a loss', async () => {
    const { server, world, client } = setUp();
    server.down = true;
    const receipt = client.publish('index', { y: 1 });
    await world.pass(3);
    server.down = false;
    await world.pass(10);
    expect((await receipt).offset).toBe(1);
  });

  it('rejects what cannot be sent', async () => {
    const { world, client } = setUp();
    await expect(client.publish('a b', {})).rejects.toMatchObject({ code: 'bad_name' });
    await expect(client.publish('index', { f: () => 1 })).rejects.toThrow('message.f is a function');
    world.ticketStatus = 403;
    const first = client.publish('index', {});
    const failed = expect(first).rejects.toMatchObject({ code: 'unavailable' });
    await world.pass(1);
    await failed;
    expect(client.state.status).toBe('refused');
    await expect(client.publish('index', {})).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('is bounded', async () => {
    const { server, client } = setUp();
    server.down = true;
    for (let i = 0; i < 1000; i++) {
      client.publish('index', {}).catch(() => undefined);
    }
    await expect(client.publish('index', {})).rejects.toMatchObject({ code: 'too_many' });
  });
});
