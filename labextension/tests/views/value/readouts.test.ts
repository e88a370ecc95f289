import { describe, expect, it } from 'vitest';

import { ArrayValue, Frame, Instant } from '../../../src/protocol/values';
import { formatAs } from '../../../src/views/formats';
import { curveOf } from '../../../src/views/value/curve';
import { CHECKS, DEFAULTS } from '../../../src/views/value/options';
import { Readouts } from '../../../src/views/value/readouts';
import { MOST_SAMPLES, Track } from '../../../src/views/value/track';
import { stateOf, wordsOf } from '../../../src/views/value/words';

function taking(fields: readonly string[] | null, ...contents: unknown[]): Readouts {
  const model = new Readouts(fields);
  contents.forEach((content, i) => model.take({ content, time: 1000 + i }));
  return model;
}
const latest = (model: Readouts): Record<string, number | string> =>
  Object.fromEntries([...model.tracks].map(([name, track]) => [name, track.text ?? track.latest]));

describe('Readouts', () => {
  it('show every number, and name what is none', () => {
    const model = taking(null, { t: 5, cpu: 1, host: 'a', on: true }, { cpu: 2.5, extra: {} });
    expect(latest(model)).toEqual({ cpu: 2.5, on: 1 });
    expect([...model.undrawn]).toEqual([['host', 'text'], ['extra', 'map']]);
  });

  it('show what is named, texts and times too, in the order of the names', () => {
    const model = taking(['state', 'cpu', 'none'], { cpu: 1, other: 2, state: 'up' }, { state: 'down' });
    expect(latest(model)).toEqual({ state: 'down', cpu: 1 });
    expect([...model.tracks.keys()]).toEqual(['state', 'cpu']);
    expect(taking(['at'], { at: new Instant(1e9) }).tracks.get('at')?.text).toMatch(/^2001-09-/);
  });

  it('take the newest of arrays and tables, and the way there', () => {
    const numbers = (...values: number[]): ArrayValue => new ArrayValue('f8', [values.length], Float64Array.from(values));
    const model = taking(null, { loss: [3, 2, 1] }, new Frame(['loss'], [numbers(0.5, 0.25)]));
    expect(model.tracks.get('loss')?.values).toEqual([3, 2, 1, 0.5, 0.25]);
  });

  it('a number that goes missing is missing; a field that never was one takes no place', () => {
    const model = taking(null, { a: 1, b: null }, { a: null });
    expect(latest(model)).toEqual({ a: NaN });
  });

  it('a message that is no map is an error in words', () => {
    expect(() => taking(null, 5)).toThrow('not a map of fields');
  });

  it('bound how many they show', () => {
    const model = taking(null, Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, i])));
    expect(model.tracks.size).toBe(24);
    expect(model.undrawn.get('f24')).toBe('more than 24 values');
    model.clear();
    expect([model.isEmpty, model.undrawn.size]).toEqual([true, 0]);
  });
});

describe('Track', () => {
  const tracking = (...values: number[]): Track => {
    const track = new Track();
    values.forEach((value, i) => track.push(value, i));
    return track;
  };

  it('compares with the value before, the first, or that of a time ago', () => {
    const track = tracking(10, 20, NaN, 40, 50);
    expect(track.reference('previous')).toEqual({ value: 40, time: 3 });
    expect(track.reference('first')).toEqual({ value: 10, time: 0 });
    expect(track.reference({ seconds: 2 })).toEqual({ value: 20, time: 1 });
    expect(track.reference({ seconds: 100 })).toEqual({ value: 10, time: 0 });
    expect(tracking(1).reference('previous')).toBeNull();
  });

  it('is bounded, and its gaps stay where they are', () => {
    const track = new Track();
    for (let i = 0; i < 5 * MOST_SAMPLES; i++) {
      if (i === 5 * MOST_SAMPLES - 10) {
        track.interrupt();
      }
      track.push(i, i);
      expect(track.values.length).toBeLessThanOrEqual(2 * MOST_SAMPLES);
    }
    const [gap] = [...track.gaps];
    expect(track.values[gap as number]).toBe(5 * MOST_SAMPLES - 10);
    expect(track.reference('first')).toEqual({ value: 0, time: 0 });
  });

  it('a window is so many samples, or so much time', () => {
    const track = tracking(...Array.from({ length: 20 }, (_, i) => i));
    expect([track.startOf(null), track.startOf({ points: 5 }), track.startOf({ seconds: 4 })]).toEqual([0, 15, 15]);
  });

  it('is drawn with a break where values or messages are missing', () => {
    const track = tracking(0, 1);
    track.interrupt();
    track.push(2, 2);
    track.push(NaN, 3);
    track.push(4, 4);
    const { line, gaps } = curveOf(track, null);
    expect(line.match(/M/g)).toHaveLength(3);
    expect(gaps).toBe('M112.5 0V40');
    expect(curveOf(tracking(1), null).line).toBe('');
    expect(curveOf(tracking(NaN, NaN), null).line).toBe('');
    expect(curveOf(tracking(3, 3), null).line).toBe('M0.0 20.0L300.0 20.0');
  });

  it('a curve of many samples has few points, and keeps the extremes', () => {
    const values = Array.from({ length: 4000 }, (_, i) => (i === 1234 ? 100 : i === 2345 ? -100 : Math.sin(i)));
    const { line } = curveOf(tracking(...values), null);
    expect(line.match(/[ML]/g)!.length).toBeLessThan(320);
    expect(line).toContain(' 2.0L');
    expect(line).toContain(' 38.0L');
    expect(line).not.toContain('NaN');
  });
});

describe('words', () => {
  const track = new Track();
  track.push(80, 1000);
  track.push(84.5, 1060);

  it('have number, unit, change and state, by field', () => {
    const options = { ...DEFAULTS, unit: { cpu: '%' }, format: '.1f', warn: { cpu: 80 }, alarm: 95 };
    expect(wordsOf('cpu', track, options)).toEqual({
      value: '84.5', unit: '%', change: '4.5', trend: 'up', since: 'since the last', state: { tone: 'warning', text: 'warning ≥\u202f80' }
    });
    expect(wordsOf('__proto__', track, options)).toMatchObject({ unit: '', state: null });
    expect(wordsOf('cpu', track, { ...DEFAULTS, since: { seconds: 60 } }).since).toBe('in 60 s');
    expect(wordsOf('cpu', track, { ...DEFAULTS, since: { seconds: 600 } }).since).toMatch(/^since /);
  });

  it.each([
    [79, 80, 95, null], [80, 80, 95, 'warning'], [95, 80, 95, 'alarm'], [95, null, 95, 'alarm'], [5, 20, 10, 'alarm'], [15, 20, 10, 'warning'],
    [25, 20, 10, null], [NaN, 20, 10, null], [5, null, null, null]
  ] as const)('%d with warning %j and alarm %j is %j', (value, warn, alarm, tone) => {
    expect(stateOf(value, warn, alarm)?.tone ?? null).toBe(tone);
  });

  it.each([
    [1234.567, '.2f', '1234.57'], [1234.567, ',.1f', '1\u202f234.6'], [0.256, '.1%', '25.6%'], [1234.5, ',d', '1\u202f235'], [-3, '+.1f', '−3.0'],
    [3, '+.1f', '+3.0'], [12345, '.2e', '1.23e+4'], [0.000123456, '.3g', '0.000123'], [NaN, '.2f', '–'], [2.5, null, '2.500'], [2.5, ',', '2.5']
  ])('%d as %j is %s', (value, format, text) => {
    expect(formatAs(value, format)).toBe(text);
  });
});

describe('options', () => {
  it.each([
    ['format', '<b>'], ['format', ''], ['unit', 5], ['unit', { a: 5 }], ['warn', 'hot'], ['warn', { a: Infinity }], ['since', 'soon'],
    ['since', { points: 5 }], ['since', null], ['alarm', []], ['unit', Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, '%']))]
  ] as const)('%s %j is refused in words', (name, value) => {
    expect(() => CHECKS[name](value, name)).toThrow(/^Option "/);
  });
});
