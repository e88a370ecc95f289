/** How numbers and times are written in a view. */

/** A number in at most about eight characters. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? '–' : value > 0 ? '∞' : '−∞';
  }
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) {
    return minus(value.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e'));
  }
  // Digits after the point stay when they are zero: a live value shall not jump in width.
  const digits = Number.isInteger(value) ? 0 : size >= 1000 ? 1 : Math.max(0, 4 - Math.ceil(Math.log10(size)));
  return minus(grouped(value.toFixed(Math.min(digits, 7))));
}

/** Thousands set apart by a thin space. */
export function grouped(number: string): string {
  return number.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, '\u202f');
}

/** A count with thin spaces. */
export function formatCount(count: number): string {
  return grouped(String(count));
}

/** A moment: the time of day, with as many digits as `span` (seconds on show) asks for, and the date when it is not today's. */
export function formatTime(seconds: number, span: number, now: Date = new Date()): string {
  if (!Number.isFinite(seconds)) {
    return '–';
  }
  const date = new Date(seconds * 1000);
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  if (span > 86_400 * 60) {
    return day;
  }
  let time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (span <= 86_400) {
    time += `:${two(date.getSeconds())}`;
  }
  if (span <= 60) {
    time += `.${String(date.getMilliseconds()).padStart(3, '0')}`;
  }
  return date.toDateString() === now.toDateString() ? time : `${day} ${time}`;
}

/** A moment for machines; nothing for what is none. */
export function isoTime(seconds: number): string {
  return Math.abs(seconds) <= 8.64e12 ? new Date(seconds * 1000).toISOString() : '';
}

/** A duration in words a reader takes in at a glance. */
export function formatDuration(seconds: number): string {
  if (seconds < 90) {
    return `${Math.round(seconds)} s`;
  }
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function minus(text: string): string {
  return text.replace('-', '−');
}
