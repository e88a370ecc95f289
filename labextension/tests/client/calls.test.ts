import { describe, expect, it } from 'vitest';

import { PageClient } from '../../src/client/client';
import { encodeControl } from '../../src/protocol/codec';
import { decodeRecords } from '../../src/protocol/codec';
import { KIND } from '../../src/protocol/records';
import { FakeServer } from './server';
import { World } from './world';

async function live(): Promise<{ world: World; client: PageClient }> {
  const world = new World(new FakeServer());
  const client = new PageClient(world);
  client.hold();
  await world.pass(1);
  return { world, client };
}

describe('a page that asks', () => {
  it('holds the connection without a subscription, and lets it go', async () => {
    const world = new World(new FakeServer());
    const client = new PageClient(world);
    const holder = client.hold();
    await world.pass(1);
    expect(client.state.status).toBe('live');
    await world.pass(100);
    expect(client.state.status).toBe('live');
    holder.dispose();
    await world.pass(40);
    expect(client.state.status).toBe('connecting');
  });

  it('gets the value of a call', async () => {
    const { world, client } = await live();
    world.server.receive = (socket, data) => {
      const record = JSON.parse(data as string) as { op: string; id: number; method: string };
      if (record.op === 'call') {
        socket.deliver(encodeControl({ op: 'result', id: record.id, value: { asked: record.method } }));
      }
    };
    const answer = client.call('inspect_layer');
    await world.pass(1);
    expect((await answer).value).toEqual({ asked: 'inspect_layer' });
  });

  it('is told the code and the sentence of an error', async () => {
    const { world, client } = await live();
    world.server.forbidden.add('g');
    const failure = client.call('read', { group: 'g' }).catch((error: unknown) => error);
    await world.pass(1);
    expect(await failure).toMatchObject({ name: 'CallError', code: 'forbidden', message: 'you may not' });
  });

  it('is refused at once without a connection', async () => {
    const world = new World(new FakeServer());
    const client = new PageClient(world);
    const failure = client.call('names').catch((error: unknown) => error);
    await world.pass(0.1);
    expect(await failure).toMatchObject({ name: 'CallError', code: 'unavailable' });
  });

  it('fails what is open when the connection is lost, and says when it tries again', async () => {
    const { world, client } = await live();
    world.server.receive = () => undefined;
    const failure = client.call('names').catch((error: unknown) => error);
    await world.pass(0.1);
    world.server.down = true;
    world.socket.serverCloses(1006);
    await world.pass(0.05);
    expect(await failure).toMatchObject({ code: 'unavailable' });
    expect(client.state.status).toBe('reconnecting');
    expect(client.state.retryAt).toBeGreaterThan(1000);
  });

  it('sends to a channel', async () => {
    const { world, client } = await live();
    void client.send('channel', 'work', { a: 1 });
    await world.pass(0.1);
    const records = world.socket.sent.filter(one => typeof one !== 'string').flatMap(one => decodeRecords(one as Uint8Array));
    expect(records.map(({ kind, name }) => [kind, name])).toEqual([[KIND.SEND, 'work']]);
    await expect(client.send('channel', 'no name', {})).rejects.toMatchObject({ code: 'bad_name' });
  });
});
