// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { Announcements } from '../../src/inspector/announcements';
import { SendForm } from '../../src/inspector/actions/sendform';
import { Api } from '../../src/inspector/api';
import { COMMANDS } from '../../src/inspector/context';
import { channelsBody } from '../../src/inspector/panels/channels/body';
import { ChannelsModel } from '../../src/inspector/panels/channels/model';
import { clientsBody } from '../../src/inspector/panels/clients/body';
import { ClientsModel } from '../../src/inspector/panels/clients/model';
import { consumersBody } from '../../src/inspector/panels/consumers/body';
import { ConsumersModel } from '../../src/inspector/panels/consumers/model';
import { groupsBody } from '../../src/inspector/panels/groups/body';
import { GroupsModel } from '../../src/inspector/panels/groups/model';
import { LayerBody } from '../../src/inspector/panels/layer/body';
import { LayerModel } from '../../src/inspector/panels/layer/model';
import { MessagesBody } from '../../src/inspector/panels/messages/body';
import { MessagesModel } from '../../src/inspector/panels/messages/model';
import { ProblemsBody } from '../../src/inspector/panels/problems/body';
import { ProblemsModel } from '../../src/inspector/panels/problems/model';
import { VirtualList } from '../../src/inspector/parts/list';
import { hexLines, inline, JsonTree } from '../../src/inspector/parts/tree';
import { Settings } from '../../src/inspector/settings';
import type { Body } from '../../src/inspector/section';
import { element } from '../../src/views/dom';
import { changes, fakeContext, FakeClient, FakePace, frame, settle, trans } from './fake';
import { VECTORS } from './vectors';

const second = (): number => 1;
const PLAIN = new Set(['DIV', 'SPAN', 'INPUT', 'SELECT', 'OPTION', 'BUTTON', 'CODE', 'PRE', 'DL', 'DT', 'DD', 'UL', 'LI', 'DETAILS', 'SUMMARY', 'FORM', 'TEXTAREA', 'DATALIST', 'SVG', 'PATH']);
const CLASSES = /^nbc-[a-z-]+( nbc-[a-z-]+)*$/;

/** Nothing in it came out of a text: our elements only, with our classes, and without handlers or addresses. */
function expectOurs(root: HTMLElement): void {
  for (const one of root.querySelectorAll('*')) {
    expect(PLAIN).toContain(one.tagName.toUpperCase());
    expect(one.getAttribute('class') ?? 'nbc-x').toMatch(/^$|^nbc-/);
    for (const { name } of one.attributes) {
      expect(name).not.toMatch(/^on|^href$|^src$|^srcdoc$|^style:/);
    }
  }
  expect((globalThis as { pwned?: unknown }).pwned).toBeUndefined();
}

async function shown(body: Body): Promise<HTMLElement> {
  document.body.append(body.element);
  body.update();
  await frame();
  return body.element;
}

async function click(root: HTMLElement, selector: string): Promise<void> {
  root.querySelector(selector)!.dispatchEvent(new MouseEvent('mousedown', { bubbles: true, button: 0, detail: 1 }));
  await frame();
}

beforeEach(() => {
  document.body.replaceChildren();
});

describe('whatever it is, it is text:', () => {
  it.each(VECTORS)('%s', async evil => {
    const client = new FakeClient({
      inspect: ({ panel }) =>
        changes(
          panel === 'groups'
            ? [[evil, 1, 1, 10, 1, 1, 999, evil]]
            : panel === 'channels'
              ? [[evil, 3, 10, 1, 10, 0, 3, 0, 1, 1]]
              : panel === 'consumers'
                ? [[evil, evil, evil, evil, evil, evil, [[evil, evil]], false, 1, 1, 1, 0, 1, 1, 0.1, evil, evil]]
                : [[evil, evil, evil, evil, true, 1, 1, 1, 1, 1, 500, 5, 3, [evil, evil]]]
        ),
      presence: () => [{ kind: evil, user: evil, label: evil, as: evil }],
      tail: () => ({ top: 1 }),
      tail_read: () => ({ top: 1, missed: 0, rows: [[1, 'group', evil, 1, 1, 9, evil, 1, { [evil]: evil }, null]] }),
      inspect_message: () => ({ message: { [evil]: [evil, { [evil]: evil }], array: { array: evil, shape: [evil], bytes: 1 } }, omitted: evil, hex: evil }),
      inspect_dead: () => ({ message: { [evil]: [evil] }, omitted: evil, hex: evil }),
      belongings: () => ({ groups: [evil], channels: [evil], clients: [evil] }),
      dead_letters: () => [{ number: 1, channel: evil, reason: evil, error: evil, traceback: evil, consumer: evil, time: 9, sent: 1, retries: 1, bytes: 1 }],
      diagnoses: () => ({ diagnoses: [{ number: 1, kind: evil, sentence: evil, subject: evil, detail: evil, client: evil, where: evil, count: 2, time: 5 }] }),
      inspect_layer: () => ({ alias: evil, backend: evil, trouble: evil, version: evil, uptime: 1, statistics: { [evil]: 1 }, connections: 1, capacity: {}, loop_delay: 0 }),
      names: () => ({ groups: [evil], channels: [evil] })
    });
    const context = fakeContext(client);
    const { api } = context;
    const pace = new FakePace();
    const groups = new GroupsModel(api, second, pace);
    const channels = new ChannelsModel(api, second, pace);
    const consumers = new ConsumersModel(api, second, pace);
    const clients = new ClientsModel(api, second, pace);
    const problems = new ProblemsModel(api, new Announcements(client), second, pace);
    const layer = new LayerModel(api, second, pace);
    const messages = new MessagesModel(api, new Settings(), pace);
    const bodies: Body[] = [
      groupsBody(context, groups), channelsBody(context, channels), consumersBody(context, consumers), clientsBody(context, clients),
      new ProblemsBody(context, problems), new MessagesBody(context, messages)
    ];
    for (const model of [groups, channels, consumers, clients, problems, layer, messages]) {
      model.start();
    }
    await settle();
    for (const body of bodies) {
      const root = await shown(body);
      expect(root.querySelector('.nbc-row')).not.toBeNull();
      await click(root, '.nbc-row');
      expectOurs(root);
      expect(root.querySelector<HTMLElement>('.nbc-detail')!.hidden).toBe(false);
      // It is there to be read, letter by letter.
      expect(root.textContent).toContain(evil);
    }
    expectOurs(await shown(new LayerBody(context, layer)));
    const form = new SendForm(api, trans, { kind: 'group', name: evil, content: evil, note: evil });
    document.body.append(form.element);
    await form.load();
    expectOurs(form.element);
    client.methods.inspect = () => {
      throw new Error(evil);
    };
    groups.refusal = evil;
    groups.rows.clear();
    groups.filter = '';
    expectOurs(await shown(groupsBody(context, groups)));
  });

  it('and there are enough of them', () => {
    expect(VECTORS.length).toBeGreaterThanOrEqual(60);
    expect(CLASSES.test('nbc-row')).toBe(true);
  });
});

describe('a panel', () => {
  it('says what to type while there is nothing', async () => {
    const client = new FakeClient({ inspect: () => changes([]) });
    const context = fakeContext(client);
    const model = new GroupsModel(context.api, second, new FakePace());
    const body = groupsBody(context, model);
    const root = await shown(body);
    expect(root.textContent).toContain('Waiting for the server.');
    await model.refresh();
    body.update();
    expect(root.querySelector('code')?.textContent).toBe('nb.Group("hello").send({"y": 1})');
    root.querySelector<HTMLButtonElement>('.nbc-link')!.click();
    expect(context.copied).toEqual(['nb.Group("hello").send({"y": 1})']);
  });

  it('selects a row with its details and actions, and lets it go', async () => {
    const client = new FakeClient({
      inspect: () => changes([['a', 12, 3, 2000, 1, 0, 940, 'e'], ['b', 1, 1, 1, 0, 0, null, 'e']]),
      presence: () => [
        { kind: 'page', user: 'Ada', label: '', as: 'subscriber', here: true },
        { kind: 'kernel', user: 'kernel:1', label: 'b.ipynb', as: 'member', here: false }
      ]
    });
    const context = fakeContext(client);
    const model = new GroupsModel(context.api, second, new FakePace());
    await model.refresh();
    const body = groupsBody(context, model);
    const root = await shown(body);
    expect(root.querySelector('.nbc-row-words')?.textContent).toBe('1 subscriber · 3 kept, 2.0\u202fkB');
    expect(root.querySelector('.nbc-row-age')?.textContent).toBe('60\u202fs');
    await click(root, '.nbc-row');
    expect(context.selection.target).toEqual({ kind: 'group', name: 'a' });
    expect(root.querySelector('.nbc-detail')?.textContent).toContain('Ada');
    expect([...root.querySelectorAll('.nbc-person .nbc-far')].map(how => how.textContent)).toEqual(['subscriber', 'member, elsewhere']);
    [...root.querySelectorAll<HTMLButtonElement>('.nbc-action')].find(button => button.textContent === 'Plot')!.click();
    expect(context.ran).toEqual([{ command: COMMANDS.plot, args: { group: 'a' } }]);
    expect(client.count('presence')).toBe(1);
    body.update();
    expect(client.count('presence')).toBe(1);
    root.querySelector<HTMLButtonElement>('.nbc-detail .nbc-tool')!.click();
    expect(context.selection.target).toBeNull();
    expect(root.querySelector<HTMLElement>('.nbc-detail')!.hidden).toBe(true);
    expect(body.badge()).toEqual({ text: '2', label: '2', tone: 'plain' });
  });

  it('shows the newest traceback of a consumer', async () => {
    const client = new FakeClient({
      inspect: () => changes([['kernel-1/1', 'work', 'run', '/x/n.ipynb', 'kernel', 'main', [['kind', 'a.*']], true, 2, 4, 9, 6, 1, 0, 0.25, 'ValueError: no', 'kernel-1']]),
      dead_letters: () => [],
      diagnoses: () => ({ diagnoses: [{ kind: 'consumer-failed', sentence: 'run failed: ValueError: other', detail: 'Traceback: line 3', client: '/x/n.ipynb', subject: '', where: 'kernel', count: 1, time: 1 }] })
    });
    const context = fakeContext(client);
    const model = new ConsumersModel(context.api, second, new FakePace());
    await model.refresh();
    const root = await shown(consumersBody(context, model));
    expect(root.querySelector('.nbc-row-words')?.textContent).toBe('1 failed: ValueError: no · 2 in hand · 6 done · run in n.ipynb');
    await click(root, '.nbc-row');
    await settle();
    expect(root.querySelector('.nbc-trace')?.textContent).toBe('Traceback: line 3');
    expect(root.querySelector('.nbc-facts')?.textContent).toContain('kind ~ a.*');
  });

  it('shows a dead letter of a consumer as long as there is one, and leaves open what the reader has opened', async () => {
    const letter = { channel: 'work', reason: 'failed', error: 'ValueError: no', traceback: 'Traceback: line 9', consumer: 'run of n.ipynb', time: 9, sent: 1, retries: 0, bytes: 1 };
    let letters = [{ ...letter, number: 4 }];
    const client = new FakeClient({
      inspect: () => changes([['kernel-1/1', 'work', 'run', '/x/n.ipynb', 'kernel', 'main', [], true, 0, 4, 9, 6, 1, 0, 0.25, 'ValueError: no', 'kernel-1']]),
      dead_letters: () => letters,
      diagnoses: () => ({ diagnoses: [] }),
      inspect_dead: () => ({ message: { n: 1 }, omitted: null, hex: '' })
    });
    const context = fakeContext(client);
    const pace = new FakePace();
    const model = new ConsumersModel(context.api, second, pace);
    await model.refresh();
    const body = consumersBody(context, model);
    model.changed.connect(() => {
      body.update();
    });
    const root = await shown(body);
    await click(root, '.nbc-row');
    await settle();
    const opened = root.querySelector<HTMLDetailsElement>('.nbc-letter')!;
    expect(root.querySelector('.nbc-trace')?.textContent).toBe('Traceback: line 9');
    opened.open = true;
    // Closed, it asks nothing.
    context.lettersChanged.emit();
    await settle();
    expect(client.count('dead_letters')).toBe(1);
    // Another message was given up, of another channel: nothing changes here.
    model.start();
    await settle();
    expect(client.count('dead_letters')).toBe(2);
    expect(root.querySelector('.nbc-letter')).toBe(opened);
    letters = [];
    context.lettersChanged.emit();
    await settle();
    expect(root.querySelector('.nbc-letter')).toBeNull();
    expect(root.querySelectorAll('.nbc-detail-content button')).toHaveLength(0);
    expect(root.querySelector('.nbc-error')?.textContent).toBe('ValueError: no');
    letters = [{ ...letter, number: 5 }];
    context.lettersChanged.emit();
    await settle();
    expect(root.querySelector('.nbc-letter summary')?.textContent).toBe('Message of dead letter 5');
    // And nothing while nothing changes.
    const asked = client.count('dead_letters');
    await pace.pass(10);
    expect(client.count('dead_letters')).toBe(asked);
    model.dispose();
  });

  it('of messages shows the tree, else the bytes, else the beginning and why', async () => {
    const client = new FakeClient({
      tail: () => ({ top: 0 }),
      tail_read: ({ after }) => ({ top: 1, missed: 0, rows: after === 0 ? [[1, 'channel', 'work', 1, 2, 30, 'msgpack', null, { a: 1 }, null]] : [] }),
      inspect_message: () => ({ message: null, omitted: 'an Arrow table', hex: '41424300' })
    });
    const context = fakeContext(client);
    const model = new MessagesModel(context.api, new Settings(), new FakePace());
    const body = new MessagesBody(context, model);
    model.start();
    await settle();
    const root = await shown(body);
    await click(root, '.nbc-row');
    await settle();
    expect(root.querySelector('.nbc-note')?.textContent).toBe('an Arrow table');
    expect(root.querySelector('.nbc-trace')?.textContent).toBe('0000  41 42 43 00              ABC·');
    expect(root.querySelector<HTMLDetailsElement>('.nbc-hex')!.open).toBe(true);
    delete client.methods.inspect_message;
    await click(root, '.nbc-row');
    await click(root, '.nbc-row');
    await settle();
    expect(root.querySelector('.nbc-note')?.textContent).toContain('Only its beginning is left');
    expect(root.querySelector('.nbc-tree')?.textContent).toContain('a: 1');
  });
});

describe('a long list', () => {
  const items = (n: number): { key: string }[] => Array.from({ length: n }, (_, i) => ({ key: `k${i}` }));
  const make = (): { list: VirtualList<{ key: string }>; chosen: string[]; activated: string[] } => {
    const chosen: string[] = [];
    const activated: string[] = [];
    const list = new VirtualList<{ key: string }>({
      label: 'Things',
      height: 40,
      make: () => {
        const made = element('div', 'nbc-row');
        return { element: made, show: item => void (made.textContent = item.key) };
      },
      selected: (item, how) => void chosen.push(`${how} ${item?.key ?? 'none'}`),
      activated: item => void activated.push(item.key)
    });
    document.body.append(list.element);
    return { list, chosen, activated };
  };
  const press = (list: VirtualList<{ key: string }>, key: string): void => {
    list.element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  };

  it('has only the rows in sight in the page', async () => {
    const { list } = make();
    list.set(items(10_000));
    await frame();
    expect(list.element.querySelectorAll('[role=option]').length).toBeLessThan(30);
    expect(list.element.querySelector<HTMLElement>('.nbc-list-canvas')!.style.height).toBe('400000px');
  });

  it('is used by keyboard', async () => {
    const { list, chosen, activated } = make();
    list.set(items(100));
    await frame();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowUp', 'End', 'Home', 'Enter', 'Escape']) {
      press(list, key);
    }
    expect(chosen).toEqual(['point k0', 'point k1', 'point k0', 'point k99', 'point k0', 'open k0', 'open none']);
    expect(activated).toEqual([]);
    press(list, 'ArrowDown');
    await frame();
    const active = list.element.getAttribute('aria-activedescendant');
    expect(document.getElementById(active ?? '')?.textContent).toBe('k0');
    expect(document.getElementById(active ?? '')?.getAttribute('aria-selected')).toBe('true');
    let menus = 0;
    document.body.addEventListener('contextmenu', () => void (menus += 1), { once: true });
    press(list, 'ContextMenu');
    expect(menus).toBe(1);
    const mouse = (type: string, button: number): boolean => list.element.querySelectorAll('.nbc-row')[3]!.dispatchEvent(new MouseEvent(type, { button, detail: 1, bubbles: true }));
    mouse('mousedown', 2);
    mouse('mousedown', 0);
    mouse('dblclick', 0);
    expect(chosen.slice(-2)).toEqual(['point k3', 'open k3']);
    expect(activated).toEqual(['k3']);
  });

  it('stays where it is when rows come above', async () => {
    const { list } = make();
    list.set(items(100));
    await frame();
    list.element.scrollTop = 400;
    list.set([{ key: 'new' }, ...items(100)]);
    expect(list.element.scrollTop).toBe(440);
  });

  it('keeps each row in its place while the pointer moves over it', async () => {
    const { list, chosen } = make();
    const keys = (): string[] => [...list.element.querySelectorAll('.nbc-row:not([hidden])')].map(row => row.textContent);
    const point = (type: string): boolean => list.element.dispatchEvent(new Event(type));
    list.set(items(3));
    await frame();
    point('pointermove');
    list.set([{ key: 'new' }, { key: 'k2' }, { key: 'k0' }]);
    await frame();
    expect(keys()).toEqual(['k0', 'k1', 'k2']);
    list.element.querySelector('.nbc-row')!.dispatchEvent(new MouseEvent('mousedown', { button: 0, detail: 1, bubbles: true }));
    expect(chosen).toEqual(['open k0']);
    point('pointerleave');
    await frame();
    expect(keys()).toEqual(['new', 'k2', 'k0']);
    // The pointer stays, and comes to rest.
    point('pointermove');
    list.set(items(2));
    await frame();
    expect(keys()).toEqual(['new', 'k2', 'k0']);
    await vi.waitFor(() => { expect(keys()).toEqual(['k0', 'k1']); }, 5000);
    // The keys go by what there is.
    point('pointermove');
    list.set([{ key: 'first' }, ...items(2)]);
    press(list, 'Home');
    expect(chosen.at(-1)).toBe('point first');
  });

  it('goes on with what took the place of a row that is gone', async () => {
    const { list, chosen } = make();
    list.set(items(5));
    list.select('k2');
    list.set(items(5).filter(({ key }) => key !== 'k2'));
    await frame();
    press(list, 'ArrowDown');
    list.set(items(5).filter(({ key }) => key !== 'k2' && key !== 'k3'));
    press(list, 'ArrowUp');
    expect(chosen).toEqual(['open k2', 'point k3', 'point k1']);
    await frame();
    list.set([]);
    await frame();
    expect(list.element.querySelectorAll('[aria-selected=true]')).toHaveLength(0);
  });
});

describe('the tree', () => {
  it('opens and closes by keyboard, makes children on demand, and copies', () => {
    const copied: string[] = [];
    const tree = new JsonTree('Content', text => void copied.push(text));
    document.body.append(tree.element);
    tree.show({ list: Array.from({ length: 250 }, (_, i) => i), deep: { deeper: { deepest: 1 } } });
    const press = (key: string, ctrlKey = false): void => {
      document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', { key, ctrlKey, bubbles: true, cancelable: true }));
    };
    const focused = (): string => document.activeElement!.querySelector(':scope > .nbc-tree-line')!.textContent;
    tree.element.querySelector<HTMLElement>('[role=treeitem]')!.focus();
    press('ArrowDown');
    expect(focused()).toBe('list: [250]');
    expect(tree.element.querySelectorAll('[role=treeitem]')).toHaveLength(4);
    press('ArrowRight');
    press('ArrowRight');
    expect(focused()).toBe('0: 0');
    expect(tree.element.querySelectorAll('[role=treeitem]').length).toBe(105);
    press('ArrowLeft');
    press('ArrowLeft');
    press('ArrowDown');
    expect(focused()).toBe('deep: {1}');
    press('c', true);
    expect(copied).toEqual([JSON.stringify({ deeper: { deepest: 1 } }, null, 2)]);
    press('End');
    press('Enter');
    press('End');
    expect(focused()).toBe('deepest: 1');
    press('Home');
    press('ArrowDown');
    press('Enter');
    [...tree.element.querySelectorAll<HTMLElement>('.nbc-tree-more .nbc-tree-line')][0]!.click();
    expect(focused()).toBe('100: 100');
  });

  it('describes what it cannot hold', () => {
    expect(inline({ a: 1.23456789, b: 'x', c: { array: 'float64', shape: [3, 4], bytes: 96 }, d: [null, true] })).toBe('a: 1.23457 · b: "x" · c: ⟨float64 3×4⟩ · d: [null, true]');
    expect(inline({ t: 1795222750.394935 })).toBe('t: 1795222750.4');
    expect(inline({ a: 'x'.repeat(500) })).toHaveLength(160);
    expect(hexLines('')).toBe('');
  });
});

describe('the form', () => {
  const make = (content = '{"y": 1}', name = 'a'): { client: FakeClient; form: SendForm; button: HTMLButtonElement; problem: () => string; answer: () => string; write: (text: string) => void } => {
    const client = new FakeClient({ names: () => ({ groups: ['a', 'b'], channels: ['c'] }) });
    const form = new SendForm(new Api(client), trans, { kind: 'group', name, content });
    document.body.append(form.element);
    const area = form.element.querySelector('textarea')!;
    return {
      client,
      form,
      button: form.element.querySelector('button')!,
      problem: () => form.element.querySelector('.nbc-problem')!.textContent,
      answer: () => form.element.querySelector('.nbc-answer')!.textContent,
      write: text => {
        area.value = text;
        area.dispatchEvent(new Event('input'));
      }
    };
  };

  it('checks while one writes', () => {
    const { button, problem, write } = make();
    expect([button.disabled, problem()]).toEqual([false, '']);
    write('{"y": ');
    expect(button.disabled).toBe(true);
    expect(problem()).toMatch(/^This is no JSON yet: /);
    write('[1]');
    expect(problem()).toBe('A message is an object: {"key": value}');
    expect(make('{}', 'no name').problem()).toContain('ASCII letters');
    expect(make('{}', '').button.disabled).toBe(true);
  });

  it('completes names of groups or of channels', async () => {
    const { form } = make();
    await form.load();
    const names = (): string[] => [...form.element.querySelectorAll<HTMLOptionElement>('datalist option')].map(option => option.value);
    expect(names()).toEqual(['a', 'b']);
    const kind = form.element.querySelector('select')!;
    kind.value = 'channel';
    kind.dispatchEvent(new Event('change'));
    expect(names()).toEqual(['c']);
  });

  it('says where it went, or why not', async () => {
    const { client, form, answer } = make();
    await form.send();
    expect(client.sent).toEqual([{ kind: 'group', name: 'a', content: { y: 1 } }]);
    expect(answer()).toBe('Sent: 1 subscriber, offset 7.');
    client.receipt = { members: 2, subscribers: 0, dropped: 1, offset: null, hint: 'did you mean "b"?' };
    await form.send();
    expect(answer()).toBe('Sent: 0 subscribers, 2 members, dropped by 1 full member. did you mean "b"?');
    client.receipt = new Error('you may not write group "a"');
    await form.send();
    expect(answer()).toBe('you may not write group "a"');
  });

  it('sends with Ctrl+Enter and keeps Enter from the dialog', async () => {
    const { client, form } = make();
    let heard = 0;
    document.body.addEventListener('keydown', () => void (heard += 1), { once: true });
    form.element.querySelector('textarea')!.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true, cancelable: true }));
    await settle();
    expect([client.sent.length, heard]).toEqual([1, 0]);
  });
});

describe('the layer', () => {
  it('says why it does not answer', async () => {
    const facts = { alias: 'default', backend: 'Redis', uptime: 1, statistics: {}, connections: 1, capacity: {}, loop_delay: 0 };
    const client = new FakeClient({ inspect_layer: () => facts });
    const context = fakeContext(client);
    const layer = new LayerModel(context.api, second, new FakePace());
    await layer.refresh();
    const body = new LayerBody(context, layer);
    const root = await shown(body);
    const line = root.querySelector<HTMLElement>('.nbc-backend')!;
    expect([line.textContent, line.dataset['tone']]).toEqual(['Redis', 'plain']);
    client.methods.inspect_layer = () => ({ ...facts, trouble: 'it does not answer' });
    await layer.refresh();
    body.update();
    expect([line.textContent, line.dataset['tone']]).toEqual(['Redis: it does not answer', 'bad']);
  });
});
