import { describe, expect, it } from 'vitest';

import { Api } from '../../src/inspector/api';
import { MessagesModel, NO_FILTER } from '../../src/inspector/panels/messages/model';
import { isRedacted, Redaction } from '../../src/inspector/redact';
import { Settings } from '../../src/inspector/settings';
import { FakeClient, FakePace, LIVE, LOST, settle } from './fake';

const row = (number: number, preview: unknown = { y: number }, name = 'g'): unknown[] => [number, 'group', name, 100 + number, 3, 20, 'json', number, preview, null];

describe('messages', () => {
  const make = (tail: (args: Readonly<Record<string, unknown>>) => unknown): { client: FakeClient; pace: FakePace; model: MessagesModel; settings: Settings } => {
    const client = new FakeClient({ tail: () => ({ top: 0 }), tail_read: tail });
    const pace = new FakePace();
    const settings = new Settings();
    return { client, pace, settings, model: new MessagesModel(new Api(client), settings, pace, () => pace.now) };
  };

  it('come newest first, at most two questions in a second', async () => {
    let top = 0;
    const { client, pace, model } = make(() => ({ top: (top += 2), missed: 0, rows: [row(top - 1), row(top)] }));
    model.start();
    await pace.pass(2.2);
    expect(client.count('tail_read')).toBeLessThanOrEqual(5);
    expect(model.rows.slice(0, 3).map(({ number }) => number)).toEqual([top, top - 1, top - 2]);
    expect(client.calls.at(-1)?.args.after).toBe(top - 2);
  });

  it('count what was left out, but not what was there before anyone looked', async () => {
    let top = 100;
    const { pace, model } = make(() => ({ top: (top += 100), missed: 98, rows: [row(top)] }));
    model.start();
    await settle();
    expect(model.missed).toBe(0);
    await pace.pass(0.5);
    expect(model.missed).toBe(98);
  });

  it('are no more than the settings say', async () => {
    let top = 0;
    const { pace, model, settings } = make(() => ({ top: (top += 50), missed: 0, rows: Array.from({ length: 50 }, (_, i) => row(top - 49 + i)) }));
    settings.update({ messages: 60 });
    model.start();
    await pace.pass(3);
    expect(model.rows).toHaveLength(60);
  });

  it('stand still while paused, and the server keeps them meanwhile', async () => {
    const { client, pace, model } = make(({ after }) => ({ top: 9, missed: 0, rows: Number(after) < 9 ? [row(9)] : [] }));
    model.paused = true;
    model.start();
    await pace.pass(20);
    expect(client.count('tail_read')).toBe(0);
    expect(client.count('tail')).toBeGreaterThanOrEqual(4);
    expect(client.count('tail')).toBeLessThanOrEqual(7);
    model.paused = false;
    await pace.pass(0.1);
    expect(model.rows).toHaveLength(1);
  });

  it('begin anew with another filter; an answer to the last one is not taken', async () => {
    let answer = (): unknown => ({ top: 5, missed: 0, rows: [row(5)] });
    const { client, pace, model } = make(() => answer());
    model.start();
    await settle();
    expect(model.rows).toHaveLength(1);
    answer = () => ({ top: 6, missed: 0, rows: [row(6, {}, 'other')] });
    model.filter = { ...NO_FILTER, name: 'oth*', least: 10 };
    expect(model.rows).toHaveLength(0);
    await pace.pass(0.1);
    expect(client.calls.at(-1)?.args).toMatchObject({ after: 0, name: 'oth*', least: 10, text: null, sender: null, kind: null });
    expect(model.rows.map(({ name }) => name)).toEqual(['other']);
  });

  it('of a restarted server are new ones, whatever their numbers', async () => {
    let top = 500;
    let rows = [row(500)];
    const { client, pace, model } = make(() => ({ top, missed: 0, rows }));
    client.methods.tail = () => ({ top });
    model.start();
    await settle();
    client.become(LOST);
    top = 1;
    rows = [[1, 'group', 'g', 900, 3, 20, 'json', 1, {}, null]];
    client.become(LIVE);
    await pace.pass(1);
    expect(model.rows.map(({ number }) => number)).toEqual([1, 500]);
  });

  it('say for how long nobody looked', async () => {
    let top = 0;
    const { pace, model } = make(() => ({ top: (top += 1), missed: 0, rows: [row(top)] }));
    model.start();
    await pace.pass(1);
    model.stop();
    await pace.pass(40);
    model.start();
    expect(model.unwatched).toBe(40);
    model.clear();
    expect(model.unwatched).toBeNull();
  });

  it('hide what the settings name, in previews, in the tree, and the bytes with it', async () => {
    const { client, model, settings } = make(() => ({ top: 1, missed: 0, rows: [row(1, { user: 'a', api_key: 'k', deep: [{ PASSWORD: 'p' }] })] }));
    model.start();
    await settle();
    settings.update({ redact: ['*key', 'pass*'] });
    expect(model.rows[0]?.preview).toEqual({ user: 'a', api_key: '•••', deep: [{ PASSWORD: '•••' }] });
    client.methods.inspect_message = () => ({ message: { api_key: 'k' }, omitted: null, hex: '6b' });
    const told = await model.whole(model.rows[0]!);
    expect(told).toEqual({ message: { api_key: '•••' }, omitted: null, hex: '' });
  });
});

describe('redaction', () => {
  it('knows globs, and takes all else as it stands', () => {
    const redaction = new Redaction(['a.b', 'x?', ' ', '(*']);
    expect(redaction.apply({ 'a.b': 1, axb: 2, xy: 3, x: 4, '(y': 5 })).toEqual({ 'a.b': '•••', axb: 2, xy: '•••', x: 4, '(y': '•••' });
    expect(new Redaction([]).isOff).toBe(true);
  });

  it('is seen in a value', () => {
    expect(isRedacted({ a: [1, { b: '•••' }] })).toBe(true);
    expect(isRedacted({ a: [1, null, 'x•••'] })).toBe(false);
  });

  it('takes __proto__ for a key like others', () => {
    const told = new Redaction(['secret']).apply(JSON.parse('{"__proto__": {"secret": 1}}')) as object;
    expect(JSON.stringify(told)).toBe('{"__proto__":{"secret":"•••"}}');
  });
});
