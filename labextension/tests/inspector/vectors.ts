import hostile from '../../../tests/vectors/hostile.json';

/** What people who mean ill write into names, messages, errors and tracebacks; the tests in the browser read it too. */
export const VECTORS: readonly string[] = hostile;
