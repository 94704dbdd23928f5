import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts', 'sdk/tests/**/*.test.ts'],
    globalSetup: ['tests/support/postgres-server.ts'],
    // Tests wait for a database more than they compute: one file at a time would leave half of a small machine idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // Process entry points: what they run is tested in processes of their own, where nothing counts lines.
      exclude: [
        'src/main.ts',
        'src/infrastructure/embedded-postgres/watchdog.ts',
        'src/infrastructure/pdf/worker.ts',
        // Written by the generator.
        'sdk/src/generated.ts',
      ],
      reporter: ['text-summary', 'html'],
    },
  },
});
