import { describe, expect, it, vi } from 'vitest';

import type { News } from '../../src/inspector/announcements';
import { Announcements } from '../../src/inspector/announcements';
import { Api } from '../../src/inspector/api';
import { Notices } from '../../src/inspector/around/notices';
import { GroupsModel } from '../../src/inspector/panels/groups/model';
import { LayerModel } from '../../src/inspector/panels/layer/model';
import { ProblemsModel } from '../../src/inspector/panels/problems/model';
import { Poller } from '../../src/inspector/poller';
import { Rate } from '../../src/inspector/rates';
import { Settings } from '../../src/inspector/settings';
import { changes, FakeClient, FakePace, LIVE, LOST, settle, trans } from './fake';

const second = (): number => 1;
const group = (name: string, offset = 1, last: number | null = 1000): unknown[] => [name, offset, 1, 10, 0, 0, last, 'e'];

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
    settings.update({ interval: 0.01, messages: 1e9, redact: ['a', 7], notify: false });
    expect([settings.interval, settings.messages, settings.notify]).toEqual([0.5, 1000, false]);
    settings.update(null);
    expect([settings.interval, settings.notify]).toEqual([1, true]);
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
    const model = new ProblemsModel(new Api(client), new Announcements(client), second, pace);
    model.start();
    await pace.pass(5.9);
    expect(model.problems.map(({ kind }) => kind)).toEqual(['diagnosis', 'dead']);
    expect(client.count('diagnoses')).toBe(2);
    expect(client.calls.find(({ method }) => method === 'dead_letters')?.args).toEqual({ limit: 20, contents: false });
  });

  it('is looked at when the server says so, if the section is open', async () => {
    const client = new FakeClient({ dead_letters: () => [], diagnoses: () => ({ diagnoses: [] }) });
    const announcements = new Announcements(client);
    const pace = new FakePace();
    const model = new ProblemsModel(new Api(client), announcements, second, pace);
    announcements.open();
    client.streams.get('nbchannels.problems')!.subscribed!({ epoch: 'e', top: 0, recovered: true });
    client.push('nbchannels.problems', { dead: 1, diagnoses: 2 });
    await pace.pass(60);
    expect([client.calls.length, model.count]).toEqual([0, 3]);
    model.start();
    await pace.pass(1);
    expect(client.count('dead_letters')).toBe(1);
    client.push('nbchannels.problems', { dead: 0, diagnoses: 2 });
    await pace.pass(1);
    // The list is newer than what was announced.
    expect([client.count('dead_letters'), model.count]).toEqual([2, 0]);
    await pace.pass(7);
    expect(client.count('dead_letters')).toBe(2);
  });
});

const NEWS = { kind: 'failed', name: 'work', who: 'run in a/b.ipynb', sentence: 'ValueError: no' };

describe('announcements', () => {
  const scene = (): { client: FakeClient; announcements: Announcements; heard: (News | null)[]; said: () => number; push: (news?: unknown, dead?: number) => void; stand: (top: number) => void } => {
    const client = new FakeClient();
    const announcements = new Announcements(client);
    const heard: (News | null)[] = [];
    announcements.changed.connect((_, news) => void heard.push(news));
    announcements.open();
    return {
      client,
      announcements,
      heard,
      said: () => client.asked.length,
      push: (news: unknown = null, dead = 1) => {
        client.push('nbchannels.problems', { dead, diagnoses: 0, failed: dead, news });
      },
      stand: top => {
        client.streams.get('nbchannels.problems')!.subscribed!({ epoch: 'e', top, recovered: true });
      }
    };
  };

  it('ask for the newest entry once, and for nothing else', () => {
    const { client, announcements, said } = scene();
    announcements.open();
    expect(client.asked).toEqual([{ since: { last: 1 }, mode: 'latest' }]);
    expect([client.calls.length, client.holders, said()]).toEqual([0, 0, 1]);
  });

  it('tell how it stands, and as news only what has come since', () => {
    const { announcements, heard, push, stand } = scene();
    stand(5);
    push(NEWS, 5);
    expect([heard, announcements.problems, announcements.told]).toEqual([[null], 5, true]);
    push(NEWS, 6);
    expect([heard[1], announcements.problems]).toEqual([NEWS, 6]);
  });

  it('know that the first is news where there was none before', () => {
    const { heard, push, stand } = scene();
    stand(0);
    push(NEWS);
    expect(heard).toEqual([NEWS]);
  });

  it('begin anew with another server, and stay with it over a lost connection', () => {
    const { client, announcements, said, push, stand } = scene();
    stand(1);
    push(NEWS, 3);
    const listener = client.streams.get('nbchannels.problems')!;
    listener.discontinuity!({ kind: 'gap', reason: 'conflated', lost: 4 });
    expect([announcements.problems, said()]).toEqual([3, 1]);
    listener.discontinuity!({ kind: 'epoch', reason: 'epoch', lost: null });
    expect([announcements.problems, said()]).toEqual([0, 2]);
    push(NEWS, 2);
    expect(announcements.problems).toBe(2);
  });

  it('say when the server does not tell, and understand nothing wrong', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const { client, announcements, heard, push, stand } = scene();
    stand(0);
    client.push('nbchannels.problems', 'nonsense');
    client.push('nbchannels.problems', { dead: 'x', diagnoses: NaN, news: [1] });
    expect([announcements.problems, heard]).toEqual([0, [null, null]]);
    push(null, 2);
    client.streams.get('nbchannels.problems')!.ended!({ code: 'forbidden', message: 'you may not read' });
    expect([announcements.told, announcements.problems, warn.mock.calls.length]).toEqual([false, 0, 1]);
    warn.mockRestore();
  });

  it('become notices, not too often, and not for those who see it anyway', () => {
    const { announcements, push, stand } = scene();
    const settings = new Settings();
    const said: string[] = [];
    let now = 0;
    let looking = false;
    const notices = new Notices(announcements, settings, trans, words => void said.push(words), () => looking, () => now);
    stand(0);
    push({ ...NEWS, kind: 'nobody-listens' }); // told on the line that sent
    expect(said).toEqual([]);
    push(NEWS);
    expect(said).toEqual(['run in a/b.ipynb failed on channel "work": ValueError: no']);
    now = 5;
    push(NEWS);
    push({ ...NEWS, kind: 'expired' });
    expect(said).toHaveLength(1);
    now = 40;
    push({ kind: 'no-handler', name: 'Index', who: 'a/b.ipynb', sentence: 'Index has no handler' });
    expect(said[1]).toBe('b.ipynb: Index has no handler (and 2 more)');
    now = 100;
    looking = true;
    push(NEWS);
    looking = false;
    settings.update({ notify: false });
    push(NEWS);
    settings.update({});
    now = 200;
    push({ ...NEWS, kind: 'expired' });
    expect(said[2]).toBe('A message of "work" was given up: nobody took it in time.');
    now = 300;
    notices.dispose();
    push(NEWS);
    expect(said).toHaveLength(3);
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
