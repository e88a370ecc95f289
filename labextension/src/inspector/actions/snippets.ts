/** Lines to paste: Python for a cell, curl for a shell. Names and values are quoted, whatever they are. */

import type { Kind } from '../api';

/** A JSON value as Python writes it. */
export function pythonLiteral(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return pythonString(value);
    case 'number':
      return Number.isFinite(value) ? String(value) : `float("${String(value).replace('Infinity', 'inf')}")`;
    case 'boolean':
      return value ? 'True' : 'False';
    case 'object':
      if (value === null) {
        return 'None';
      }
      if (Array.isArray(value)) {
        return `[${value.map(pythonLiteral).join(', ')}]`;
      }
      return `{${Object.entries(value).map(([key, item]) => `${pythonString(key)}: ${pythonLiteral(item)}`).join(', ')}}`;
    default:
      return 'None';
  }
}

/** JSON's escapes are Python's too, but for lone surrogates, which both keep as `\udxxx`. */
function pythonString(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, one => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function pythonSend(kind: Kind, name: string, content: unknown): string {
  return `import nbchannels as nb\n\nnb.${kind === 'group' ? 'Group' : 'Channel'}(${pythonString(name)}).send(${pythonLiteral(content)})`;
}

/** @param base - the server's address, with a slash at the end */
export function curlSend(base: string, kind: Kind, name: string, content: unknown): string {
  const url = new URL(`nbchannels/api/${kind}s/${encodeURIComponent(name)}`, base).href;
  return [
    'curl --request POST',
    '--header "Authorization: token $JUPYTER_TOKEN"',
    '--header "Content-Type: application/json"',
    `--data ${shellQuoted(JSON.stringify(content))}`,
    shellQuoted(url)
  ].join(' \\\n  ');
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A cell that draws a group. */
export function plotCell(group: string): string {
  return `nb.LivePlot(${pythonString(group)})`;
}

/** A cell that consumes a channel. */
export function consumerCell(channel: string): string {
  return `@nb.consume(${pythonString(channel)})\ndef ${identifier(channel)}(message):\n    print(message)`;
}

function identifier(name: string): string {
  const made = name.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
  return made === '' ? 'consumer' : `on_${made}`;
}

/** Whether none of these cells makes `nb` known. */
export function needsImport(sources: readonly string[]): boolean {
  return !sources.some(source => /^\s*import nbchannels as nb\b/m.test(source));
}
