import { describe, expect, it, vi } from 'vitest';

import { PageClient } from '../../src/client/client';
import type { ConnectionState } from '../../src/client/types';
import { FakeServer } from './server';
import { Recorder, World } from './world';

interface Scene {
  server: FakeServer;
  world: World;
  client: PageClient;
  states: ConnectionState[];
  statuses: () => string[];
}

function setUp(): Scene {
  const server = new FakeServer();
  const world = new World(server);
  const client = new PageClient(world);
  const states: ConnectionState[] = [];
  client.watchState(state => states.push(state));
  return { server, world, client, states, statuses: () => states.map(state => state.status) };
}

const watch = (client: PageClient): Recorder & { stop: () => void } => {
  const recorder = new Recorder();
  const handle = client.subscribe('index', { since: 'now', mode: 'log' }, recorder);
  return Object.assign(recorder, {
    stop: () => {
      handle.dispose();
    }
  });
};

describe('a layer that others share', () => {
  it('is named, and said to be away while it is', async () => {
    const { world, client, server, states } = setUp();
    server.layer = { alias: 'default', backend: 'redis', trouble: null };
    watch(client);
    await world.pass(1);
    expect(client.state).toMatchObject({ status: 'live', shared: 'redis' });
    expect('trouble' in client.state).toBe(false);
    server.trouble('Redis does not answer');
    await world.pass(1);
    expect(client.state).toMatchObject({ status: 'live', shared: 'redis', detail: 'Redis does not answer', trouble: 'Redis does not answer' });
    server.trouble(null);
    await world.pass(1);
    expect('trouble' in client.state).toBe(false);
    expect(states.map(({ trouble }) => trouble ?? null).slice(-3)).toEqual([null, 'Redis does not answer', null]);
    expect(world.sockets).toHaveLength(1);
  });

  it('may be away from the beginning', async () => {
    const { world, client, server } = setUp();
    server.layer = { alias: 'default', backend: 'redis', trouble: 'Redis does not answer' };
    watch(client);
    await world.pass(1);
    expect(client.state.trouble).toBe('Redis does not answer');
  });
});

describe('connecting', () => {
  it('asks for a ticket and says it in hello, never in the URL', async () => {
    const { world, client, server, statuses } = setUp();
    await world.pass(1);
    expect(world.ticketRequests).toEqual([]);
    watch(client);
    await world.pass(1);
    expect(world.ticketRequests).toEqual([{ url: 'http://host/a%40b/nbchannels/api/ticket', headers: { 'X-XSRFToken': '2|secret' } }]);
    expect(world.socket).toMatchObject({ url: 'ws://host/a%40b/nbchannels/ws', protocol: 'nbchannels.v1', binaryType: 'arraybuffer' });
    expect(server.hellos[0]).toMatchObject({ ticket: 'ticket-1', client: 'page', producer: 'ab'.repeat(16) });
    expect(statuses()).toEqual(['connecting', 'connecting', 'live']);
  });

  it('knows a layer that is another site\'s', async () => {
    const { world, client, server } = setUp();
    server.layer = { alias: 'default', backend: 'foreign' };
    watch(client);
    await world.pass(1);
    expect(client.state).toMatchObject({ status: 'live', foreign: true });
    server.layer = { alias: 'default', backend: 'memory' };
    world.socket.serverCloses(1006);
    await world.pass(10);
    expect(client.state.status).toBe('live');
    expect(client.state.foreign).toBeUndefined();
  });

  it('is one socket for all groups, closed 30 s after the last subscription', async () => {
    const { world, client } = setUp();
    const one = watch(client);
    const handle = client.subscribe('other', { since: 'now', mode: 'log' }, new Recorder());
    await world.pass(1);
    one.stop();
    handle.dispose();
    await world.pass(20);
    world.server.control({ op: 'heartbeat', time: 1, logs: [] });
    await world.pass(9);
    const again = watch(client);
    await world.pass(10);
    expect(world.sockets).toHaveLength(1);
    expect(client.state.status).toBe('live');
    again.stop();
    await world.pass(10);
    world.server.control({ op: 'heartbeat', time: 1, logs: [] });
    await world.pass(21);
    expect(world.socket.closedWith).toBe(1000);
    expect(client.state).toMatchObject({ status: 'connecting', detail: expect.stringContaining('no view') as string });
    watch(client);
    await world.pass(1);
    expect(world.sockets).toHaveLength(2);
    expect(client.state.status).toBe('live');
  });

  it('uses a token where there is one, in the URL only if told', async () => {
    const { world, client } = setUp();
    client.configure({ baseUrl: 'https://hub/user/ada/', wsUrl: 'wss://hub/user/ada/', token: 's3', appendToken: true });
    watch(client);
    await world.pass(1);
    expect(world.ticketRequests[0]).toEqual({ url: 'https://hub/user/ada/nbchannels/api/ticket', headers: { Authorization: 'token s3' } });
    expect(world.socket.url).toBe('wss://hub/user/ada/nbchannels/ws?token=s3');
    world.sockets.length = 0;
    const other = setUp();
    other.client.configure({ baseUrl: 'https://hub/user/ada/', token: 's3' });
    watch(other.client);
    await other.world.pass(1);
    expect(other.world.socket.url).toBe('wss://hub/user/ada/nbchannels/ws');
  });
});

describe('refusals', () => {
  it.each([401, 403])('HTTP %i: refused, until the page is looked at again', async status => {
    const { world, client, states } = setUp();
    world.ticketStatus = status;
    watch(client);
    await world.pass(600);
    expect(world.ticketRequests).toHaveLength(1);
    expect(states.at(-1)).toMatchObject({ status: 'refused', code: status, detail: expect.stringContaining('log in again') as string });
    world.ticketStatus = 200;
    world.wake();
    await world.pass(1);
    expect(client.state.status).toBe('live');
  });

  it('HTTP 404: offline, and the remedy; a new view asks again', async () => {
    const { world, client, states } = setUp();
    world.ticketStatus = 404;
    watch(client);
    await world.pass(60);
    expect(states.at(-1)).toMatchObject({ status: 'offline', code: 404, detail: expect.stringMatching(/pip install nbchannels.*of the server.*restart/) as string });
    world.ticketStatus = 200;
    watch(client);
    await world.pass(1);
    expect(client.state.status).toBe('live');
  });

  it('a page without a server: offline, until it is told', async () => {
    const { world, client } = setUp();
    world.page = { href: 'http://host/', config: null, baseUrl: null, cookie: '' };
    watch(client);
    await world.pass(1);
    expect(client.state.status).toBe('offline');
    client.configure({ baseUrl: '/' });
    await world.pass(1);
    expect(client.state.status).toBe('live');
  });

  it('4500 once: a fresh ticket; twice: refused', async () => {
    const { world, client, server } = setUp();
    watch(client);
    await world.pass(0.0005);
    server.tickets.clear();
    await world.pass(1);
    expect(world.ticketRequests).toHaveLength(2);
    expect(client.state.status).toBe('live');
    const add = vi.spyOn(server.tickets, 'add').mockReturnValue(server.tickets);
    server.cut(4003);
    await world.pass(60);
    expect(add).toHaveBeenCalledTimes(2);
    expect(client.state).toMatchObject({ status: 'refused', code: 4500 });
    world.wake();
    await world.pass(60);
    expect(world.ticketRequests).toHaveLength(4);
  });

  it.each([4501, 4502, 4503, 4504, 4505, 4506, 4507, 4999])('%i: stop, with a sentence', async code => {
    const { world, client, server } = setUp();
    watch(client);
    await world.pass(1);
    server.cut(code);
    await world.pass(60);
    expect(client.state).toMatchObject({ status: 'refused', code });
    expect(client.state.detail).toMatch(/[a-z].*[a-z]: |\.$/);
    expect(world.sockets).toHaveLength(1);
  });

  it('4507: who did it, and how to come back', async () => {
    const { world, client, server } = setUp();
    watch(client);
    await world.pass(1);
    server.cut(4507);
    await world.pass(60);
    expect(client.state.detail).toBe('Someone who looks after this server disconnected this page: reload it to connect again.');
  });
});

describe('trying again', () => {
  it.each([1000, 1006, 1011, 4000, 4001, 4002, 4005, 4499])('%i: reconnect', async code => {
    const { world, client, server, statuses } = setUp();
    watch(client);
    await world.pass(1);
    server.cut(code);
    await world.pass(1);
    expect(statuses().slice(2)).toEqual(['live', 'reconnecting', 'live']);
    expect(world.sockets).toHaveLength(2);
  });

  it('waits longer and longer, up to 5 s, at random', async () => {
    const { world, client, states } = setUp();
    world.ticketStatus = 'network';
    world.chance = 1;
    const at: number[] = [];
    vi.spyOn(world, 'fetch').mockImplementation(() => {
      at.push(world.now());
      return Promise.reject(new TypeError('no network'));
    });
    watch(client);
    await world.pass(30);
    const gaps = at.slice(1).map((time, i) => Math.round((time - at[i]!) * 100) / 100);
    expect(gaps.slice(0, 8)).toEqual([0.25, 0.5, 1, 2, 4, 5, 5, 5]);
    expect(states.at(-1)!.status).toBe('reconnecting');
    world.wake();
    expect(at.at(-1)).toBe(world.now());
  });

  it('forgets old failures after 30 s of health', async () => {
    const { world, client, server } = setUp();
    world.chance = 1;
    server.down = true;
    watch(client);
    await world.pass(20);
    server.down = false;
    await world.pass(6);
    expect(client.state.status).toBe('live');
    await world.pass(3);
    server.cut();
    await world.pass(1);
    expect(client.state.status).toBe('reconnecting');
    await world.pass(10);
    expect(client.state.status).toBe('live');
    // Heartbeats keep the next connection alive past the 30 s.
    for (let i = 0; i < 3; i++) {
      server.control({ op: 'heartbeat', time: 1, logs: [] });
      await world.pass(12);
    }
    server.cut();
    await world.pass(0.3);
    expect(client.state.status).toBe('live');
    expect(world.sockets.at(-2)!.controls('heartbeat')).toHaveLength(3);
  });

  it('gives up a server that does not answer', async () => {
    const { world, client } = setUp();
    world.ticketStatus = 'hangs';
    watch(client);
    await world.pass(14);
    expect(client.state.status).toBe('connecting');
    await world.pass(2);
    expect(client.state.status).toBe('reconnecting');
  });

  it('leaves a server that is silent for 30 s, at once after a long sleep', async () => {
    const { world, client, server } = setUp();
    watch(client);
    await world.pass(1);
    vi.spyOn(server, 'receive').mockImplementation(() => undefined);
    await world.pass(28);
    expect(world.sockets).toHaveLength(1);
    await world.pass(4);
    expect(world.sockets[0]!.closedWith).toBe(4003);
    vi.restoreAllMocks();
    await world.pass(70);
    expect(client.state.status).toBe('live');
    world.clock += 3600;
    world.wake();
    expect(client.state.status).toBe('reconnecting');
  });

  it('leaves and comes back at random when the server says it goes', async () => {
    const { world, client, server } = setUp();
    watch(client);
    await world.pass(1);
    server.control({ op: 'goaway', reason: 'restart', spread: 10 });
    await world.pass(4.9);
    expect(world.sockets).toHaveLength(1);
    await world.pass(0.2);
    expect(world.sockets).toHaveLength(2);
    server.control({ op: 'goaway', reason: 'restart', spread: 10 });
    await world.pass(1);
    server.cut(4000);
    await world.pass(3.8);
    expect(client.state.status).toBe('reconnecting');
    expect(world.sockets).toHaveLength(2);
    await world.pass(1);
    expect(client.state.status).toBe('live');
  });

  it('reconnects after a frame it cannot read', async () => {
    const { world, client } = setUp();
    watch(client);
    await world.pass(1);
    world.socket.deliver('{');
    await world.pass(1);
    expect(world.sockets[0]!.closedWith).toBe(4501);
    expect(client.state.status).toBe('live');
    world.socket.deliver(new Uint8Array(3));
    await world.pass(1);
    expect(world.sockets).toHaveLength(3);
  });
});

describe('watchers', () => {
  it('are told at once, survive each other, and end', async () => {
    const { world, client } = setUp();
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const seen: string[] = [];
    client.watchState(() => {
      throw new Error('broken');
    });
    const handle = client.watchState(state => seen.push(state.status));
    expect(seen).toEqual(['connecting']);
    watch(client);
    await world.pass(1);
    handle.dispose();
    world.server.cut(4503);
    await world.pass(1);
    expect(seen).toEqual(['connecting', 'connecting', 'live']);
  });
});
