import { describe, expect, it, vi } from 'vitest';

import { Api } from '../../src/inspector/api';
import { Notices } from '../../src/inspector/around/notices';
import { Pulse } from '../../src/inspector/around/pulse';
import { ConsumersModel } from '../../src/inspector/panels/consumers/model';
import { GroupsModel } from '../../src/inspector/panels/groups/model';
import { LayerModel } from '../../src/inspector/panels/layer/model';
import { ProblemsModel } from '../../src/inspector/panels/problems/model';
import { Poller } from '../../src/inspector/poller';
import { Rate } from '../../src/inspector/rates';
import { Settings } from '../../src/inspector/settings';
import { changes, FakeClient, FakePace, LIVE, LOST, settle, trans } from './fake';

const second = (): number => 1;
const group = (name: string, offset = 1, last: number | null = 1000): unknown[] => [name, offset, 1, 10, 0, 0, last, 'e'];
const consumer = (key: string, failed = 0): unknown[] =>
  [key, 'work', 'run', '/a/b.ipynb', 'kernel', 'main', [], true, 0, 1, failed, 0, failed, 0, 0.1, failed > 0 ? 'ValueError: no' : '', 'kernel-1'];

describe('a poller', () => {
  it('asks at once, then again after each interval, and never while the last is open', async () => {
    const pace = new FakePace();
    let open = 0;
    let most = 0;
    const poller = new Poller(new FakeClient(), async () => {
      open += 1;
      most = Math.max(most, open);
      await settle();
      open -= 1;
    }, second, pace);
    poller.start();
    poller.hurry();
    await pace.pass(3.5);
    poller.stop();
    expect(most).toBe(1);
    expect(pace.waiting).toBe(0);
  });

  it('asks nothing when it is stopped, hidden or without a connection, and goes on afterwards', async () => {
    const pace = new FakePace();
    const client = new FakeClient();
    let asked = 0;
    const poller = new Poller(client, async () => {
      asked += 1;
      await Promise.resolve();
    }, second, pace);
    await pace.pass(5);
    expect(asked).toBe(0);
    poller.start();
    await pace.pass(2.5);
    expect(asked).toBe(3);
    pace.look(false);
    await pace.pass(60);
    expect(asked).toBe(3);
    pace.look(true);
    await pace.pass(0.5);
    expect(asked).toBe(4);
    client.become(LOST);
    await pace.pass(60);
    expect(asked).toBe(4);
    client.become(LIVE);
    await pace.pass(0.5);
    expect(asked).toBe(5);
    poller.stop();
    await pace.pass(60);
    expect(asked).toBe(5);
    expect(client.watching).toBe(0);
  });

  it('survives a task that fails', async () => {
    const complain = vi.spyOn(console, 'error').mockReturnValue(undefined);
    const pace = new FakePace();
    let asked = 0;
    const poller = new Poller(new FakeClient(), async () => {
      asked += 1;
      await Promise.resolve();
      throw new Error('ours');
    }, second, pace);
    poller.start();
    await pace.pass(2.5);
    expect(asked).toBe(3);
    expect(complain).toHaveBeenCalledTimes(3);
  });
});

describe('rates', () => {
  it('are per second, over three seconds', () => {
    const rate = new Rate(100, 0);
    rate.update(110, 1);
    expect(rate.now).toBe(10);
    rate.update(110, 2);
    expect(rate.now).toBe(5);
    for (let time = 3; time < 7; time++) {
      rate.update(110, time);
    }
    expect(rate.now).toBe(0);
  });

  it('begin anew with the counter, and forget after a minute', () => {
    const rate = new Rate(100, 0);
    rate.update(4, 1);
    expect(rate.now).toBe(4);
    for (let time = 2; time < 200; time++) {
      rate.update(4, time);
    }
    expect(rate.isQuiet).toBe(true);
    expect(rate.points()).toEqual([]);
  });

  it('make points from a minute ago to now', () => {
    const rate = new Rate(0, 0);
    rate.update(10, 30);
    rate.update(15, 60);
    expect(rate.points()).toEqual([[0.5, 1], [1, 0.5]]);
  });
});

describe('rows of a panel', () => {
  it('are asked for anew first, then for what has changed; pages follow at once', async () => {
    const pages = [changes([group('a'), group('b')], true), changes([group('c')]), changes([group('a', 5)], false, ['b'], 1001)];
    const client = new FakeClient({ inspect: () => pages.shift() ?? changes([]) });
    const pace = new FakePace();
    const model = new GroupsModel(new Api(client), second, pace);
    model.start();
    await settle();
    expect([...model.rows.keys()]).toEqual(['a', 'b', 'c']);
    expect(client.calls.map(({ args }) => args.reset)).toEqual([true, false]);
    await pace.pass(1);
    expect([...model.rows.keys()]).toEqual(['a', 'c']);
    expect(model.rate('a')?.now).toBe(4);
    expect(model.rate('b')).toBeUndefined();
  });

  it('are told anew on another connection; what is gone goes, what stays keeps its rate', async () => {
    let rows = [group('a', 1), group('b')];
    let time = 1000;
    const client = new FakeClient({ inspect: () => changes(rows, false, [], (time += 1)) });
    const pace = new FakePace();
    const model = new GroupsModel(new Api(client), second, pace);
    model.start();
    await pace.pass(0.1);
    client.become(LOST);
    await pace.pass(10);
    expect(model.rows.size).toBe(2);
    rows = [group('a', 3), group('c')];
    client.become(LIVE);
    await pace.pass(0.1);
    expect(client.calls.at(-1)?.args).toEqual({ panel: 'groups', reset: true });
    expect([...model.rows.keys()].sort()).toEqual(['a', 'c']);
    expect(model.rate('a')?.now).toBe(2);
  });

  it('are filtered and put in order, with the names of nbchannels itself last', async () => {
    const client = new FakeClient({ inspect: () => changes([group('nbchannels.view.1'), group('Beta', 1, 5), group('alpha', 1, 9)]) });
    const model = new GroupsModel(new Api(client), second, new FakePace());
    await model.refresh();
    expect(model.shown.map(({ key }) => key)).toEqual(['Beta', 'alpha', 'nbchannels.view.1']);
    model.sort = 'last';
    expect(model.shown[0]?.key).toBe('alpha');
    model.filter = ' BET ';
    expect(model.shown.map(({ key }) => key)).toEqual(['Beta']);
  });

  it('say why the server refuses, and keep still when the connection is lost', async () => {
    const client = new FakeClient();
    const model = new GroupsModel(new Api(client), second, new FakePace());
    await model.refresh();
    expect(model.refusal).toBe('no method inspect');
    client.methods.inspect = () => changes([group('a')]);
    await model.refresh();
    expect(model.refusal).toBeNull();
    client.become(LOST);
    await model.refresh();
    expect(model.refusal).toBeNull();
    expect(model.rows.size).toBe(1);
  });

  it('may be nonsense', async () => {
    const client = new FakeClient({ inspect: () => ({ rows: [[null, 'x', {}], 'no', 7, []], gone: {}, time: NaN }) });
    const model = new GroupsModel(new Api(client), second, new FakePace());
    await model.refresh();
    expect(model.rows.get('')).toMatchObject({ offset: 0, last: null });
    client.methods.inspect = () => null;
    await model.refresh();
    expect(model.refusal).toBeNull();
  });
});

describe('settings', () => {
  it('are brought into their limits', () => {
    const settings = new Settings();
    settings.update({ interval: 0.01, background: 1, messages: 1e9, redact: ['a', 7], notify: false });
    expect([settings.interval, settings.background, settings.messages, settings.notify]).toEqual([0.5, 5, 1000, false]);
    settings.update({ background: 0 });
    expect([settings.interval, settings.background, settings.notify]).toEqual([1, 0, true]);
    settings.update(null);
    expect(settings.background).toBe(10);
  });
});

const FACTS = { alias: 'default', backend: 'M', version: '1', uptime: 1, statistics: { sent: 1, group_sent: 2, dead: 0 }, connections: 1, capacity: {}, loop_delay: 0 };

describe('what went wrong', () => {
  it('is dead letters and diagnoses, newest first, without their contents', async () => {
    const client = new FakeClient({
      dead_letters: () => [{ number: 4, channel: 'work', reason: 'failed', error: 'E', traceback: 'T', consumer: 'c', time: 5, sent: 1, retries: 0, bytes: 9 }],
      diagnoses: () => ({ diagnoses: [{ kind: 'no-reply', sentence: 'S', subject: '', detail: '', client: 'k', where: 'kernel', count: 3, time: 9 }] })
    });
    const pace = new FakePace();
    const model = new ProblemsModel(new Api(client), second, pace);
    model.start();
    await pace.pass(5.9);
    expect(model.problems.map(({ kind }) => kind)).toEqual(['diagnosis', 'dead']);
    expect(client.count('diagnoses')).toBe(2);
    expect(client.calls.find(({ method }) => method === 'dead_letters')?.args).toEqual({ limit: 20, contents: false });
  });

  it('is told of, not too often, and not to those who see it anyway', async () => {
    let failed = 3;
    const client = new FakeClient({ inspect: () => changes([consumer('a', failed)]) });
    const model = new ConsumersModel(new Api(client), second, new FakePace());
    const settings = new Settings();
    const said: string[] = [];
    let now = 0;
    let looking = false;
    new Notices(model, settings, trans, words => void said.push(words), () => looking, () => now);
    await model.refresh();
    expect(said).toEqual([]); // it had failed before
    failed = 4;
    await model.refresh();
    expect(said).toEqual(['Consumer of "work" in b.ipynb failed: ValueError: no']);
    failed = 10;
    now = 5;
    await model.refresh();
    expect(said).toHaveLength(1);
    failed = 11;
    now = 40;
    await model.refresh();
    expect(said[1]).toBe('Consumer of "work" in b.ipynb failed: ValueError: no (7 failures)');
    looking = true;
    failed = 12;
    now = 100;
    await model.refresh();
    looking = false;
    settings.update({ notify: false });
    failed = 13;
    now = 200;
    await model.refresh();
    expect(said).toHaveLength(2);
  });

  it('is looked for in the background by two small questions, or by none', async () => {
    const client = new FakeClient({ inspect: () => changes([]), inspect_layer: () => FACTS });
    const pace = new FakePace();
    const settings = new Settings();
    const api = new Api(client);
    const pulse = new Pulse(api, settings, new LayerModel(api, second, pace), new ConsumersModel(api, second, pace), pace);
    await pace.pass(29);
    expect(client.calls).toHaveLength(6);
    expect(client.holders).toBe(0);
    settings.update({ background: 0 });
    await pace.pass(100);
    expect(client.calls).toHaveLength(6);
    pulse.dispose();
  });
});

describe('the layer', () => {
  it('has a rate of all messages', async () => {
    let sent = 0;
    let now = 0;
    const client = new FakeClient({ inspect_layer: () => ({ ...FACTS, statistics: { sent: (sent += 5), group_sent: sent } }) });
    const model = new LayerModel(new Api(client), second, new FakePace(), () => (now += 1));
    await model.refresh();
    await model.refresh();
    expect(model.rate?.now).toBe(10);
  });
});
