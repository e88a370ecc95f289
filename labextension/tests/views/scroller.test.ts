// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from 'vitest';

import { Scroller } from '../../src/views/scroller';

const HEIGHT = 20;
const ROOM = 100;

let scroller: Scroller;
let top: number;
let first: number;
let length: number;

/** happy-dom has no layout: here is what the scroller asks for. */
beforeEach(() => {
  top = first = length = 0;
  scroller = new Scroller(true, () => document.createElement('div'), 'line');
  const { element } = scroller;
  Object.defineProperties(element, {
    clientHeight: { get: () => ROOM },
    scrollHeight: { get: () => length * HEIGHT },
    scrollTop: { get: () => top, set: (value: number) => (top = Math.max(0, Math.min(value, length * HEIGHT - ROOM))) }
  });
});

/** Rows that are called by their number, from `from` on. */
function show(from: number, count: number): void {
  first = from;
  length = count;
  scroller.show({ length, height: HEIGHT, key: index => first + index, fill: (row, index) => void (row.textContent = String(first + index)) });
}

function scroll(to: number): void {
  scroller.element.scrollTop = to;
  scroller.element.dispatchEvent(new Event('scroll'));
}

const rows = (): number[] => [...scroller.element.querySelectorAll('.nbc-window > *')].map(row => Number(row.textContent));
const seen = (): number => first + top / HEIGHT;

describe('Scroller', () => {
  it('stays at the end while rows come and go', () => {
    show(0, 50);
    expect([seen(), scroller.jump.hidden, rows().at(-1)]).toEqual([45, true, 49]);
    show(30, 50);
    expect([seen(), rows().at(-1)]).toEqual([75, 79]);
  });

  it('keeps the row of who has scrolled up, and counts what is new', () => {
    show(0, 50);
    scroll(200);
    expect([scroller.follows, scroller.jump.textContent]).toEqual([false, '↓ to the end']);
    show(0, 51);
    expect([seen(), scroller.jump.textContent]).toEqual([10, '↓ 1 new line']);
    show(5, 70);
    expect([seen(), scroller.jump.textContent]).toEqual([10, '↓ 25 new lines']);
    expect(rows()).toContain(10);
    // What was read has gone: the oldest there is.
    show(40, 50);
    expect(seen()).toBe(40);
    scroller.jump.click();
    expect([scroller.follows, scroller.jump.hidden, seen()]).toEqual([true, true, 85]);
  });

  it('follows again as soon as one is at the end', () => {
    show(0, 50);
    scroll(0);
    scroll(50 * HEIGHT);
    expect([scroller.follows, scroller.jump.hidden]).toEqual([true, true]);
  });

  it('has in the page what is in sight, in order, wherever one is', () => {
    let seed = 5;
    const random = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
    for (let round = 0; round < 100; round++) {
      show(random(1000), 1 + random(1000));
      if (random(2) === 0) {
        scroll(random(length * HEIGHT));
        show(first, length);
      }
      const shown = rows();
      expect(shown).toEqual([...shown].sort((a, b) => a - b));
      expect(new Set(shown).size).toBe(shown.length);
      expect(shown.length).toBeLessThan(30);
      const from = Math.floor(seen());
      for (let row = from; row < Math.min(from + ROOM / HEIGHT, first + length); row++) {
        expect(shown).toContain(row);
      }
    }
  });

  it('of nothing shows nothing', () => {
    show(0, 10);
    show(0, 0);
    scroll(0);
    expect([rows(), scroller.jump.hidden]).toEqual([[], true]);
  });
});
