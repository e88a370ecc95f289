// @vitest-environment happy-dom
import type { ITranslator } from '@jupyterlab/translation';
import type { AccordionPanel } from '@lumino/widgets';
import { Widget } from '@lumino/widgets';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { Announcements } from '../../src/inspector/announcements';
import { ArrangedInspector } from '../../src/inspector/arrangement';
import { StatusChip } from '../../src/inspector/around/status';
import { groupsBody } from '../../src/inspector/panels/groups/body';
import { GroupsModel } from '../../src/inspector/panels/groups/model';
import { LayerBody } from '../../src/inspector/panels/layer/body';
import { LayerModel } from '../../src/inspector/panels/layer/model';
import { Following } from '../../src/inspector/following';
import type { Arranged, Arrangement } from '../../src/inspector/memory';
import { Memory } from '../../src/inspector/memory';
import { messagesSection } from '../../src/inspector/panels/messages';
import { MessagesModel } from '../../src/inspector/panels/messages/model';
import { ProblemsBody } from '../../src/inspector/panels/problems/body';
import { ProblemsModel } from '../../src/inspector/panels/problems/model';
import { Section } from '../../src/inspector/section';
import { Sidebar } from '../../src/inspector/sidebar';
import { StateLine } from '../../src/inspector/state';
import type { FakeContext } from './fake';
import { changes, fakeContext, FakeClient, FakePace, frame, LIVE, LOST, trans } from './fake';

// What JupyterLab's own components are made of; they do not run outside a browser.
vi.mock('@jupyterlab/ui-components', async () => {
  const { AccordionPanel, Panel, PanelLayout, Widget } = await import('@lumino/widgets');
  class Toolbar extends Widget {
    addItem(): void {
      // Not looked at here.
    }
  }
  class SidePanel extends Widget {
    readonly content = new AccordionPanel();
    readonly header = new Panel();
    constructor() {
      super();
      const layout = new PanelLayout();
      this.layout = layout;
      layout.addWidget(this.header);
      layout.addWidget(this.content);
    }
    addWidget(widget: Widget): void {
      this.content.addWidget(widget);
    }
  }
  const icon = { element: () => document.createElement('span') };
  return { Toolbar, SidePanel, LabIcon: vi.fn(), clearIcon: icon, filterIcon: icon, pauseIcon: icon, runIcon: icon };
});

const second = (): number => 1;
const FACTS = { alias: 'default', backend: 'M', version: '1', uptime: 1, statistics: { sent: 1, group_sent: 2, groups: 1 }, connections: 1, capacity: { groups: 10 }, loop_delay: 0 };

describe('a layer that servers share', () => {
  it('is said above the lists, and that it is away', () => {
    const client = new FakeClient({});
    const line = new StateLine(client, trans);
    Widget.attach(line, document.body);
    const told = (): string => line.node.textContent ?? '';
    expect(told()).toBe('live');
    client.become({ ...LIVE, shared: 'redis' });
    expect(told()).toContain('Shared over Redis: the lists show this server');
    client.become({ ...LIVE, detail: 'Redis does not answer', trouble: 'Redis does not answer', shared: 'redis' });
    expect(told()).toBe('staleRedis does not answer');
    expect(line.node.querySelector<HTMLElement>('.nbc-state')!.dataset['tone']).toBe('busy');
    line.dispose();
  });

  it('tells in its panel what is of all servers, and why it does not answer', async () => {
    const facts = { ...FACTS, backend: 'RedisChannelLayer', where: 'Redis at redis://r', shared: true, trouble: null as string | null };
    const client = new FakeClient({ inspect_layer: () => facts });
    const context = fakeContext(client);
    const model = new LayerModel(context.api, second, new FakePace());
    const body = new LayerBody(context, model);
    await model.refresh();
    body.update();
    const text = (): string => body.element.textContent ?? '';
    expect(text()).toContain('RedisChannelLayer · Redis at redis://r');
    expect(text()).toContain('Groups, all servers1');
    facts.trouble = 'Redis does not answer';
    await model.refresh();
    body.update();
    expect(text()).toContain('RedisChannelLayer · Redis at redis://r: Redis does not answer');
  });
});

interface Scene {
  readonly client: FakeClient;
  readonly pace: FakePace;
  readonly sidebar: Sidebar;
  readonly content: AccordionPanel;
  readonly groups: GroupsModel;
  readonly context: FakeContext;
  frames(): number;
}

function scene(): Scene {
  const client = new FakeClient({ inspect: () => changes([['a', 1, 1, 1, 0, 0, 999, 'e']]), inspect_layer: () => FACTS });
  const context = fakeContext(client);
  const pace = new FakePace();
  const groups = new GroupsModel(context.api, second, pace);
  const layer = new LayerModel(context.api, second, pace);
  const sidebar = new Sidebar(
    context,
    [
      new Section({ name: 'groups', label: 'Groups', model: groups, body: groupsBody(context, groups), open: true }),
      new Section({ name: 'layer', label: 'Layer', model: layer, body: new LayerBody(context, layer), open: false })
    ],
    {} as ITranslator
  );
  const frames = vi.spyOn(globalThis, 'requestAnimationFrame');
  return { client, pace, sidebar, groups, context, content: sidebar.content as AccordionPanel, frames: () => frames.mock.calls.length };
}

beforeEach(() => {
  document.body.replaceChildren();
});

describe('the sidebar', () => {
  it('asks and paints nothing before it is shown, while it is hidden, and after it is closed', async () => {
    const { client, pace, sidebar, frames } = scene();
    sidebar.hide();
    Widget.attach(sidebar, document.body);
    await pace.pass(60);
    expect([client.calls.length, frames(), client.holders]).toEqual([0, 0, 0]);
    sidebar.show();
    await pace.pass(2.5);
    await frame();
    expect(client.holders).toBe(1);
    expect(client.count('inspect')).toBe(3);
    expect(frames()).toBeGreaterThan(0);
    sidebar.hide();
    await frame();
    const [calls, painted] = [client.calls.length, frames()];
    await pace.pass(600);
    expect([client.calls.length, frames(), client.holders]).toEqual([calls, painted, 0]);
    sidebar.show();
    await pace.pass(0.5);
    expect(client.calls.length).toBe(calls + 1);
    sidebar.dispose();
    await pace.pass(600);
    expect([client.calls.length, client.holders]).toEqual([calls + 1, 0]);
  });

  it('asks only for the sections that are open', async () => {
    const { client, pace, sidebar, content } = scene();
    Widget.attach(sidebar, document.body);
    await pace.pass(3);
    expect(client.count('inspect_layer')).toBe(0);
    expect(sidebar.openSections).toEqual(['groups']);
    content.collapse(0);
    const asked = client.count('inspect');
    sidebar.reveal('layer');
    await pace.pass(3.5);
    expect(client.count('inspect')).toBe(asked);
    expect(client.count('inspect_layer')).toBe(4);
  });

  it('asks at most twice a second for each open section', async () => {
    const { client, pace, sidebar } = scene();
    Widget.attach(sidebar, document.body);
    await pace.pass(10);
    expect(client.calls.length).toBeLessThanOrEqual(20);
  });

  it('waits for a server that is away, says so, and comes back by itself', async () => {
    vi.spyOn(Date, 'now').mockReturnValue(1_000_000);
    const { client, pace, sidebar } = scene();
    Widget.attach(sidebar, document.body);
    await pace.pass(1);
    await frame();
    const line = sidebar.node.querySelector('.nbc-state-line')!;
    expect(line.textContent).toBe('live');
    client.become(LOST);
    const calls = client.calls.length;
    await pace.pass(60);
    await frame();
    expect(client.calls.length).toBe(calls);
    expect(line.textContent).toBe('reconnecting in 4 sThe connection was lost.');
    // What was known stays, without an error in its place.
    expect(sidebar.node.querySelector('.nbc-row-name')?.textContent).toBe('a');
    client.become(LIVE);
    await pace.pass(0.5);
    expect(client.calls.length).toBe(calls + 1);
    expect(line.textContent).toBe('live');
  });

  it('has counts at the titles and a number at its icon', async () => {
    const { pace, sidebar, content } = scene();
    Widget.attach(sidebar, document.body);
    await pace.pass(0.5);
    await frame();
    expect(content.titles[0]!.getAttribute('aria-label')).toBe('Groups, 1');
    expect(content.titles[0]!.querySelector('.nbc-count')?.textContent).toBe('1');
    sidebar.badge = 3;
    expect(sidebar.title.dataset).toEqual({ 'nbc-badge': '3' });
    expect(sidebar.title.caption).toContain('3 problems');
    sidebar.badge = 1000;
    expect(sidebar.title.dataset).toEqual({ 'nbc-badge': '99+' });
    sidebar.badge = 0;
    expect(sidebar.title.className).toBe('');
  });
});

describe('the chip in the status bar', () => {
  it('says state, problems, and a rate while one is looked at, and asks nothing itself', async () => {
    const client = new FakeClient({ inspect_layer: () => FACTS });
    const { api } = fakeContext(client);
    let sent = 0;
    let now = 0;
    client.methods.inspect_layer = () => ({ ...FACTS, statistics: { sent: (sent += 30), group_sent: 0, groups: 2, channels: 1 } });
    const pace = new FakePace();
    const layer = new LayerModel(api, second, pace, () => (now += 1));
    const announcements = new Announcements(client);
    let opened = 0;
    client.become({ status: 'connecting', detail: '', code: null });
    const chip = new StatusChip(client, layer, announcements, trans, () => void (opened += 1));
    const button = chip.node.querySelector('button')!;
    const says = (): (string | undefined)[] => [button.textContent, button.dataset['tone']];
    expect(says()).toEqual(['Channels', 'idle']);
    client.become(LIVE);
    expect(client.calls).toHaveLength(0);
    expect(says()).toEqual(['Channels live', 'good']);
    layer.start();
    await pace.pass(1.5);
    expect(says()).toEqual(['Channels live · 30/s', 'good']);
    layer.stop();
    expect(says()).toEqual(['Channels live', 'good']);
    announcements.open();
    client.push('nbchannels.problems', { dead: 1, diagnoses: 1 });
    expect(says()).toEqual(['Channels live · 2 problems', 'bad']);
    client.push('nbchannels.problems', { dead: 0, diagnoses: 0 });
    expect(says()).toEqual(['Channels live', 'good']);
    button.click();
    expect(opened).toBe(1);
    chip.dispose();
  });
});

describe('a closed section', () => {
  it('says at its title how many problems there are', async () => {
    const client = new FakeClient({ dead_letters: () => [], diagnoses: () => ({ diagnoses: [] }) });
    const context = fakeContext(client);
    const pace = new FakePace();
    const announcements = new Announcements(client);
    const model = new ProblemsModel(context.api, announcements, second, pace);
    const sidebar = new Sidebar(context, [new Section({ name: 'problems', label: 'Problems', model, body: new ProblemsBody(context, model), open: false })], {} as ITranslator);
    Widget.attach(sidebar, document.body);
    const [title] = (sidebar.content as AccordionPanel).titles;
    announcements.open();
    client.streams.get('nbchannels.problems')!.subscribed!({ epoch: 'e', top: 0, recovered: true });
    client.push('nbchannels.problems', { dead: 1, diagnoses: 1 });
    expect(title!.getAttribute('aria-label')).toBe('Problems, 2 problems');
    client.push('nbchannels.problems', { dead: 0, diagnoses: 0 });
    expect(title!.getAttribute('aria-label')).toBe('Problems');
    await pace.pass(60);
    expect(client.calls).toEqual([]);
  });
});

describe('the notebook in front', () => {
  const belongings = (): unknown => ({ groups: ['a'], channels: ['work', 'sensor.*'], clients: ['kernel-1'] });

  it('narrows the lists while that is wished and seen', async () => {
    const client = new FakeClient({ belongings, inspect: () => changes([['a', 1, 1, 1, 0, 0, 999, 'e'], ['seen', 1, 1, 1, 0, 0, 999, 'e'], ['other', 1, 1, 1, 0, 0, 999, 'e']]) });
    const pace = new FakePace();
    const context = fakeContext(client, pace);
    const { following } = context;
    const groups = new GroupsModel(context.api, second, pace);
    following.changed.connect(() => {
      const { scope } = following;
      groups.scope = scope && (row => scope.has('group', row.key));
    });
    const sidebar = new Sidebar(context, [new Section({ name: 'groups', label: 'Groups', model: groups, body: groupsBody(context, groups), open: true })], {} as ITranslator);
    sidebar.hide();
    Widget.attach(sidebar, document.body);
    following.on = true;
    await pace.pass(60);
    expect(client.calls).toEqual([]);
    sidebar.show();
    await pace.pass(0.5);
    expect(client.calls.find(({ method }) => method === 'belongings')?.args).toEqual({ kernel: 'k', views: true });
    expect(groups.shown.map(({ key }) => key)).toEqual(['a', 'seen']);
    const button = sidebar.node.querySelector('.nbc-follow')!;
    expect([button.textContent, button.getAttribute('aria-pressed')]).toEqual(['Only a.ipynb', 'true']);
    const { scope } = following;
    expect([scope!.has('channel', 'sensor.x'), scope!.has('channel', 'sensor'), scope!.has('client', 'kernel-1'), scope!.has('client', 'kernel-2')]).toEqual([true, false, true, false]);
    following.on = false;
    expect(groups.shown.map(({ key }) => key)).toEqual(['a', 'other', 'seen']);
    const asked = client.count('belongings');
    await pace.pass(60);
    expect(client.count('belongings')).toBe(asked);
    sidebar.dispose();
  });

  it('may be none, and a server may refuse', async () => {
    const client = new FakeClient({ belongings: () => { throw new Error('you may not'); } });
    const pace = new FakePace();
    const { api } = fakeContext(client, pace);
    const none = new Following(api, () => null, pace);
    none.visible = true;
    none.on = true;
    await pace.pass(0.5);
    expect([client.calls.length, none.scope!.has('group', 'a'), none.path]).toEqual([0, false, '']);
    none.dispose();
    const refused = new Following(api, () => ({ path: 'a', kernel: null, views: [] }), pace);
    refused.on = true;
    refused.visible = true;
    await pace.pass(0.5);
    expect(refused.refusal).toBe('you may not');
    refused.dispose();
  });
});

describe('how it is arranged', () => {
  const NONE: Arrangement = { open: ['groups'], lists: {}, messages: { name: '', text: '', least: null, kind: null, more: false }, paused: false, follow: false };

  function arranged(): Arranged & { touch(): void } {
    let callback = (): void => undefined;
    return { arrangement: NONE, watch: told => void (callback = told), touch: () => { callback(); } };
  }

  class FakeStore {
    readonly saved: unknown[] = [];
    constructor(private readonly known?: unknown) {}
    async fetch(): Promise<unknown> {
      return Promise.resolve(this.known);
    }
    async save(_: string, value: unknown): Promise<unknown> {
      return Promise.resolve(this.saved.push(value));
    }
  }

  it('is remembered when it changes, and only then', async () => {
    vi.useFakeTimers();
    const store = new FakeStore();
    const one = arranged();
    await new Memory(store, one).restore();
    one.touch();
    await vi.advanceTimersByTimeAsync(1000);
    expect(store.saved).toEqual([]);
    one.arrangement = { ...NONE, paused: true, open: ['problems'] };
    one.touch();
    one.touch();
    await vi.advanceTimersByTimeAsync(1000);
    expect(store.saved).toEqual([{ ...NONE, paused: true, open: ['problems'] }]);
    vi.useRealTimers();
  });

  it('is restored, and what cannot be understood is left out', async () => {
    const one = arranged();
    const kept = { ...NONE, open: ['problems'], paused: true, follow: true, lists: { groups: { filter: 'a', sort: 'rate' } }, messages: { name: 'x.*', text: 't', least: 3, kind: 'group', more: true } };
    await new Memory(new FakeStore(kept), one).restore();
    expect(one.arrangement).toEqual(kept);
    await new Memory(new FakeStore({ open: 7, lists: [1], messages: { name: {}, least: 'x', kind: 'neither' }, paused: 'yes' }), one).restore();
    expect(one.arrangement).toEqual({ ...NONE, open: ['problems'] });
    await new Memory(new FakeStore(null), one).restore();
    expect(one.arrangement.open).toEqual(['problems']);
  });

  it('is that of sections, lists, messages and the rest', () => {
    const { sidebar, groups, content, context } = scene();
    const messages = new MessagesModel(context.api, context.settings, new FakePace());
    const tail = messagesSection(context, messages);
    const whole = new ArrangedInspector(sidebar, { groups }, messages, tail, context.following);
    let told = 0;
    whole.watch(() => void (told += 1));
    const wished: Arrangement = {
      open: ['layer'], lists: { groups: { filter: 'Ab', sort: 'rate' } }, messages: { name: 'x', text: 'Y', least: 5, kind: 'channel', more: true }, paused: true, follow: true
    };
    whole.arrangement = wished;
    expect(whole.arrangement).toEqual(wished);
    expect(told).toBeGreaterThan(4);
    expect(sidebar.openSections).toEqual(['layer']);
    const before = told;
    content.expand(0);
    expect(told).toBeGreaterThan(before);
    expect(JSON.stringify(whole.arrangement)).not.toContain('"e"');
  });
});
