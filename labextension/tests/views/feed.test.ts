import { describe, expect, it, vi } from 'vitest';

import { Feed } from '../../src/views/feed';
import { PLOT } from '../../src/views/plot/kind';
import { DEFAULTS, type Options } from '../../src/views/plot/options';
import type { Model } from '../../src/views/plot/runs';
import { FakeClient } from './fake';

function open(options: Partial<Options> = {}): { client: FakeClient; feed: Feed<Options, Model>; changed: ReturnType<typeof vi.fn>; latest: () => number | undefined } {
  const client = new FakeClient();
  const changed = vi.fn();
  const feed = new Feed(client, 'index', PLOT, { ...DEFAULTS, ...options }, changed);
  feed.open();
  return { client, feed, changed, latest: () => feed.model.current.series.get('y')?.latest };
}

describe('Feed', () => {
  it.each([
    [null, 'earliest'],
    [0, 'now'],
    [50, { last: 50 }]
  ])('history %j asks for %j', (history, since) => {
    expect(open({ history }).client.subscriptions[0]?.options).toEqual({ since, mode: 'log' });
  });

  it('takes messages in and says that something changed', () => {
    const { client, feed, changed, latest } = open();
    client.send('index', { y: 1 }, { y: 2 });
    expect([feed.model.messages, latest(), changed.mock.calls.length]).toEqual([2, 2, 1]);
  });

  it('a message it cannot read is told in words; the others go on', () => {
    const { client, feed, latest } = open();
    client.send('index', new Error('a head of 9 bytes in a body of 3'), { y: 2 });
    expect(feed.problem).toBe('Message 1 is not drawn: a head of 9 bytes in a body of 3');
    expect(latest()).toBe(2);
    client.send('index', new Error('odd'));
    expect(feed.problem).toContain('(2 messages so far)');
  });

  it('while paused messages and gaps wait, in order', () => {
    const { client, feed, latest } = open();
    client.send('index', { y: 1 });
    feed.paused = true;
    client.send('index', { y: 2 });
    client.interrupt('index', { kind: 'gap', reason: 'trimmed', lost: 4 });
    client.send('index', { y: 3 });
    expect([latest(), feed.waiting, feed.gaps]).toEqual([1, 3, 0]);
    feed.paused = false;
    expect([latest(), feed.waiting, feed.gaps, feed.lost, feed.model.gaps.length]).toEqual([3, 0, 1, 4, 1]);
  });

  it('what waits is bounded: the oldest half is taken in, nothing is lost', () => {
    const { client, feed } = open();
    feed.paused = true;
    client.send('index', ...Array.from({ length: 25_000 }, (_, step) => ({ step, y: step })));
    expect(feed.waiting).toBeLessThanOrEqual(10_000);
    feed.paused = false;
    expect(feed.model.current.series.get('y')?.ring.length).toBe(25_000);
  });

  it('cleared empties it, a restart is a gap', () => {
    const { client, feed } = open();
    client.send('index', { y: 1 });
    client.interrupt('index', { kind: 'epoch', reason: 'epoch', lost: null });
    client.send('index', { y: 2 });
    expect([feed.gaps, feed.model.gaps[0]?.text]).toEqual([1, 'server restarted']);
    client.interrupt('index', { kind: 'epoch', reason: 'cleared', lost: null });
    expect([feed.model.isEmpty, feed.gaps]).toEqual([true, 0]);
  });

  it('knows why it ended, and forgets it when it stands again', () => {
    const { client, feed } = open();
    const [listener] = client.of('index');
    listener?.ended?.({ code: 'forbidden', message: 'You may not read "index".' });
    expect(feed.stopped).toBe('You may not read "index".');
    listener?.subscribed?.({ epoch: '0', top: 1, recovered: true });
    expect(feed.stopped).toBeNull();
  });

  it('reads again with other options, with one subscription', () => {
    const { client, feed } = open();
    client.send('index', { a: 1, b: 2 });
    feed.reopen({ ...DEFAULTS, y: ['b'] });
    expect([client.subscriptions.length, feed.model.isEmpty]).toEqual([1, true]);
    client.send('index', { a: 1, b: 2 });
    expect([...feed.model.current.series.keys()]).toEqual(['b']);
    feed.dispose();
    expect(client.subscriptions).toEqual([]);
  });
});
