import { describe, expect, it } from 'vitest';

import { numberLabels } from '../../src/views/plot/axes';
import { describe as say, type Health } from '../../src/views/chip';
import { describeGap } from '../../src/views/feed';
import { formatDuration, formatNumber, formatTime } from '../../src/views/format';
import { isDark } from '../../src/views/theme';
import { LIVE } from './fake';

describe('numbers', () => {
  it.each([
    [0, '0'], [3, '3'], [3.14159, '3.142'], [-0.5, '−0.5000'], [17.6, '17.60'], [99.999, '100.00'], [123.456, '123.5'],
    [1234567, '1\u202f234\u202f567'], [1234.567, '1\u202f234.6'], [0.001234, '0.001234'], [1.5e12, '1.5e12'], [1e-7, '1e−7'],
    [NaN, '–'], [Infinity, '∞'], [-Infinity, '−∞']
  ])('%d is written %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('labels of an axis have equal decimals', () => {
    expect(numberLabels([0, 0.25, 0.5])).toEqual(['0.00', '0.25', '0.50']);
    expect(numberLabels([-2, 0, 2])).toEqual(['−2', '0', '2']);
    expect(numberLabels([0, 20_000, 40_000])).toEqual(['0', '20\u202f000', '40\u202f000']);
    expect(numberLabels([0, 2.5, 5])).toEqual(['0.0', '2.5', '5.0']);
    expect(numberLabels([])).toEqual([]);
  });

  it('times have the digits that the span asks for', () => {
    const noon = new Date(2026, 10, 20, 12, 0, 5, 250);
    const seconds = noon.getTime() / 1000;
    expect(formatTime(seconds, 10, noon)).toBe('12:00:05.250');
    expect(formatTime(seconds, 3600, noon)).toBe('12:00:05');
    expect(formatTime(seconds, 3600, new Date(2026, 10, 21))).toBe('2026-11-20 12:00:05');
    expect(formatTime(seconds, 1e8, noon)).toBe('2026-11-20');
    expect(formatTime(NaN, 1)).toBe('–');
  });

  it('durations', () => {
    expect([formatDuration(3.2), formatDuration(600), formatDuration(7200)]).toEqual(['3 s', '10 min', '2 h']);
  });
});

describe('the state chip', () => {
  const HEALTH: Health = { connection: LIVE, lag: 0, gaps: 0, lost: 0, paused: false, waiting: 0, ended: null, silence: null };

  it.each([
    [{}, 'live', 'good'],
    [{ connection: { ...LIVE, foreign: true } }, 'live · foreign', 'good'],
    [{ connection: { ...LIVE, foreign: true }, gaps: 1 }, 'live · foreign · gaps 1', 'warn'],
    [{ lag: 5 }, 'live', 'good'],
    [{ lag: 1234 }, 'live · lag 1\u202f234', 'busy'],
    [{ gaps: 2, lost: 30 }, 'live · gaps 2', 'warn'],
    [{ paused: true, waiting: 7 }, 'paused', 'idle'],
    [{ connection: { status: 'connecting', detail: '', code: null } }, 'connecting', 'busy'],
    [{ connection: { status: 'reconnecting', detail: '', code: 1006 }, silence: 3 }, 'reconnecting · stale', 'busy'],
    [{ connection: { status: 'offline', detail: 'No server.', code: null } }, 'offline', 'bad'],
    [{ connection: { status: 'refused', detail: 'Forbidden.', code: 4503 }, paused: true }, 'paused · refused', 'bad'],
    [{ connection: { status: 'live', detail: '', code: null, trouble: 'Redis does not answer' }, silence: 3 }, 'stale', 'warn'],
    [{ connection: { status: 'live', detail: '', code: null, trouble: 'Redis does not answer' }, paused: true }, 'paused · stale', 'warn'],
    [{ ended: 'You may not read "index".' }, 'stopped', 'bad']
  ] as const)('%j says %s', (change, text, tone) => {
    expect(say({ ...HEALTH, ...change })).toMatchObject({ text, tone });
  });

  it('explains itself', () => {
    expect(say({ ...HEALTH, gaps: 2, lost: 30 }).title).toContain('30 messages are missing');
    expect(say({ ...HEALTH, paused: true, waiting: 7 }).title).toContain('7 messages wait');
    expect(say({ ...HEALTH, connection: { status: 'refused', detail: 'Forbidden.', code: 4503 } }).title).toContain('Forbidden.');
    expect(say({ ...HEALTH, silence: 12 }).title).toContain('Last message 12 s ago');
  });
});

it('gaps are put into words', () => {
  expect(describeGap({ kind: 'gap', reason: 'trimmed', lost: 24 })).toBe('24 messages missing');
  expect(describeGap({ kind: 'gap', reason: 'tag', lost: null })).toBe('messages missing');
  expect(describeGap({ kind: 'epoch', reason: 'epoch', lost: null })).toBe('server restarted');
  expect(describeGap({ kind: 'epoch', reason: 'epoch', lost: 1 })).toBe('server restarted, 1 message missing');
});

it('dark is told by the colour, not by the name of a theme', () => {
  expect([isDark('rgb(17, 17, 17)'), isDark('rgb(255, 255, 255)'), isDark('rgba(0, 0, 0, 0)'), isDark('')]).toEqual([true, false, false, false]);
});
