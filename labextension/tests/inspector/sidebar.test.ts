// @vitest-environment happy-dom
import type { ITranslator } from '@jupyterlab/translation';
import type { AccordionPanel } from '@lumino/widgets';
import { Widget } from '@lumino/widgets';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { StatusChip } from '../../src/inspector/around/status';
import { ConsumersModel } from '../../src/inspector/panels/consumers/model';
import { groupsBody } from '../../src/inspector/panels/groups/body';
import { GroupsModel } from '../../src/inspector/panels/groups/model';
import { LayerBody } from '../../src/inspector/panels/layer/body';
import { LayerModel } from '../../src/inspector/panels/layer/model';
import { Section } from '../../src/inspector/section';
import { Sidebar } from '../../src/inspector/sidebar';
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
  return { Toolbar, SidePanel, LabIcon: vi.fn() };
});

const second = (): number => 1;
const FACTS = { alias: 'default', backend: 'M', version: '1', uptime: 1, statistics: { sent: 1, group_sent: 2, groups: 1 }, connections: 1, capacity: { groups: 10 }, loop_delay: 0 };

interface Scene {
  readonly client: FakeClient;
  readonly pace: FakePace;
  readonly sidebar: Sidebar;
  readonly content: AccordionPanel;
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
  return { client, pace, sidebar, content: sidebar.content as AccordionPanel, frames: () => frames.mock.calls.length };
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
  it('says state, rate and failures, and asks nothing itself', async () => {
    const client = new FakeClient({ inspect_layer: () => FACTS, inspect: () => changes([]) });
    const { api } = fakeContext(client);
    let sent = 0;
    let now = 0;
    client.methods.inspect_layer = () => ({ ...FACTS, statistics: { sent: (sent += 30), group_sent: 0, groups: 2, channels: 1 } });
    const layer = new LayerModel(api, second, new FakePace(), () => (now += 1));
    const consumers = new ConsumersModel(api, second, new FakePace());
    let opened = 0;
    client.become({ status: 'connecting', detail: '', code: null });
    const chip = new StatusChip(client, layer, consumers, trans, () => void (opened += 1));
    const button = chip.node.querySelector('button')!;
    expect([button.textContent, button.dataset['tone']]).toEqual(['Channels', 'idle']);
    client.become(LIVE);
    expect(client.calls).toHaveLength(0);
    await layer.refresh();
    await layer.refresh();
    expect(button.textContent).toBe('Channels live · 30/s');
    client.methods.inspect = () => changes([['k/1', 'work', 'f', 'n', 'kernel', '', [], true, 0, 1, 2, 0, 2, 0, 0, 'E', 'k']]);
    await consumers.refresh();
    expect([button.textContent, button.dataset['tone']]).toEqual(['Channels live · 30/s · 2 failures', 'bad']);
    button.click();
    expect(opened).toBe(1);
    chip.dispose();
  });
});
