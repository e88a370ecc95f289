import { isArrayValue } from '../../protocol/values';
import type { Arrival, ViewModel } from '../kind';
import { plainText } from '../plaintext';
import { classify, columnAt, columnsOf, entriesOf, TIME_LIKE } from '../values';
import type { Options } from './options';

const MOST_COLUMNS = 64;
const MOST_NAMED = 50;
const LONGEST_CELL = 500;
/** What the time of a message is called, as in a plot. */
const MESSAGE_TIME = 'message time';

/** What stands in a cell; times are seconds since 1970. */
export type Cell = number | string | null;

export interface Column {
  readonly name: string;
  /** What its first value was: `time` and `number` are numbers. */
  readonly kind: 'time' | 'number' | 'text' | null;
}

export interface Row {
  /** Rises from row to row. */
  readonly number: number;
  /** By column; those that came later may be missing at the end. */
  readonly cells: Cell[];
  /** When each cell was changed, by `performance.now()`; null: never since it came. */
  changed: number[] | null;
  /** Messages are missing here; in words. */
  readonly gap?: string;
}

type Shape = Pick<Options, 'key' | 'columns' | 'mode' | 'rows'>;
type Entries = readonly (readonly [string, unknown])[];

/** The rows of a group, so many at most; with a key one for each value of it. */
export class Grid implements ViewModel {
  readonly columns: Column[] = [];
  /** Fields that are not shown, and why. */
  readonly undrawn = new Map<string, string>();
  version = 0;
  messages = 0;
  /** Rows that had to go, the oldest first. */
  dropped = 0;
  /** How many of the rows only say that messages are missing. */
  gaps = 0;
  readonly notice = null;
  private rows: Row[] = [];
  private start = 0;
  private count = 0;
  private readonly places = new Map<string, number>();
  private readonly keyed = new Map<Cell, Row>();

  constructor(readonly shape: Shape) {
    for (const name of shape.columns ?? []) {
      this.placeOf(name, null);
    }
  }

  get isEmpty(): boolean {
    return this.length === 0;
  }

  get length(): number {
    return this.rows.length - this.start;
  }

  /** The row at a place, the oldest at 0. */
  at(index: number): Row {
    return this.rows[this.start + index] as Row;
  }

  /** Take in one message. Throws an error in words. */
  take({ content, time }: Arrival): void {
    this.messages += 1;
    this.version += 1;
    const table = columnsOf(content);
    const entries = table ?? entriesOf(content);
    if (entries === null) {
      throw new Error('The message is not a map of fields.');
    }
    const { key, mode } = this.shape;
    const length = table === null ? lengthOf(entries) : Math.max(0, ...entries.map(([, column]) => sizeOf(column) ?? 0));
    if ((mode ?? (table === null && length !== null ? 'replace' : 'append')) === 'replace') {
      this.empty();
    }
    if (length === null) {
      const isTimed = key !== null || entries.some(([name]) => TIME_LIKE.test(name));
      this.add(isTimed ? entries : [[MESSAGE_TIME, new Date(time * 1000)], ...entries]);
      return;
    }
    for (let row = 0; row < length; row++) {
      this.add(entries.map(([name, column]) => [name, sizeOf(column) === null ? column : columnAt(column, row)]));
    }
  }

  interrupt(text: string): void {
    this.version += 1;
    if (this.shape.key === null && !this.isEmpty) {
      this.gaps += 1;
      this.push({ number: (this.count += 1), cells: [], changed: null, gap: text });
    }
  }

  clear(): void {
    this.version += 1;
    this.messages = this.dropped = 0;
    this.empty();
    this.undrawn.clear();
    if (this.shape.columns === null) {
      this.columns.length = 0;
      this.places.clear();
    }
  }

  private empty(): void {
    this.rows = [];
    this.start = this.gaps = 0;
    this.keyed.clear();
  }

  private add(entries: Entries): void {
    const { key } = this.shape;
    let row: Row | undefined;
    if (key !== null) {
      const value = entries.find(([name]) => name === key)?.[1];
      if (value === undefined) {
        throw new Error(`It has no field "${key}", which tells the rows apart (key=).`);
      }
      const cell = cellOf(value);
      row = this.keyed.get(cell);
      if (row === undefined) {
        row = this.newRow();
        this.keyed.set(cell, row);
      } else {
        row.changed ??= [];
      }
    }
    row ??= this.newRow();
    for (const [name, value] of entries) {
      const place = this.placeOf(name, value);
      if (place !== null) {
        this.put(row, place, cellOf(value));
      }
    }
  }

  private put(row: Row, place: number, cell: Cell): void {
    const seconds = this.columns[place]?.kind === 'time' && typeof cell === 'number' && cell > 1e11 ? cell / 1000 : cell;
    while (row.cells.length < place) {
      row.cells.push(null);
    }
    if (row.changed !== null && !Object.is(row.cells[place], seconds)) {
      row.changed[place] = performance.now();
    }
    row.cells[place] = seconds;
  }

  private newRow(): Row {
    const row = { number: (this.count += 1), cells: [], changed: null };
    this.push(row);
    return row;
  }

  private push(row: Row): void {
    this.rows.push(row);
    if (this.length <= this.shape.rows) {
      return;
    }
    const isGap = this.at(0).gap !== undefined;
    this.gaps -= Number(isGap);
    this.dropped += Number(!isGap);
    this.start += 1;
    if (this.shape.key !== null) {
      const [oldest] = this.keyed.keys();
      this.keyed.delete(oldest as Cell);
    }
    if (this.start >= this.shape.rows) {
      this.rows = this.rows.slice(this.start);
      this.start = 0;
    }
  }

  /** The place of a column; null: it is not shown. A new one is decided on by its first value. */
  private placeOf(name: string, value: unknown): number | null {
    const known = this.places.get(name);
    if (known !== undefined) {
      if (this.columns[known]?.kind === null) {
        this.columns[known] = { name, kind: kindOf(name, value) };
      }
      return known;
    }
    if (this.shape.columns !== null && !this.shape.columns.includes(name)) {
      return null;
    }
    if (this.columns.length >= MOST_COLUMNS) {
      if (this.undrawn.size < MOST_NAMED) {
        this.undrawn.set(name, `more than ${MOST_COLUMNS} columns`);
      }
      return null;
    }
    this.places.set(name, this.columns.length);
    return this.columns.push({ name, kind: kindOf(name, value) }) - 1;
  }
}

/** Rows of a message that is columns: arrays, or nothing but lists of one length; null: it is one row. */
function lengthOf(entries: Entries): number | null {
  const sizes = entries.map(([, value]) => sizeOf(value));
  const [first] = sizes;
  const areLists = first !== undefined && first !== null && sizes.every(size => size === first);
  return areLists || entries.some(([, value]) => isArrayValue(value) && value.shape.length === 1) ? Math.max(...sizes.map(size => size ?? 0)) : null;
}

function sizeOf(value: unknown): number | null {
  return Array.isArray(value) ? value.length : isArrayValue(value) && value.shape.length === 1 ? value.values.length : null;
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) {
    return null;
  }
  if (typeof value === 'boolean') {
    return String(value);
  }
  const seen = typeof value === 'bigint' && !Number.isSafeInteger(Number(value)) ? null : classify(value);
  return seen !== null && (seen.form === 'number' || seen.form === 'time') ? seen.value : plainText(value, LONGEST_CELL);
}

function kindOf(name: string, value: unknown): Column['kind'] {
  const cell = cellOf(value);
  if (typeof cell !== 'number') {
    return cell === null ? null : 'text';
  }
  const isEpoch = TIME_LIKE.test(name) && ((cell >= 1e9 && cell < 1e11) || (cell >= 1e12 && cell < 1e14));
  return isEpoch || classify(value).form === 'time' ? 'time' : 'number';
}
