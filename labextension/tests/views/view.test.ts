// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { settingsGroup, View } from '../../src/views/view';
import { FakeClient, LIVE } from './fake';

let ids = 0;
let host: HTMLElement;
let client: FakeClient;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval', 'requestAnimationFrame', 'cancelAnimationFrame', 'setTimeout', 'clearTimeout'] });
  vi.stubGlobal('IntersectionObserver', undefined);
  host = document.createElement('div');
  document.body.append(host);
  client = new FakeClient();
});

afterEach(() => {
  host.remove();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function specification(options: Record<string, unknown> = {}, id = (ids += 1).toString(16).padStart(16, '0')): { id: string } {
  return { version: 1, id, group: 'index', kind: 'plot', options } as { id: string };
}

function show(value: unknown, attached = true): View {
  const view = new View(host, () => client);
  view.show(value);
  if (attached) {
    view.attach();
  }
  pass();
  return view;
}

/** Let some time go by, so that everything is drawn. */
const pass = (milliseconds = 1500): void => void vi.advanceTimersByTime(milliseconds);
const text = (selector: string): string | null => host.querySelector(selector)?.textContent ?? null;
const button = (label: string): HTMLButtonElement => host.querySelector<HTMLButtonElement>(`button[aria-label="${label}"]`)!;
const visible = (selector: string): boolean => host.querySelector<HTMLElement>(selector)?.hidden === false;

describe('View', () => {
  it('asks for nothing before it is in the page, and leaves nothing behind', () => {
    const view = show(specification(), false);
    expect(client.subscriptions).toEqual([]);
    view.attach();
    expect(client.subscriptions.map(({ group }) => group)).toHaveLength(2);
    view.dispose();
    expect([client.subscriptions, host.childElementCount]).toEqual([[], 0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('says what it waits for, with a line to try', () => {
    show(specification());
    expect(text('.nbc-empty-line')).toBe("Waiting for messages on group 'index'");
    expect(text('.nbc-code')).toBe('Group("index").send({"y": 1})');
    expect(text('.nbc-chip')).toBe('live');
    client.send('index', { type: 'text only' });
    pass();
    expect(text('.nbc-empty-line')).toBe("1 message on group 'index', none with a number to draw");
    client.send('index', { y: 1 });
    pass();
    expect(visible('.nbc-empty')).toBe(false);
  });

  it('lists series with values, and what is not drawn', () => {
    show(specification());
    client.send('index', { cpu: 12.5, type: 'reading' });
    pass();
    expect(text('.nbc-entry')).toBe('cpu12.50');
    expect(text('.nbc-undrawn')).toBe('not drawn: type (text)');
  });

  it('does not leave the legend behind what is drawn when messages cease', () => {
    show(specification());
    client.send('index', { cpu: 1 });
    pass(50);
    client.send('index', { cpu: 2 });
    pass(250);
    expect(text('.nbc-entry')).toBe('cpu2');
  });

  it('never makes HTML of what it is told', () => {
    show(specification({ title: '<img src=x onerror=alert(1)>' }));
    client.send('index', { '<b>y</b>': 1, '<i>z</i>': '<u>' });
    pass();
    button('Show as a table').click();
    pass();
    expect(host.querySelectorAll('img, b, i, u')).toHaveLength(0);
    expect(text('.nbc-title')).toBe('<img src=x onerror=alert(1)>');
  });

  it.each([
    [{ version: 9 }, 'another version of nbchannels'],
    [undefined, 'must be a map'],
    [{ version: 1, kind: 'plot', id: '0'.repeat(16), group: 'index', options: { line: 'pie' } }, 'one of line, step']
  ])('a wrong specification (%j) is told in words', (value, words) => {
    const view = show(value);
    expect(host.querySelector('[role=alert]')?.textContent).toContain(words);
    expect(client.subscriptions).toEqual([]);
    view.show(specification());
    expect(host.querySelector('[role=alert]')).toBeNull();
    expect(client.subscriptions).toHaveLength(2);
  });

  it('shows the same specification again without starting over', () => {
    const same = specification();
    const view = show(same);
    client.send('index', { y: 1 });
    view.show(structuredClone(same));
    view.show({ ...same, options: { title: 'Other' } });
    pass();
    expect([client.subscriptions.length, text('.nbc-title'), text('.nbc-entry')]).toEqual([2, 'Other', 'y1']);
  });

  it('takes settings from Python, live, over those of the specification', () => {
    const { id, ...rest } = specification({ title: 'First', height: 200 });
    show({ id, ...rest });
    const settings = client.subscriptions.find(({ group }) => group === settingsGroup(id));
    expect(settings?.options).toEqual({ since: { last: 1 }, mode: 'latest' });
    client.send(settingsGroup(id), { options: { title: 'Old' } }, { options: { title: 'Second', paused: true } });
    pass();
    expect([text('.nbc-title'), text('.nbc-group'), text('.nbc-chip')]).toEqual(['Second', 'index', 'paused']);
    client.send(settingsGroup(id), { options: {} });
    pass();
    expect([text('.nbc-title'), text('.nbc-chip')]).toEqual(['First', 'live']);
  });

  it('settings it cannot take are told, and the picture stays', () => {
    const { id, ...rest } = specification();
    show({ id, ...rest });
    client.send(settingsGroup(id), { options: { window: '5 min' } });
    expect(text('.nbc-note')).toContain('Settings from Python are not applied: Option "window" must be a map');
    client.send(settingsGroup(id), { options: { window: { seconds: 300 } } });
    expect(text('.nbc-note')).toBeNull();
  });

  it('pauses, and remembers it when the cell is run again', () => {
    const same = specification();
    const view = show(same);
    button('Pause').click();
    client.send('index', { y: 1 });
    pass();
    expect([text('.nbc-chip'), visible('.nbc-empty')]).toEqual(['paused', true]);
    view.dispose();
    show(same);
    expect(text('.nbc-chip')).toBe('paused');
    button('Go on').click();
    pass();
    expect(text('.nbc-chip')).toBe('live');
  });

  it('hides and shows a series', () => {
    show(specification());
    client.send('index', { a: 1, b: 2 });
    pass();
    const entry = host.querySelector<HTMLButtonElement>('.nbc-entry')!;
    expect(entry.getAttribute('aria-pressed')).toBe('true');
    entry.click();
    pass();
    expect(entry.getAttribute('aria-pressed')).toBe('false');
  });

  it('is a table on demand, newest row first', () => {
    show(specification());
    client.send('index', { step: 1, y: 10 }, { step: 2, y: null }, { step: 3, y: 30, z: 0.5 });
    button('Show as a table').click();
    pass();
    const rows = [...host.querySelectorAll('tr')].map(row => [...row.children].map(cell => cell.textContent));
    expect(rows).toEqual([['step', 'y', 'z'], ['3', '30', '0.5000'], ['2', '–', '–'], ['1', '10', '–']]);
    expect(visible('.nbc-figure')).toBe(false);
    button('Show as a picture').click();
    expect(visible('.nbc-figure')).toBe(true);
  });

  it('says in words what is wrong with the connection', () => {
    show(specification());
    client.setState({ status: 'refused', detail: 'The server says: you may not read here.', code: 4503 });
    expect([text('.nbc-chip'), text('.nbc-note')]).toEqual(['refused', 'The server says: you may not read here.']);
    client.setState(LIVE);
    expect([text('.nbc-chip'), text('.nbc-note')]).toEqual(['live', null]);
  });

  it('says when the server ended the subscription, and which message it could not read', () => {
    show(specification());
    client.of('index')[0]?.ended?.({ code: 'forbidden', message: 'Ask the owner.' });
    client.send('index', new Error('broken'));
    pass();
    expect([...host.querySelectorAll('.nbc-note')].map(note => note.textContent)).toEqual(['Ask the owner.', 'Message 1 is not drawn: broken']);
  });

  it('speaks the newest values every five seconds at most', () => {
    show(specification());
    const said = (): string | null => text('[aria-live=polite].nbc-visually-hidden');
    client.send('index', { y: 1 });
    pass(5000);
    expect(said()).toBe('y 1.');
    client.send('index', { y: 2 });
    pass(2000);
    expect(said()).toBe('y 1.');
    pass(5000);
    expect(said()).toBe('y 2.');
  });

  it('never sends', () => {
    show(specification());
    client.send('index', { y: 1 });
    pass(10_000);
    expect(client.published).toEqual([]);
  });

  it('a page without a client says so', () => {
    const view = new View(host, () => {
      throw new Error('this page does not come from a Jupyter server');
    });
    view.show(specification());
    view.attach();
    expect(host.querySelector('[role=alert]')?.textContent).toBe('This view could not be shown: this page does not come from a Jupyter server');
  });
});
