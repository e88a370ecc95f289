import { isFrame } from '../../protocol/values';
import type { Arrival, ViewModel } from '../kind';
import { plainText } from '../plaintext';
import { classify, columnAt, entriesOf } from '../values';
import { type Level, levelOf } from './levels';

/** Characters of one line, of a logger's name. */
const LONGEST_LINE = 20_000;
const LONGEST_NAME = 80;
/** What terminals take for colours and the like. */
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[ -/]*[@-~]`, 'g');

/** One line of a log. */
export interface Line {
  /** Rises from line to line. */
  readonly number: number;
  /** Seconds since 1970. */
  readonly time: number;
  /** null: it has none. */
  readonly level: Level | null;
  readonly logger: string;
  readonly text: string;
  /** The fields beside it, in words. */
  readonly more: string;
  /** Messages are missing here; `text` says so. */
  readonly isGap: boolean;
}

/** The newest lines of a group, so many at most. */
export class Lines implements ViewModel {
  version = 0;
  messages = 0;
  /** Lines that had to go, the oldest first. */
  dropped = 0;
  /** How many of the lines only say that messages are missing. */
  gaps = 0;
  readonly notice = null;
  private lines: Line[] = [];
  private start = 0;
  private count = 0;

  /** @param most - how many lines are kept */
  constructor(readonly most: number) {}

  get isEmpty(): boolean {
    return this.length === 0;
  }

  get length(): number {
    return this.lines.length - this.start;
  }

  /** The line at a place, the oldest at 0. */
  at(index: number): Line {
    return this.lines[this.start + index] as Line;
  }

  /** Take in one message: a line, or of a table one for each row. */
  take({ content, time }: Arrival): void {
    this.messages += 1;
    if (isFrame(content)) {
      const { names, columns } = content;
      for (let row = 0; row < content.rows; row++) {
        this.add(recordOf(names.map((name, i) => [name, columnAt(columns[i], row)]), time));
      }
    } else {
      this.add(recordOf(entriesOf(content) ?? [['message', content]], time));
    }
  }

  interrupt(text: string): void {
    this.gaps += 1;
    this.add({ time: NaN, level: null, logger: '', text, more: '', isGap: true });
  }

  clear(): void {
    this.lines = [];
    this.start = this.messages = this.dropped = this.gaps = 0;
    this.version += 1;
  }

  private add(line: Omit<Line, 'number'>): void {
    this.version += 1;
    this.lines.push({ ...line, number: (this.count += 1) });
    if (this.length > this.most) {
      const { isGap } = this.at(0);
      this.gaps -= Number(isGap);
      this.dropped += Number(!isGap);
      this.start += 1;
      if (this.start >= this.most) {
        this.lines = this.lines.slice(this.start);
        this.start = 0;
      }
    }
  }
}

/** Read a log record, or whatever else a message may be. */
function recordOf(entries: readonly (readonly [string, unknown])[], time: number): Omit<Line, 'number'> {
  const fields = new Map(entries);
  const pick = (...names: string[]): unknown => {
    const name = names.find(one => fields.has(one));
    const value = name === undefined ? undefined : fields.get(name);
    if (name !== undefined) {
      fields.delete(name);
    }
    return value;
  };
  const known = ['level', 'levelname', 'severity', 'levelno'].find(name => levelOf(fields.get(name)) !== null);
  const level = known === undefined ? null : levelOf(pick(known));
  const text = pick('message', 'msg', 'text', 'line');
  const isRecord = level !== null && text !== undefined;
  const logger = isRecord ? pick('logger', 'name') : pick('logger');
  const when = timeOf(pick('time', 'timestamp', 'created', 't'));
  const trace = isRecord ? pick('exc', 'exc_text', 'traceback') : undefined;
  if (isRecord && String(fields.get('type')).startsWith('log')) {
    fields.delete('type');
  }
  const said = [text, trace].filter(part => part !== undefined && part !== null).map(part => plainText(part, LONGEST_LINE));
  return {
    time: when ?? time,
    level,
    logger: logger === undefined || logger === null ? '' : clean(plainText(logger, LONGEST_NAME)),
    text: clean(said.join('\n')),
    more: clean([...fields].map(([name, value]) => `${name}=${plainText(value, 500)}`).join(' ').slice(0, LONGEST_LINE)),
    isGap: false
  };
}

/** A moment in seconds since 1970; null: it is none. */
function timeOf(value: unknown): number | null {
  const seen = classify(value);
  if (seen.form === 'time') {
    return seen.value;
  }
  const number = seen.form === 'number' ? seen.value : seen.form === 'text' ? Date.parse(seen.value) : NaN;
  return number > 1e9 && number < 1e11 ? number : number > 1e11 && number < 1e14 ? number / 1000 : null;
}

function clean(text: string): string {
  return text.replace(ESCAPES, '').replace(/\r\n?/g, '\n').trimEnd();
}
