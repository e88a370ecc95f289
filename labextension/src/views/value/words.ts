import { settingOf } from '../checks';
import { formatDuration, formatNumber, formatTime } from '../format';
import { formatAs } from '../formats';
import type { Options, Since } from './options';
import type { Track } from './track';

/** How bad a value is, and why, in words. */
export interface State {
  readonly tone: 'warning' | 'alarm';
  readonly text: string;
}

/** What stands in a tile. */
export interface Words {
  readonly value: string;
  readonly unit: string;
  /** The change with its sign, and what it is counted from; empty: there was nothing before. */
  readonly change: string;
  readonly trend: 'up' | 'down' | 'level';
  readonly since: string;
  readonly state: State | null;
}

/** Put the newest value of a field into words. */
export function wordsOf(name: string, track: Track, options: Options): Words {
  const format = settingOf(options.format, name);
  const unit = settingOf(options.unit, name) ?? '';
  const reference = track.reference(options.since);
  const change = reference === null || track.text !== null ? NaN : track.latest - reference.value;
  return {
    value: track.text ?? formatAs(track.latest, format),
    unit: track.text === null ? unit : '',
    change: Number.isNaN(change) ? '' : formatAs(Math.abs(change), format?.replace('+', '') || null),
    trend: change > 0 ? 'up' : change < 0 ? 'down' : 'level',
    since: reference === null ? '' : sinceWords(options.since, reference.time, track.time),
    state: stateOf(track.latest, settingOf(options.warn, name), settingOf(options.alarm, name))
  };
}

function sinceWords(since: Since, from: number, to: number): string {
  if (typeof since === 'object' && to - from >= since.seconds) {
    return `in ${formatDuration(since.seconds)}`;
  }
  return since === 'previous' ? 'since the last' : `since ${formatTime(from, 3600)}`;
}

/** Which threshold a value has reached. An alarm below the warning means: the lower the worse. */
export function stateOf(value: number, warn: number | null, alarm: number | null): State | null {
  const falls = warn !== null && alarm !== null && alarm < warn;
  const reached = (limit: number | null): limit is number => limit !== null && (falls ? value <= limit : value >= limit);
  const sign = falls ? '≤' : '≥';
  if (reached(alarm)) {
    return { tone: 'alarm', text: `alarm ${sign}\u202f${formatNumber(alarm)}` };
  }
  return reached(warn) ? { tone: 'warning', text: `warning ${sign}\u202f${formatNumber(warn)}` } : null;
}
