/** How sizes, rates and ages are written in the inspector. */

import { formatCount } from '../../views/format';

const THIN = '\u202f';

/** A size in bytes, in at most about seven characters. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) {
    return `${bytes}${THIN}B`;
  }
  for (const [unit, size] of [['kB', 1e3], ['MB', 1e6], ['GB', 1e9]] as const) {
    const value = bytes / size;
    if (value < 999.5 || unit === 'GB') {
      return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}${THIN}${unit}`;
    }
  }
  return '';
}

/** Messages per second; nothing is a dash, so that what moves is seen. */
export function formatRate(rate: number): string {
  if (rate <= 0) {
    return '–';
  }
  if (rate < 0.05) {
    return `<${THIN}0.1/s`;
  }
  return `${rate < 9.95 ? rate.toFixed(1) : formatCount(Math.round(rate))}/s`;
}

/** How long ago, at a glance. */
export function formatAge(seconds: number): string {
  if (seconds < 1.5) {
    return 'now';
  }
  const [value, unit] = largest(seconds);
  return `${value}${THIN}${unit}`;
}

/** A short time: what a call or a consumer took. */
export function formatSpan(seconds: number): string {
  if (seconds < 0.0995) {
    const ms = seconds * 1000;
    return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)}${THIN}ms`;
  }
  if (seconds < 9.95) {
    return `${seconds.toFixed(1)}${THIN}s`;
  }
  const [value, unit] = largest(seconds);
  return `${value}${THIN}${unit}`;
}

function largest(seconds: number): [number, string] {
  if (seconds < 90) {
    return [Math.round(seconds), 's'];
  }
  if (seconds < 5400) {
    return [Math.round(seconds / 60), 'min'];
  }
  return seconds < 129_600 ? [Math.round(seconds / 3600), 'h'] : [Math.round(seconds / 86_400), 'd'];
}

/** The time of day with tenths. */
export function formatClock(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${Math.floor(date.getMilliseconds() / 100)}`;
}

/** The last part of a notebook's path: what people call it. */
export function baseName(path: string): string {
  return path.slice(path.replace(/[/\\]+$/, '').search(/[^/\\]*$/));
}

/** Date and time in full, for titles. */
export function formatMoment(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString();
}
