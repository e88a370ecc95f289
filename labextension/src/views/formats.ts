import { show, SpecificationError } from './checks';
import { formatNumber, grouped } from './format';

/** The part of Python's format specifications that numbers on a page need: `[+][,][.digits][d|e|f|g|%]`. */
const FORM = /^(\+?)(,?)(?:\.(\d{1,2}))?([defg%]?)$/;

/** A format that is understood, as an option. Throws `SpecificationError`. */
export function numberFormat(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '' || !FORM.test(value)) {
    throw new SpecificationError(`Option "${name}" must be a number format such as ".2f", ",d", ".1%" or ".3g", not ${show(value)}.`);
  }
  return value;
}

/** A number as `format` says; null: what a reader takes in at a glance. */
export function formatAs(value: number, format: string | null): string {
  const found = format === null ? null : FORM.exec(format);
  if (found === null || !Number.isFinite(value)) {
    return formatNumber(value);
  }
  const [, sign, comma, digits, type] = found;
  const places = digits === undefined ? 6 : Math.min(Number(digits), 20);
  const written = spell(value, type ?? '', places, digits === undefined);
  const signed = sign === '+' && value >= 0 ? `+${written}` : written;
  return (comma === ',' ? grouped(signed) : signed).replace('-', '−');
}

function spell(value: number, type: string, places: number, free: boolean): string {
  switch (type) {
    case 'd':
      return String(Math.round(value));
    case 'e':
      return value.toExponential(places);
    case '%':
      return `${(value * 100).toFixed(places)}%`;
    case 'f':
      return value.toFixed(places);
    default:
      return free && type === '' ? String(value) : String(Number(value.toPrecision(Math.max(1, places))));
  }
}
