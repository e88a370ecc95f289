/** A cell of a table: text, a number, or nothing. */
export type Cell = string | number | bigint | boolean | null | undefined;

/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Rows as CSV (RFC 4180, comma, CRLF). Numbers as they are, what is missing as nothing. Text that a spreadsheet would run as a
 * formula gets an apostrophe before it: what stands in a message is not to be trusted.
 */
export function toCsv(head: readonly string[], rows: Iterable<readonly Cell[]>): string {
  const lines = [head.map(quoted).join(',')];
  for (const row of rows) {
    lines.push(row.map(written).join(','));
  }
  return `${lines.join('\r\n')}\r\n`;
}

function written(cell: Cell): string {
  if (cell === null || cell === undefined || Number.isNaN(cell)) {
    return '';
  }
  return typeof cell === 'string' ? quoted(cell) : String(cell);
}

function quoted(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
