import { defineConfig } from 'vitest/config';

// Tests run in Node; one that needs a page says so in its first line: `// @vitest-environment happy-dom`.
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    environment: 'node',
    restoreMocks: true,
    testTimeout: 10_000,
    maxWorkers: 2
  }
});
