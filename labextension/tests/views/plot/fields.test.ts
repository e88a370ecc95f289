import { describe, expect, it } from 'vitest';

import { ArrayValue, Civil, Frame, Instant } from '../../../src/protocol/values';
import { readInitial, readMessage, UndrawableError, type Reading } from '../../../src/views/plot/fields';
import { DEFAULTS, type Options } from '../../../src/views/plot/options';

const read = (content: unknown, options: Partial<Options> = {}): Reading => readMessage(content, 1000, { ...DEFAULTS, ...options });
const f8 = (...values: number[]): ArrayValue => new ArrayValue('f8', [values.length], Float64Array.from(values));
const names = (reading: Reading): string[] => reading.columns.map(({ name }) => name);
const list = (values: ArrayLike<number> | readonly string[] | null): unknown[] | null => (values === null ? null : Array.from(values as ArrayLike<unknown>));

describe('a message of single numbers', () => {
  it('appends a point at the time of the message', () => {
    const reading = read({ cpu: 1, on: true, big: 2n, gone: null });
    expect([reading.how, reading.axis, reading.axisName, list(reading.x)]).toEqual(['append', 'time', 'message time', [1000]]);
    expect(reading.columns.map(({ name, values }) => [name, values[0]])).toEqual([['cpu', 1], ['on', 1], ['big', 2], ['gone', NaN]]);
  });

  it('names what it does not draw', () => {
    const reading = read({ y: 1, type: 'a', tags: ['b'], inner: {}, raw: new Uint8Array(2), odd: [{}] });
    expect(reading.undrawn).toEqual([['type', 'text'], ['tags', 'list of text'], ['inner', 'map'], ['raw', 'bytes'], ['odd', 'list of map']]);
  });

  it.each(['t', 'time', 'timestamp', 'step'])('takes field %s for x', name => {
    const reading = read({ y: 5, [name]: 3 });
    expect([reading.axis, reading.axisName, list(reading.x), names(reading)]).toEqual(['number', name, [3], ['y']]);
  });

  it('prefers t to step, and says so', () => {
    const reading = read({ step: 4, t: 3, y: 1 });
    expect([reading.axisName, names(reading), reading.undrawn]).toEqual(['t', ['y'], [['step', 'x is t']]]);
  });

  it.each([
    ['t', 1.7e9, 'time', 1.7e9],
    ['timestamp', 1.7e12, 'time', 1.7e9],
    ['t', 12.5, 'number', 12.5],
    ['step', 1.7e9, 'number', 1.7e9]
  ])('reads %s = %d as %s', (name, value, axis, x) => {
    const reading = read({ [name]: value, y: 1 });
    expect([reading.axis, list(reading.x)]).toEqual([axis, [x]]);
  });

  it('knows dates', () => {
    expect(list(read({ t: new Instant(5.5), y: 1 }).x)).toEqual([5.5]);
    expect(list(read({ at: new Date(7000), y: 1 }).x)).toEqual([7]);
    const naive = read({ when: new Civil('datetime', 3_600_000_000n), y: 1 });
    expect([naive.axis, list(naive.x)]).toEqual(['time', [new Date(1970, 0, 1, 1).getTime() / 1000]]);
    expect(read({ y: new Civil('timedelta', 2_500_000) }).columns[0]?.values[0]).toBe(2.5);
  });

  it('does what the options say', () => {
    expect(list(read({ a: 1, b: 2 }, { x: 'b' }).x)).toEqual([2]);
    expect(names(read({ a: 1, b: 2, c: 3 }, { y: ['c', 'a'] }))).toEqual(['c', 'a']);
    expect(read({ a: 1 }, { mode: 'replace' }).how).toBe('replace');
    const labelled = read({ day: 'Mon', y: 2 }, { x: 'day' });
    expect([labelled.axis, labelled.x]).toEqual(['labels', ['Mon']]);
    expect(() => read({ a: 1 }, { x: 'b' })).toThrow(UndrawableError);
  });
});

describe('a time beside an x that was chosen', () => {
  it('is not drawn: it would flatten all others', () => {
    const rows = new Frame(['step', 'time', 'loss'], [f8(0, 1), f8(1.7e9, 1.7e9), f8(3, 2)]);
    const reading = read(rows, { x: 'step' });
    expect([reading.axisName, names(reading), reading.undrawn]).toEqual(['step', ['loss'], [['time', 'x is step']]]);
    expect(names(read({ step: 1, time: 1.7e9, loss: 3 }, { x: 'step' }))).toEqual(['loss']);
  });

  it('is drawn if it was asked for, or if it is no time of day', () => {
    expect(names(read({ step: 1, time: 1.7e9 }, { x: 'step', y: ['time'] }))).toEqual(['time']);
    expect(names(read({ step: 1, t: 20, loss: 3 }, { x: 'step' }))).toEqual(['t', 'loss']);
  });
});

it('finds nothing to draw or to name in a notification', () => {
  const reading = read({ type: 'nbchannels.notification', text: 'it has ended', level: 'info', epochs: 5 });
  expect([reading.columns, reading.undrawn]).toEqual([[], []]);
});

describe('a message of arrays', () => {
  it('replaces the series', () => {
    const reading = read({ type: 'websocket.ingest', text: [6, 3, null, 2.5] });
    expect([reading.how, reading.axis, reading.x, names(reading)]).toEqual(['replace', 'rows', null, ['text']]);
    expect(list(reading.columns[0]!.values)).toEqual([6, 3, NaN, 2.5]);
    expect(reading.undrawn).toEqual([['type', 'text']]);
  });

  it('has an array of equal length for x', () => {
    const reading = read({ t: f8(1, 2, 3), y: f8(4, 5, 6), odd: f8(1, 2), n: 1 });
    expect([list(reading.x), names(reading)]).toEqual([[1, 2, 3], ['y']]);
    expect(reading.undrawn).toEqual([['n', 'a single number beside arrays'], ['odd', '2 values, t has 3']]);
  });

  it('has labels for x', () => {
    expect(read({ text: [1, 2] }, { x: ['Mon', 'Tue'] })).toMatchObject({ axis: 'labels', x: null });
    expect(read({ day: ['a', 'b'], y: [1, 2] }, { x: 'day' })).toMatchObject({ axis: 'labels', x: ['a', 'b'] });
  });

  it('reads all kinds of arrays', () => {
    const big = new ArrayValue('i8', [2], BigInt64Array.of(1n, -2n));
    const flags = new ArrayValue('b1', [2], Uint8Array.of(0, 1));
    const square = new ArrayValue('f8', [1, 2], Float64Array.of(1, 2));
    const reading = read({ big, flags, square });
    expect(reading.columns.map(({ values }) => list(values))).toEqual([[1, -2], [0, 1]]);
    expect(reading.undrawn).toEqual([['square', 'array of 2 dimensions']]);
  });

  it('reads datetime64 as the digits that Python prints, NaT as missing', () => {
    const times = new ArrayValue('M8[ns]', [2], BigInt64Array.of(86_400_000_000_000n, -(2n ** 63n)));
    const reading = read({ when: times, y: [1, 2] });
    expect([reading.axis, reading.axisName, list(reading.x)]).toEqual(['time', 'when', [new Date(1970, 0, 2).getTime() / 1000, NaN]]);
  });

  it('appends on demand', () => {
    expect(read({ y: [1, 2] }, { mode: 'append' }).how).toBe('append');
  });
});

describe('a table', () => {
  it('appends its rows', () => {
    const reading = read(new Frame(['step', 'loss', 'name'], [f8(0, 1), f8(5, 4), ['a', 'b']]));
    expect([reading.how, reading.axisName, list(reading.x), names(reading)]).toEqual(['append', 'step', [0, 1], ['loss']]);
    expect(reading.undrawn).toEqual([['name', 'list of text']]);
  });

  it('counts its rows without an x', () => {
    expect(read(new Frame(['a'], [f8(1, 2)]))).toMatchObject({ how: 'append', axis: 'rows', x: null });
  });
});

describe('anything else', () => {
  it.each([[3], ['text'], [null], [[1, 2]], [new Uint8Array(3)]])('%s is an error in words', content => {
    expect(() => read(content)).toThrow('not a map');
  });

  it('starting values are arrays', () => {
    const reading = readInitial({ ...DEFAULTS, initial: { text: [6, 3] }, x: ['Mon', 'Tue'] });
    expect(reading).toMatchObject({ how: 'replace', axis: 'labels', columns: [{ name: 'text', values: [6, 3] }] });
    expect(readInitial(DEFAULTS)).toBeNull();
  });
});
