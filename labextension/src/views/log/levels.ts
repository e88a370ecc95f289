export type LevelName = 'debug' | 'info' | 'warning' | 'error' | 'critical';

/** Levels by name, as numbers of Python's logging. */
export const LEVELS: ReadonlyMap<LevelName, number> = new Map([['debug', 10], ['info', 20], ['warning', 30], ['error', 40], ['critical', 50]]);

const ALIASES: ReadonlyMap<string, LevelName> = new Map<string, LevelName>([
  ['trace', 'debug'], ['notice', 'info'], ['warn', 'warning'], ['err', 'error'], ['exception', 'error'], ['fatal', 'critical']
]);
const LONGEST = 10;

/** A level as a line has it: what it is called, and how bad it is. */
export interface Level {
  readonly label: string;
  readonly number: number;
}

/** What a message calls its level; null: none that one could show. */
export function levelOf(value: unknown): Level | null {
  if (typeof value === 'number' && Number.isFinite(value)) {
    const name = [...LEVELS].reverse().find(([, number]) => value >= number)?.[0] ?? 'debug';
    return { label: name.toUpperCase(), number: value };
  }
  if (typeof value !== 'string' || value.length > LONGEST) {
    return null;
  }
  const word = value.trim().toLowerCase();
  const name = (ALIASES.get(word) ?? word) as LevelName;
  const number = LEVELS.get(name);
  return word === '' ? null : { label: name.toUpperCase(), number: number ?? 20 };
}

/** How a level is coloured. */
export function toneOf(number: number): 'quiet' | 'plain' | 'warn' | 'bad' {
  return number < 20 ? 'quiet' : number < 30 ? 'plain' : number < 40 ? 'warn' : 'bad';
}
