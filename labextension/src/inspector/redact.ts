/** What shall not be seen: values whose keys match a glob. */

export const HIDDEN = '•••';

export class Redaction {
  private readonly patterns: readonly RegExp[];

  /** @param globs - of keys, with `*` and `?`; upper and lower case are the same */
  constructor(globs: readonly string[]) {
    this.patterns = globs.filter(glob => glob.trim() !== '').map(toPattern);
  }

  get isOff(): boolean {
    return this.patterns.length === 0;
  }

  /** The value without what matches. */
  apply(value: unknown): unknown {
    if (this.isOff || typeof value !== 'object' || value === null) {
      return value;
    }
    if (Array.isArray(value)) {
      return value.map(item => this.apply(item));
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, this.patterns.some(pattern => pattern.test(key)) ? HIDDEN : this.apply(item)])
    );
  }
}

/** A message as the reader may see it: the bytes would show what the tree hides. */
export function redacted<Whole extends { readonly message: unknown; readonly hex: string }>(redaction: Redaction, told: Whole): Whole {
  const message = redaction.apply(told.message);
  return { ...told, message, hex: isRedacted(message) ? '' : told.hex };
}

/** Whether something in it was hidden, here or on the server. */
export function isRedacted(value: unknown): boolean {
  if (value === HIDDEN) {
    return true;
  }
  return typeof value === 'object' && value !== null && Object.values(value).some(isRedacted);
}

/** A glob with `*` and `?` as a pattern; upper and lower case are the same. */
export function toPattern(glob: string): RegExp {
  const body = [...glob.trim()].map(one => (one === '*' ? '.*' : one === '?' ? '.' : one.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')));
  return new RegExp(`^${body.join('')}$`, 'isu');
}
