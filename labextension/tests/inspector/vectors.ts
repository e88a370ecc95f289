import { readFileSync } from 'node:fs';

/** What people who mean ill write into names, messages, errors and tracebacks; the tests in the browser read it too. */
export const VECTORS = JSON.parse(readFileSync(new URL('../../../tests/vectors/hostile.json', import.meta.url), 'utf8')) as readonly string[];
