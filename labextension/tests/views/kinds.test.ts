// @vitest-environment happy-dom
import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { KINDS } from '../../src/views/kinds';
import { settingsGroup, View } from '../../src/views/view';
import { FakeClient } from './fake';

const HOSTILE = JSON.parse(readFileSync('../tests/vectors/hostile.json', 'utf8')) as string[];

let ids = 0xabc000;
let host: HTMLElement;
let client: FakeClient;
let copied: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval', 'requestAnimationFrame', 'cancelAnimationFrame', 'setTimeout', 'clearTimeout'] });
  vi.stubGlobal('IntersectionObserver', undefined);
  copied = [];
  vi.stubGlobal('navigator', { clipboard: { writeText: (text: string) => Promise.resolve(void copied.push(text)) } });
  host = document.createElement('div');
  document.body.append(host);
  client = new FakeClient();
});

afterEach(() => {
  host.remove();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (milliseconds = 1500): void => void vi.advanceTimersByTime(milliseconds);
const text = (selector: string): string | null => host.querySelector(selector)?.textContent ?? null;
const texts = (selector: string): (string | null)[] => [...host.querySelectorAll(selector)].map(found => found.textContent);
const button = (label: string): HTMLButtonElement => host.querySelector<HTMLButtonElement>(`button[aria-label="${label}"]`)!;

function show(kind: string, options: Record<string, unknown> = {}): { view: View; id: string } {
  const id = (ids += 1).toString(16).padStart(16, '0');
  const view = new View(host, () => client);
  view.show({ version: 1, id, group: 'index', kind, options });
  view.attach();
  pass();
  return { view, id };
}

function type(value: string): void {
  const field = host.querySelector<HTMLInputElement>('.nbc-filter')!;
  field.value = value;
  field.dispatchEvent(new Event('input'));
  pass();
}

describe.each([...KINDS.keys()])('a view of kind %s', kind => {
  it('waits with a line to try, shows what comes, pauses, and leaves nothing behind', () => {
    const { view } = show(kind);
    expect(text('.nbc-empty-line')).toBe("Waiting for messages on group 'index'");
    expect([text('.nbc-chip'), host.querySelectorAll('.nbc-nothing').length]).toEqual(['live', 1]);
    button('Pause').click();
    client.send('index', { y: 1 });
    pass();
    expect([text('.nbc-chip'), host.querySelectorAll('.nbc-nothing').length]).toEqual(['paused', 1]);
    button('Go on').click();
    pass();
    expect([text('.nbc-chip'), host.querySelectorAll('.nbc-nothing').length]).toEqual(['live', 0]);
    view.dispose();
    expect([client.subscriptions, host.childElementCount, vi.getTimerCount()]).toEqual([[], 0, 0]);
  });

  it('makes no element and no attribute of what it is told', () => {
    show(kind, kind === 'value' ? { fields: ['evil', '<b>', 'y'], unit: HOSTILE[0] } : kind === 'table' ? { key: 'evil' } : {});
    const shapes = new Set<string>();
    for (const vector of HOSTILE) {
      client.send('index', { evil: vector, [vector]: 1, '<b>': vector, y: 1, level: vector, message: vector, logger: vector, deep: { [vector]: [vector] } });
      pass(300);
      for (const found of host.querySelectorAll('*')) {
        shapes.add(found.localName);
        expect([...found.attributes].filter(({ name }) => name.startsWith('on') || name === 'href' || name === 'src')).toEqual([]);
      }
    }
    const ours = ['button', 'canvas', 'code', 'div', 'input', 'option', 'path', 'select', 'span', 'svg', 'table', 'tbody', 'td', 'th', 'thead', 'tr'];
    expect([...shapes].filter(name => !ours.includes(name))).toEqual([]);
    expect((globalThis as { pwned?: unknown }).pwned).toBeUndefined();
    // A plot names what came first, the others what came last.
    expect(host.textContent).toContain(HOSTILE[kind === 'plot' ? 0 : HOSTILE.length - 1]);
  });

  it('copies what is shown as CSV, and says so; or why it could not', async () => {
    show(kind);
    client.send('index', { y: 1.5 });
    pass();
    button('Copy as CSV').click();
    await vi.waitFor(() => expect(copied).toHaveLength(1));
    expect(copied[0]).toContain('1.5');
    expect(button('Copied')).not.toBeNull();
    pass(2000);
    vi.stubGlobal('navigator', {});
    button('Copy as CSV').click();
    await vi.waitFor(() => expect(text('.nbc-note')).toContain('could not be copied: the browser gives pages a clipboard'));
  });

  it('forgets everything when its group was cleared, and counts what was lost', () => {
    show(kind);
    client.send('index', { y: 1 }, { y: 2 });
    client.interrupt('index', { kind: 'gap', reason: 'trimmed', lost: 7 });
    client.send('index', { y: 3 });
    pass();
    expect(text('.nbc-chip')).toBe('live · gaps 1');
    client.interrupt('index', { kind: 'epoch', reason: 'cleared', lost: null });
    pass();
    expect([text('.nbc-chip'), host.querySelectorAll('.nbc-nothing').length]).toEqual(['live', 1]);
  });

  it('reads so much of the past as it is told', () => {
    show(kind, { history: 5 });
    expect(client.subscriptions.find(({ group }) => group === 'index')?.options).toEqual({ since: { last: 5 }, mode: 'log' });
  });
});

describe('values', () => {
  it('show number, unit, change and threshold, with a sign that is no colour', () => {
    const { id } = show('value', { unit: '%', warn: 80 });
    client.send('index', { cpu: 70 }, { cpu: 85.5, host: 'a' });
    pass();
    expect([text('.nbc-amount'), text('.nbc-unit'), text('.nbc-threshold'), text('.nbc-undrawn')]).toEqual(['85.50', '%', 'warning ≥\u202f80', 'not shown: host (text)']);
    expect(text('.nbc-change')).toBe('▲up15.50since the last');
    expect(host.querySelector('.nbc-threshold path')?.getAttribute('d')).toContain('M8 2.2');
    client.send(settingsGroup(id), { options: { unit: { cpu: '°C' }, warn: { cpu: 90 } } });
    pass();
    expect([text('.nbc-unit'), host.querySelector<HTMLElement>('.nbc-threshold')?.hidden]).toEqual(['°C', true]);
  });
});

describe('a log', () => {
  it('is filtered by words and level, and remembers it when the cell is run again', () => {
    const { view, id } = show('log', { level: 'info' });
    client.send('index', { level: 'debug', message: 'one' }, { level: 'error', message: 'two' }, { level: 'info', message: 'three' });
    pass();
    expect([texts('.nbc-text'), text('.nbc-shown')]).toEqual([['two', 'three'], '2 of 3 lines']);
    type('TW');
    expect(texts('.nbc-text')).toEqual(['two']);
    view.dispose();
    const again = new View(host, () => client);
    again.show({ version: 1, id, group: 'index', kind: 'log', options: { level: 'info' } });
    again.attach();
    client.send('index', { level: 'error', message: 'two' }, { level: 'error', message: 'four' });
    pass();
    expect(texts('.nbc-text')).toEqual(['two']);
    expect(host.querySelector<HTMLInputElement>('.nbc-filter')?.value).toBe('TW');
  });

  it('says how many lines had to go', () => {
    show('log', { lines: 10 });
    client.send('index', ...Array.from({ length: 14 }, (_, i) => ({ message: `${i}` })));
    pass();
    expect(text('.nbc-shown')).toBe('10 lines, 4 older dropped');
  });

  it('takes another level from Python, over that of the reader', () => {
    const { id } = show('log');
    const level = host.querySelector<HTMLSelectElement>('.nbc-level')!;
    level.value = 'error';
    level.dispatchEvent(new Event('change'));
    client.send('index', { level: 'info', message: 'one' }, { level: 'error', message: 'two' });
    pass();
    expect(texts('.nbc-text')).toEqual(['two']);
    client.send(settingsGroup(id), { options: { level: 'debug' } });
    pass();
    expect(texts('.nbc-text')).toEqual(['one', 'two']);
  });
});

describe('a table', () => {
  const rows = (): (string | null)[][] => [...host.querySelectorAll('.nbc-window .nbc-cells')].map(row => [...row.children].map(cell => cell.textContent));
  const header = (name: string): HTMLElement => [...host.querySelectorAll<HTMLElement>('[role=columnheader]')].find(cell => cell.textContent === name)!;

  it('is sorted by a click on a header: up, down, as it came', () => {
    show('table');
    client.send('index', { step: 1, t: 0, y: 2 }, { step: 2, t: 0, y: 1 }, { step: 3, t: 0, y: 3 });
    pass();
    const orders = ['ascending', 'descending', 'none'].map(order => {
      header('y').querySelector('button')!.click();
      pass();
      expect(header('y').getAttribute('aria-sort')).toBe(order);
      return rows().map(([step]) => step);
    });
    expect(orders).toEqual([['2', '1', '3'], ['3', '1', '2'], ['1', '2', '3']]);
  });

  it('is filtered, and formats numbers by column', () => {
    show('table', { format: { y: '.1f' } });
    client.send('index', { t: 0, name: 'Ada', y: 1.25 }, { t: 0, name: 'Bob', y: 2 });
    pass();
    expect(rows().map(row => row.slice(1))).toEqual([['Ada', '1.3'], ['Bob', '2.0']]);
    type('bob');
    expect([rows().length, text('.nbc-shown')]).toEqual([1, '1 of 2 rows']);
  });

  it('has only the rows in sight in the page, however many there are', () => {
    show('table');
    client.send('index', ...Array.from({ length: 2000 }, (_, i) => ({ t: i })));
    pass();
    expect(text('.nbc-shown')).toBe('2\u202f000 rows');
    expect(rows().length).toBeLessThan(60);
    expect(rows().at(-1)).toEqual(['1\u202f999']);
  });
});
