import { describe, expect, it } from 'vitest';

import { readInitial, readMessage } from '../../../src/views/plot/fields';
import { MAX_POINTS } from '../../../src/views/plot/ring';
import { Model } from '../../../src/views/plot/runs';
import { DEFAULTS, type Options } from '../../../src/views/plot/options';
import { ArrayValue, Frame } from '../../../src/protocol/values';

/** A model and a way to feed it. */
function plot(options: Partial<Options> = {}): { model: Model; send: (content: unknown, time?: number) => void } {
  const all = { ...DEFAULTS, ...options };
  const model = new Model(Array.isArray(all.x) ? (all.x as readonly string[]) : null, all.y);
  const initial = readInitial(all);
  if (initial !== null) {
    model.start(initial);
  }
  return { model, send: (content, time = 1000) => model.apply(readMessage(content, time, all)) };
}

function points(model: Model, name: string, run = model.runs.length - 1): [number, number][] {
  const ring = model.runs[run]?.series.get(name)?.ring;
  return ring === undefined ? [] : Array.from({ length: ring.length }, (_, i) => [ring.x(ring.start + i), ring.y(ring.start + i)]);
}

describe('appending', () => {
  it('each field is a series of its own: what a message leaves out is no break', () => {
    const { model, send } = plot();
    send({ a: 1 }, 1);
    send({ b: 2 }, 2);
    send({ a: 3, b: null }, 3);
    expect(points(model, 'a')).toEqual([[1, 1], [3, 3]]);
    expect(points(model, 'b')).toEqual([[2, 2], [3, NaN]]);
    expect([model.names, model.axisName]).toEqual([['a', 'b'], 'message time']);
  });

  it('draws twelve series and names the others', () => {
    const { model, send } = plot();
    send(Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`s${i}`, i])));
    expect(model.names).toHaveLength(12);
    expect([...model.undrawn]).toEqual([['s12', 'more than 12 series'], ['s13', 'more than 12 series']]);
  });

  it('a field becomes a series when its first number comes', () => {
    const { model, send } = plot();
    send({ y: null, z: 'text' });
    expect([model.names, [...model.undrawn]]).toEqual([[], [['z', 'text']]]);
    send({ y: 1, z: 2 });
    expect([model.names, model.undrawn.size]).toEqual([['y', 'z'], 0]);
  });

  it('keeps the order that was asked for', () => {
    const { model, send } = plot({ y: ['b', 'a'] });
    send({ a: 1, b: 2, c: 3 });
    expect([model.names, [...model.current.series.keys()], model.undrawn.size]).toEqual([['b', 'a'], ['b', 'a'], 0]);
  });

  it('rows of a table are put in order', () => {
    const { model, send } = plot();
    send(new Frame(['step', 'y'], [new ArrayValue('f8', [3], Float64Array.of(3, NaN, 1)), [30, 0, 10]]));
    expect(points(model, 'y')).toEqual([[1, 10], [3, 30]]);
    expect(model.notice).toContain('1 points without step');
    expect(model.current.number).toBe(1);
  });

  it('rows without an x count on', () => {
    const { model, send } = plot({ mode: 'append' });
    send({ y: [5, 6] });
    send({ y: [7] });
    expect(points(model, 'y')).toEqual([[0, 5], [1, 6], [2, 7]]);
  });
});

describe('runs', () => {
  it('begin when x goes back, and three old ones stay', () => {
    const { model, send } = plot();
    for (let run = 0; run < 6; run++) {
      for (let step = 0; step < 20; step++) {
        send({ step, loss: run });
      }
    }
    expect(model.runs.map(run => run.number)).toEqual([3, 4, 5, 6]);
    expect(points(model, 'loss')).toHaveLength(20);
    expect(model.notice).toBeNull();
  });

  it('a repeated x is no step back', () => {
    const { model, send } = plot();
    send({ step: 1, y: 1 });
    send({ step: 1, y: 2 });
    expect([model.current.number, points(model, 'y')]).toEqual([1, [[1, 1], [1, 2]]]);
  });

  it('a time a little late goes in its place, a much older one starts a run', () => {
    const { model, send } = plot();
    send({ t: 1.7e9, y: 1 });
    send({ t: 1.7e9 + 2, y: 2 });
    send({ t: 1.7e9 + 1, y: 3 });
    expect([model.current.number, points(model, 'y').map(([, y]) => y)]).toEqual([1, [1, 3, 2]]);
    send({ t: 1.7e9 - 60, y: 4 });
    expect([model.current.number, points(model, 'y')]).toEqual([2, [[1.7e9 - 60, 4]]]);
  });

  it('says so when two senders make x jump', () => {
    const { model, send } = plot();
    for (let i = 0; i < 30; i++) {
      send({ step: i % 2 === 0 ? 1000 + i : i, y: i });
    }
    expect(model.notice).toContain('Do several senders');
  });

  it('another kind of x starts over, and says so', () => {
    const { model, send } = plot();
    send({ y: 1 });
    send({ step: 0, y: 2 });
    expect([model.axis, points(model, 'y'), model.notice]).toEqual([
      'number', [[0, 2]], 'x changed from message time to step: what came before is not shown.'
    ]);
  });
});

describe('replacing', () => {
  const DAYS = ['Mon', 'Tue', 'Wed'];

  it('the weekly chart of the article', () => {
    const { model, send } = plot({ x: DAYS, initial: { text: [6, 3, 10] } });
    expect(points(model, 'text')).toEqual([[0, 6], [1, 3], [2, 10]]);
    send({ type: 'websocket.ingest', text: [1, 2, 3] });
    expect(points(model, 'text')).toEqual([[0, 1], [1, 2], [2, 3]]);
    expect([model.labels, model.current.number, [...model.undrawn]]).toEqual([DAYS, 1, [['type', 'text']]]);
  });

  it('starting values yield to what comes first, silently', () => {
    const { model, send } = plot({ initial: { y: [1, 2] } });
    send({ y: 3 });
    expect([points(model, 'y'), model.notice]).toEqual([[[1000, 3]], null]);
  });

  it('single numbers walk along the labels, and a full round starts a run', () => {
    const { model, send } = plot({ x: DAYS });
    [1, 2, 3, 4].forEach(y => send({ y }));
    expect([points(model, 'y', 0), points(model, 'y', 1)]).toEqual([[[0, 1], [1, 2], [2, 3]], [[0, 4]]]);
  });

  it('a text field for x: the newest value of each label', () => {
    const { model, send } = plot({ x: 'city' });
    send({ city: 'Bern', n: 1 });
    send({ city: 'Rome', n: 2 });
    send({ city: 'Bern', n: 3 });
    expect([model.labels, points(model, 'n'), model.current.number]).toEqual([['Bern', 'Rome'], [[0, 3], [1, 2]], 1]);
  });

  it('a whole new set of labels takes the place of the old', () => {
    const { model, send } = plot({ x: 'city' });
    send({ city: ['a', 'b'], n: [1, 2] });
    send({ city: ['c'], n: [3] });
    expect([model.labels, points(model, 'n')]).toEqual([['c'], [[0, 3]]]);
  });

  it('unordered x is drawn as it is', () => {
    const { model, send } = plot({ x: 'a' });
    send({ a: [3, 1, 2], b: [1, 2, 3] });
    expect(points(model, 'b')).toEqual([[3, 1], [1, 2], [2, 3]]);
    expect(model.current.series.get('b')?.ascending).toBe(false);
  });

  it('mode replace keeps the newest number only', () => {
    const { model, send } = plot({ mode: 'replace' });
    send({ y: 1 }, 1);
    send({ y: 2 }, 2);
    expect(points(model, 'y')).toEqual([[2, 2]]);
  });
});

describe('gaps', () => {
  it('break the line and leave a band', () => {
    const { model, send } = plot();
    send({ y: 1 }, 10);
    model.interrupt('3 messages missing');
    model.interrupt('server restarted');
    send({ y: 2 }, 20);
    expect(model.gaps).toEqual([{ from: 10, to: 20, text: '3 messages missing; server restarted' }]);
    expect(points(model, 'y').map(([, y]) => y)).toEqual([1, NaN, NaN, 2]);
  });

  it('before the first point there is nothing to mark', () => {
    const { model, send } = plot();
    model.interrupt('server restarted');
    send({ y: 2 }, 20);
    expect(model.gaps).toEqual([]);
  });

  it('clear empties all', () => {
    const { model, send } = plot();
    send({ y: 1, type: 'a' });
    model.clear();
    expect([model.isEmpty, model.names, model.undrawn.size, model.axis]).toEqual([true, [], 0, null]);
  });
});

it('holds a million points at most, over all runs', () => {
  const { model, send } = plot();
  const rows = 400_000;
  const column = (from: number): ArrayValue => new ArrayValue('f8', [rows], Float64Array.from({ length: rows }, (_, i) => from + i));
  for (let run = 0; run < 3; run++) {
    send(new Frame(['step', 'a', 'b'], [column(0), column(0), column(0)]));
    send(new Frame(['step', 'a', 'b'], [column(rows), column(0), column(0)]));
  }
  expect(model.runs.reduce((sum, run) => sum + run.points, 0)).toBeLessThanOrEqual(MAX_POINTS);
  expect(points(model, 'a')).toHaveLength(MAX_POINTS / 2);
});
