import { isArrayValue, isCivil, isFrame, isInstant } from '../protocol/values';
import { formatTime, isoTime } from './format';
import { classify } from './values';

/** Any value of a message in words, on as many lines as it has itself; at most about `most` characters of it. */
export function plainText(value: unknown, most: number): string {
  const text = typeof value === 'string' ? value : typeof value === 'object' && value !== null ? written(value) : String(value ?? '–');
  return text.length > most ? `${text.slice(0, most)}… (${text.length - most} more)` : text;
}

function written(value: object): string {
  const moment = classify(value);
  if (moment.form === 'time') {
    return formatTime(moment.value, 3600);
  }
  try {
    return JSON.stringify(value, replacer) ?? '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What JSON has no words for; called before its parts are. */
function replacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') {
    return Number(value);
  }
  if (isArrayValue(value)) {
    return `${value.dtype}[${value.shape.join('×')}]`;
  }
  if (isFrame(value)) {
    return `table of ${value.rows} rows`;
  }
  if (isInstant(value)) {
    return isoTime(value.seconds);
  }
  if (isCivil(value)) {
    return `${value.kind} ${value.value}`;
  }
  return ArrayBuffer.isView(value) ? `${value.byteLength} bytes` : value;
}
