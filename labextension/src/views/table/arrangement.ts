import { formatTime } from '../format';
import type { Cell, Grid, Row } from './grid';

/** What a reader wants to see of a table. */
export interface Wish {
  /** Words that stand somewhere in the row; upper or lower case is the same. */
  readonly text: string;
  readonly sort: { readonly column: string; readonly descending: boolean } | null;
}

/** The rows that a reader wants to see, in the order wished for. What is missing stands last. */
export function arrange(grid: Grid, { text, sort }: Wish): Row[] {
  const needle = text.toLowerCase();
  const rows: Row[] = [];
  for (let i = 0; i < grid.length; i++) {
    const row = grid.at(i);
    if (row.gap === undefined && (needle === '' || matches(row, grid, needle))) {
      rows.push(row);
    }
  }
  const place = sort === null ? -1 : grid.columns.findIndex(({ name }) => name === sort.column);
  const sign = sort?.descending === true ? -1 : 1;
  return place < 0 ? rows : rows.sort((a, b) => compare(a.cells[place], b.cells[place], sign) || a.number - b.number);
}

/** Numbers are compared as they are written in Python, times only with what may be one: to write them takes long. */
function matches({ cells }: Row, { columns }: Grid, needle: string): boolean {
  const isMoment = /[:-]/.test(needle);
  return cells.some((cell, i) => {
    if (cell === null) {
      return false;
    }
    const isTime = typeof cell === 'number' && columns[i]?.kind === 'time';
    return isTime ? isMoment && formatTime(cell, 3600).includes(needle) : String(cell).toLowerCase().includes(needle);
  });
}

/** Numbers, then texts, then what is missing. */
function compare(a: Cell | undefined, b: Cell | undefined, sign: number): number {
  const rank = rankOf(a) - rankOf(b);
  return rank !== 0 ? rank : a === b ? 0 : (a as number) < (b as number) ? -sign : (a as number) > (b as number) ? sign : 0;
}

function rankOf(cell: Cell | undefined): number {
  return typeof cell === 'number' && !Number.isNaN(cell) ? 0 : typeof cell === 'string' ? 1 : 2;
}
