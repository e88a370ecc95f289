import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { consumerCell, curlSend, needsImport, plotCell, pythonLiteral, pythonSend } from '../../src/inspector/actions/snippets';
import { baseName, formatAge, formatRate, formatSize, formatSpan } from '../../src/inspector/parts/format';
import { VECTORS } from './vectors';

const T = '\u202f';

describe('lines to paste', () => {
  it('are Python that means the same', () => {
    const value = { a: [1, 2.5, -0.1, true, false, null], 'b"\\': "it's", c: { d: 'line\nline\u2028' }, e: '\u0085é😀' };
    const told = execFileSync('python3', ['-c', 'import ast, json, sys; print(json.dumps(ast.literal_eval(sys.stdin.read())))'], { input: pythonLiteral(value) });
    expect(JSON.parse(told.toString())).toEqual(value);
  });

  it('are one statement, whatever the name', () => {
    expect(pythonSend('group', 'a', { y: 1 })).toBe('import nbchannels as nb\n\nnb.Group("a").send({"y": 1})');
    expect(pythonSend('channel', '") + exit() + ("', {})).toBe('import nbchannels as nb\n\nnb.Channel("\\") + exit() + (\\"").send({})');
    expect(plotCell('a')).toBe('nb.LivePlot("a")');
    expect(consumerCell('http.request')).toBe('@nb.consume("http.request")\ndef on_http_request(message):\n    print(message)');
    expect(consumerCell('---')).toContain('def consumer(');
  });

  it('are words of a shell, whatever is in them', () => {
    for (const evil of [...VECTORS.filter(one => !one.includes('\0') && !one.includes('\ud800')), "'; touch /tmp/x; '", '$(id)', '`id`', '!!', '\\']) {
      const line = curlSend('http://host/a%40b/', 'group', 'g', { evil });
      const shown = execFileSync('sh', ['-c', `curl() { printf '%s\\0' "$@"; }; JUPYTER_TOKEN=t; ${line}`]).toString().split('\0');
      expect(JSON.parse(shown[shown.indexOf('--data') + 1]!)).toEqual({ evil });
      expect(shown).toContain('http://host/a%40b/nbchannels/api/groups/g');
    }
  }, 30_000);

  it('hold no token', () => {
    expect(curlSend('http://host/', 'channel', 'work', {})).toContain('"Authorization: token $JUPYTER_TOKEN"');
  });

  it('import nbchannels once', () => {
    expect(needsImport(['x = 1', '  import nbchannels as nb'])).toBe(false);
    expect(needsImport(['# import nbchannels as nb', '%load_ext nbchannels'])).toBe(true);
  });
});

describe('numbers for people', () => {
  it('are short', () => {
    expect([0, 999, 1000, 9_949, 12_345, 999_499, 999_500, 2.68e8, 5e12].map(formatSize)).toEqual(
      ['0 B', '999 B', '1.0 kB', '9.9 kB', '12 kB', '999 kB', '1.0 MB', '268 MB', '5000 GB'].map(one => one.replace(' ', T))
    );
    expect([0, 0.01, 1, 9.96, 1234.5].map(formatRate)).toEqual(['–', `<${T}0.1/s`, '1.0/s', '10/s', `1${T}235/s`]);
    expect([0, 1.6, 89, 100, 5500, 2e5].map(formatAge)).toEqual(['now', '2 s', '89 s', '2 min', '2 h', '2 d'].map(one => one.replace(' ', T)));
    expect([0, 0.0012, 0.05, 0.25, 12].map(formatSpan)).toEqual(['0.0 ms', '1.2 ms', '50 ms', '0.3 s', '12 s'].map(one => one.replace(' ', T)));
  });

  it('and names too', () => {
    expect(['/a/b.ipynb', 'C:\\x\\y.py', 'plain', '', '/a/'].map(baseName)).toEqual(['b.ipynb', 'y.py', 'plain', '', 'a/']);
  });
});
