import { describe, expect, it } from 'vitest';

import { SpecificationError } from '../../src/views/checks';
import { KINDS } from '../../src/views/kinds';
import { PLOT } from '../../src/views/plot/kind';
import { DEFAULTS } from '../../src/views/plot/options';
import { mergeOptions, needsReread, parseSpecification } from '../../src/views/specification';

const SPECIFICATION = { version: 1, id: '0123456789abcdef', group: 'index', kind: 'plot', options: {} };

describe('a specification', () => {
  it('has defaults', () => {
    expect(parseSpecification(SPECIFICATION, KINDS)).toEqual({ ...SPECIFICATION, options: DEFAULTS });
  });

  it('takes every option', () => {
    const options = {
      x: ['Mon', 'Tue'], y: ['cpu'], line: 'bar', window: { seconds: 60 }, mode: 'append', initial: { cpu: [1, 2.5] }, history: 0,
      title: 'A <b>title</b>', height: 400, y_label: '%', x_label: 'day', y_range: [0, 100], paused: true
    };
    expect(parseSpecification({ ...SPECIFICATION, options }, KINDS).options).toEqual(options);
    expect(parseSpecification({ ...SPECIFICATION, options: { y: 'text', window: { points: 5 } } }, KINDS).options).toMatchObject({ y: ['text'], window: { points: 5 } });
  });

  it.each([
    [null, 'must be a map'],
    [[], 'must be a map'],
    [{ ...SPECIFICATION, version: 2 }, 'another version of nbchannels'],
    [{ ...SPECIFICATION, kind: '<img>' }, 'cannot draw a view of kind "<img>"'],
    [{ ...SPECIFICATION, id: '../etc' }, '16 hexadecimal digits'],
    [{ ...SPECIFICATION, group: 'a/b' }, "view's group must be"],
    [{ ...SPECIFICATION, group: 'a'.repeat(100) }, "view's group must be"],
    [{ ...SPECIFICATION, url: 'x' }, 'unknown field "url"'],
    [{ ...SPECIFICATION, options: { colour: 'red' } }, 'Unknown option "colour"; the options are: x, y,'],
    [{ ...SPECIFICATION, options: { constructor: 1 } }, 'Unknown option'],
    [{ ...SPECIFICATION, options: JSON.parse('{"__proto__": {}}') as unknown }, 'Unknown option'],
    [{ ...SPECIFICATION, options: { x: 3 } }, 'Option "x" must be text'],
    [{ ...SPECIFICATION, options: { x: [] } }, 'a list of 1 to 1000 texts'],
    [{ ...SPECIFICATION, options: { y: [1] } }, 'Option "y" must be text'],
    [{ ...SPECIFICATION, options: { line: 'pie' } }, 'one of line, step, scatter, bar, not "pie"'],
    [{ ...SPECIFICATION, options: { window: { seconds: -1 } } }, 'window.seconds'],
    [{ ...SPECIFICATION, options: { window: { points: 1.5 } } }, 'a whole number'],
    [{ ...SPECIFICATION, options: { window: '5 min' } }, 'must be a map'],
    [{ ...SPECIFICATION, options: { window: { seconds: 1, points: 1 } } }, '{"seconds": N} or {"points": N}'],
    [{ ...SPECIFICATION, options: { initial: { a: ['1'] } } }, 'a list of numbers'],
    [{ ...SPECIFICATION, options: { history: -1 } }, 'from 0'],
    [{ ...SPECIFICATION, options: { title: 'x'.repeat(201) } }, 'at most 200 characters'],
    [{ ...SPECIFICATION, options: { height: 1e9 } }, 'from 80 to 4000'],
    [{ ...SPECIFICATION, options: { y_range: [2, 1] } }, 'the lowest first'],
    [{ ...SPECIFICATION, options: { y_range: [0, Infinity] } }, 'y_range'],
    [{ ...SPECIFICATION, options: { paused: 1 } }, 'true or false']
  ])('%j is refused in words', (value, words) => {
    expect(() => parseSpecification(value, KINDS)).toThrow(SpecificationError);
    expect(() => parseSpecification(value, KINDS)).toThrow(words);
  });

  it('an error is short however long the value', () => {
    const options = { x: { a: 'b'.repeat(10_000) } };
    expect(() => parseSpecification({ ...SPECIFICATION, options }, KINDS)).toThrow(/^.{1,200}$/);
  });
});

describe('changes', () => {
  it('are laid over options, all or none', () => {
    const before = mergeOptions(PLOT, DEFAULTS, { title: 'a', window: { seconds: 5 } });
    expect(mergeOptions(PLOT, before, { window: null })).toEqual({ ...before, window: null });
    expect(() => mergeOptions(PLOT, before, { title: 'b', height: 'tall' })).toThrow('"height"');
  });

  it('only some of them need the messages again', () => {
    const change = (changes: unknown): boolean => needsReread(PLOT, DEFAULTS, mergeOptions(PLOT, DEFAULTS, changes));
    expect([change({ y: ['a'] }), change({ x: 'b' }), change({ mode: 'append' })]).toEqual([true, true, true]);
    expect([change({ window: { points: 3 } }), change({ title: 'b' }), change({ paused: true })]).toEqual([false, false, false]);
  });
});
