import { describe, expect, it } from 'vitest';

import { ArrayValue, Civil, Frame, Instant } from '../../../src/protocol/values';
import { levelOf } from '../../../src/views/log/levels';
import { type Line, Lines } from '../../../src/views/log/lines';
import { CHECKS } from '../../../src/views/log/options';
import { rowsOf } from '../../../src/views/log/presentation';
import { Selection } from '../../../src/views/log/selection';
import { plainText } from '../../../src/views/plaintext';

function lines(most: number, ...contents: unknown[]): Lines {
  const model = new Lines(most);
  contents.forEach((content, i) => model.take({ content, time: 1000 + i }));
  return model;
}
const line = (content: unknown): Line => lines(10, content).at(0);
const texts = (model: Pick<Lines, 'length' | 'at'>): string[] => Array.from({ length: model.length }, (_, i) => model.at(i).text);

describe('a line', () => {
  it('is a log record', () => {
    expect(line({ type: 'log.record', level: 'warn', message: 'disk full', logger: 'app.db', time: 1.7e9, user: 'ada' })).toEqual({
      number: 1, time: 1.7e9, level: { label: 'WARNING', number: 30 }, logger: 'app.db', text: 'disk full', more: 'user=ada', isGap: false
    });
  });

  it('is whatever else a message may be', () => {
    expect(line({ step: 3, loss: 0.5, tags: ['a'] })).toMatchObject({ level: null, time: 1000, text: '', more: 'step=3 loss=0.5 tags=["a"]' });
    expect(line({ text: 'hello' })).toMatchObject({ text: 'hello', more: '' });
    expect(line('plain')).toMatchObject({ text: 'plain' });
    expect(line({ level: 0.7, name: 'x' })).toMatchObject({ level: { number: 0.7 }, more: 'name=x' });
    expect(line({})).toMatchObject({ text: '', more: '' });
  });

  it('has the time that the record says, in whatever way', () => {
    expect(line({ message: 'a', created: 1.7e12 }).time).toBe(1.7e9);
    expect(line({ message: 'a', timestamp: '2026-11-21T06:00:00Z' }).time).toBe(Date.UTC(2026, 10, 21, 6) / 1000);
    expect(line({ message: 'a', time: new Instant(1.5e9) }).time).toBe(1.5e9);
    expect(line({ message: 'a', time: 'soon' }).time).toBe(1000);
  });

  it('keeps its lines and its traceback, and loses what only terminals understand', () => {
    expect(line({ level: 'error', message: '\u001b[31mred\u001b[0m\r\nmore\n', exc: 'Traceback\n  1/0' }).text).toBe('red\nmore\n\nTraceback\n  1/0');
  });

  it('is bounded', () => {
    const { text, more } = line({ message: 'x'.repeat(50_000), extra: 'y'.repeat(5_000) });
    expect(text).toMatch(/^x{20000}… \(30000 more\)$/);
    expect(more).toMatch(/… \(4500 more\)$/);
  });

  it('is a row of a table', () => {
    const frame = new Frame(['level', 'message', 'n'], [['info', 'error'], ['one', 'two'], new ArrayValue('i8', [2], BigInt64Array.of(1n, 2n))]);
    const model = lines(10, frame);
    expect([model.at(0), model.at(1)]).toMatchObject([{ text: 'one', more: 'n=1' }, { text: 'two', level: { label: 'ERROR' } }]);
  });
});

describe('levels', () => {
  it.each([
    ['INFO', 'INFO', 20], ['Warn', 'WARNING', 30], ['fatal', 'CRITICAL', 50], [40, 'ERROR', 40], [35, 'WARNING', 35], [5, 'DEBUG', 5], ['audit', 'AUDIT', 20],
    ['err', 'ERROR', 40]
  ])('%j is %s', (value, label, number) => {
    expect(levelOf(value)).toEqual({ label, number });
  });

  it.each([[''], [null], [undefined], [NaN], ['far too long to be one'], [{}]])('%j is none', value => {
    expect(levelOf(value)).toBeNull();
  });
});

describe('Lines', () => {
  it('keep the newest, and count what went', () => {
    const model = lines(10, ...Array.from({ length: 37 }, (_, i) => ({ text: `${i}` })));
    expect([model.length, model.dropped, texts(model)[0], texts(model)[9]]).toEqual([10, 27, '27', '36']);
    model.clear();
    expect([model.isEmpty, model.dropped]).toEqual([true, 0]);
  });

  it('show where messages are missing', () => {
    const model = lines(10, { text: 'a' });
    model.interrupt('5 messages missing');
    expect(model.at(1)).toMatchObject({ text: '5 messages missing', isGap: true, number: 2 });
  });
});

describe('Selection', () => {
  const wish = (text: string, level = 0): { text: string; level: number } => ({ text, level });

  it('is what matches words and level, in any case; gaps always', () => {
    const model = lines(10, { level: 'debug', message: 'One' }, { level: 'error', message: 'two', logger: 'ONE' }, { text: 'none' }, { step: 1 });
    model.interrupt('gap');
    const selection = new Selection();
    const seen = (w: { text: string; level: number }): string[] => {
      selection.update(model, w);
      return texts(selection);
    };
    expect(seen(wish('one'))).toEqual(['One', 'two', 'none', 'gap']);
    expect(seen(wish('', 20))).toEqual(['two', 'none', '', 'gap']);
    expect(seen(wish('step=1'))).toEqual(['', 'gap']);
    expect(seen(wish('ONE', 30))).toEqual(['two', 'gap']);
  });

  it('kept up step by step is what it would be made anew', () => {
    let seed = 7;
    const random = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
    for (const wanted of [wish(''), wish('1'), wish('', 30)]) {
      const model = new Lines(50);
      const kept = new Selection();
      for (let round = 0; round < 300; round++) {
        for (let i = random(30); i > 0; i--) {
          model.take({ content: { level: random(60), message: `${random(100)}` }, time: 0 });
        }
        if (random(40) === 0) {
          model.clear();
        }
        kept.update(model, wanted);
        const anew = new Selection();
        expect(anew.update(model, wanted)).toBe(true);
        expect(texts(kept)).toEqual(texts(anew));
        expect(kept.length).toBeLessThanOrEqual(50);
      }
    }
  });
});

it('the rows that a line takes', () => {
  const of = (text: string, columns: number): number => rowsOf({ ...line({ text: 'x' }), text, more: '', logger: '' }, columns);
  expect([of('', 10), of('a'.repeat(30), Infinity), of('a\nb\n', Infinity), of('a'.repeat(25), 10), of(`${'a'.repeat(15)}\nb`, 10)]).toEqual([1, 1, 3, 3, 3]);
});

it('any value has words', () => {
  const big = { a: 1n, array: new ArrayValue('f8', [2, 3], new Float64Array(6)), when: new Civil('timedelta', 5), bytes: new Uint8Array(3), at: new Instant(0) };
  expect(plainText(big, 500)).toBe('{"a":1,"array":"f8[2×3]","when":"timedelta 5","bytes":"3 bytes","at":"1970-01-01T00:00:00.000Z"}');
  expect([plainText(null, 5), plainText(true, 5), plainText(1.5, 5), plainText('abcdefgh', 3)]).toEqual(['–', 'true', '1.5', 'abc… (5 more)']);
  expect(plainText(new Instant(NaN), 50)).toBe('–');
});

it.each([['lines', 5], ['lines', 1.5], ['lines', 1e9], ['level', 'loud'], ['wrap', 'yes']] as const)('%s %j is refused in words', (name, value) => {
  expect(() => CHECKS[name](value, name)).toThrow(/^Option "/);
});
