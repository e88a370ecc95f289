import { describe, expect, it } from 'vitest';

import { ArrayValue, Frame, Instant } from '../../../src/protocol/values';
import { toCsv } from '../../../src/views/csv';
import { arrange, type Wish } from '../../../src/views/table/arrangement';
import { Grid } from '../../../src/views/table/grid';
import { CHECKS, DEFAULTS, type Options } from '../../../src/views/table/options';

function grid(options: Partial<Options>, ...contents: unknown[]): Grid {
  const model = new Grid({ ...DEFAULTS, ...options });
  contents.forEach((content, i) => model.take({ content, time: 1000 + i }));
  return model;
}
const names = (model: Grid): string[] => model.columns.map(({ name }) => name);
const cells = (model: Grid): unknown[] => Array.from({ length: model.length }, (_, i) => model.at(i).gap ?? model.at(i).cells);
const f8 = (...values: number[]): ArrayValue => new ArrayValue('f8', [values.length], Float64Array.from(values));

describe('Grid', () => {
  it('a message is a row, at its time if it has none itself', () => {
    const model = grid({}, { a: 1, b: 'x' }, { b: null, c: true });
    expect(names(model)).toEqual(['message time', 'a', 'b', 'c']);
    expect(cells(model)).toEqual([[1000, 1, 'x'], [1001, null, null, 'true']]);
    expect(names(grid({}, { t: 5, a: 1 }))).toEqual(['t', 'a']);
  });

  it('a table appends its rows, arrays and lists of one length replace them', () => {
    const frame = new Frame(['n', 'name'], [f8(1, 2), ['a', 'b']]);
    expect(cells(grid({}, frame, frame))).toEqual([[1, 'a'], [2, 'b'], [1, 'a'], [2, 'b']]);
    expect(cells(grid({}, { n: f8(1, 2), tag: 'x' }, { n: f8(3), tag: 'y' }))).toEqual([[3, 'y']]);
    expect(cells(grid({ mode: 'append' }, { n: [1, 2] }, { n: [3] }))).toEqual([[1], [2], [3]]);
    expect(cells(grid({}, { name: 'a', tags: ['x', 'y'], t: 1 }))).toEqual([['a', '["x","y"]', 1]]);
  });

  it('with a key there is one row for each, and what changes is known', () => {
    const model = grid({ key: 'name' }, { name: 'a', y: 1 }, { name: 'b', y: 1 }, { name: 'a', y: 2 });
    expect(cells(model)).toEqual([['a', 2], ['b', 1]]);
    expect(model.at(0).changed).toEqual([undefined, expect.any(Number)]);
    expect(model.at(1).changed).toBeNull();
    expect(() => model.take({ content: { y: 1 }, time: 0 })).toThrow('no field "name", which tells the rows apart');
    expect(() => model.take({ content: 5, time: 0 })).toThrow('not a map of fields');
  });

  it('keeps so many rows, with a key too, and counts what went', () => {
    for (const key of [null, 'n']) {
      const model = grid({ key, rows: 10 }, ...Array.from({ length: 35 }, (_, n) => ({ n, t: 0 })));
      expect([model.length, model.dropped, model.at(0).cells[0], model.at(9).cells[0]]).toEqual([10, 25, 25, 34]);
    }
    const again = grid({ key: 'n', rows: 10 }, ...Array.from({ length: 12 }, (_, n) => ({ n })), { n: 0, y: 5 });
    expect([again.length, again.at(9).cells]).toEqual([10, [0, 5]]);
  });

  it('knows times by their kind and by their name', () => {
    const times = new ArrayValue('M8[s]', [1], BigInt64Array.of(0n));
    const model = grid({}, new Frame(['when', 'n'], [times, f8(1)]), { created_time: 1.7e12, n: 5 }, { at: new Instant(7), t: 1.7e9 });
    expect(model.columns).toEqual([
      { name: 'when', kind: 'time' }, { name: 'n', kind: 'number' }, { name: 'created_time', kind: 'time' }, { name: 'at', kind: 'time' }, { name: 't', kind: 'time' }
    ]);
    expect(cells(model)[1]).toEqual([null, 5, 1.7e9]);
    expect(cells(grid({}, { t: 1, id: 2n ** 60n }))).toEqual([[1, String(2n ** 60n)]]);
  });

  it('shows the columns that are named, in their order', () => {
    const model = grid({ columns: ['b', 'a'] }, { a: 1, b: 2, c: 3, t: 0 });
    expect([names(model), cells(model)]).toEqual([['b', 'a'], [[2, 1]]]);
    model.clear();
    expect([names(model), model.isEmpty]).toEqual([['b', 'a'], true]);
    const wide = grid({}, Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`c${i}`, i])));
    expect([wide.columns.length, wide.undrawn.get('c69')]).toEqual([64, 'more than 64 columns']);
  });

  it('shows where messages are missing, if its rows stand in time', () => {
    const model = grid({}, { t: 1 });
    model.interrupt('3 messages missing');
    expect(cells(model)).toEqual([[1], '3 messages missing']);
    const keyed = grid({ key: 't' }, { t: 1 });
    keyed.interrupt('3 messages missing');
    expect(keyed.length).toBe(1);
  });
});

describe('an arrangement', () => {
  const model = grid({}, { t: 1, y: 10, s: 'Beta' }, { t: 2, y: 'text', s: 'alpha' }, { t: 3, s: 'x' }, { t: 4, y: -5, s: 'beta' }, { t: 5, y: NaN });
  const seen = (wish: Partial<Wish>): unknown[] => arrange(model, { text: '', sort: null, ...wish }).map(row => row.cells[0]);

  it('is sorted both ways; texts stand after numbers, what is missing last', () => {
    expect(seen({ sort: { column: 'y', descending: false } })).toEqual([4, 1, 2, 3, 5]);
    expect(seen({ sort: { column: 'y', descending: true } })).toEqual([1, 4, 2, 3, 5]);
    expect(seen({ sort: { column: 'gone', descending: true } })).toEqual([1, 2, 3, 4, 5]);
  });

  it('is filtered by what stands in the cells, in any case', () => {
    expect([seen({ text: 'BETA' }), seen({ text: '10' }), seen({ text: 'none such' })]).toEqual([[1, 4], [1], []]);
  });

  it('finds times by what is shown of them', () => {
    const noon = new Date(2026, 10, 20, 12, 0, 5).getTime() / 1000;
    const timed = grid({}, { time: noon, n: 12 }, { time: noon + 3600, n: 13 });
    const found = (text: string): unknown[] => arrange(timed, { text, sort: null }).map(row => row.cells[1]);
    expect([found('12:00:05'), found('12'), found('2026-11-20'), found('13:00')]).toEqual([[12], [12], [12, 13], [13]]);
  });

  it('of any rows is a permutation in order', () => {
    let seed = 3;
    const random = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
    for (let round = 0; round < 30; round++) {
      const any = grid({}, ...Array.from({ length: 200 }, (_, t) => ({ t, y: [random(50), `${random(9)}`, null, NaN][random(4)] })));
      const descending = random(2) === 1;
      const rows = arrange(any, { text: '', sort: { column: 'y', descending } });
      expect(new Set(rows).size).toBe(200);
      const numbers = rows.map(row => row.cells[1]).filter((cell): cell is number => typeof cell === 'number' && !Number.isNaN(cell));
      expect(numbers).toEqual([...numbers].sort((a, b) => (descending ? b - a : a - b)));
      expect(rows.slice(0, numbers.length).every(row => typeof row.cells[1] === 'number')).toBe(true);
    }
  });
});

describe('CSV', () => {
  it('quotes what has to be, and lets no formula run', () => {
    const rows = [[1, 'a,b', 'say "x"'], [NaN, null, undefined], [-5, '=1+1', '@cmd'], [10n, true, 'two\nlines']];
    expect(toCsv(['n', '=a', 'c'], rows)).toBe(
      'n,\'=a,c\r\n1,"a,b","say ""x"""\r\n,,\r\n-5,\'=1+1,\'@cmd\r\n10,true,"two\nlines"\r\n'
    );
  });
});

it.each([['rows', 5], ['rows', 1e7], ['key', 5], ['columns', []], ['format', 'x'], ['mode', 'both']] as const)('%s %j is refused in words', (name, value) => {
  expect(() => CHECKS[name](value, name)).toThrow(/^Option "/);
});
