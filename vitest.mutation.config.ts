import { defineConfig } from 'vitest/config';

/** The tests that judge mutants: bare rules, in milliseconds. No database is started for them. */
export default defineConfig({
  test: { include: ['tests/domain/**/*.test.ts'], testTimeout: 20_000 },
});
