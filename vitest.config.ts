import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const ALL = ['tests/**/*.test.ts', 'sdk/tests/**/*.test.ts'];
/**
 * Each in a process of its own: what is about processes and signals, measures them, replaces modules, loads pdf.js, which
 * adds to the language, or has a database made by a module that several files load.
 *
 * All others share one, and the product is loaded once for them: loading it for each file was half of the time of the suite.
 * Every file has its own database and server, and fails by `tests/support/shared-process.ts` if it leaves anything else
 * behind for the next one.
 */
const ALONE = [
  'tests/{faults,fuzz,ops}/**/*.test.ts',
  'tests/infrastructure/{embedded-postgres,observability}/**/*.test.ts',
  'tests/infrastructure/pdf/structure.test.ts',
  'tests/cli/{backup,restore,io,serve-lost}.test.ts',
  'tests/migrations*.test.ts',
  'sdk/tests/cut-answers.test.ts',
];
const SEED = 'tests/support/random-data.ts';
const COMMON = { testTimeout: 30_000, hookTimeout: 60_000, setupFiles: [SEED] };

export default defineConfig({
  test: {
    projects: [
      // By their names these begin, and the many small ones fill up the end.
      { test: { ...COMMON, name: 'alone', include: ALONE } },
      {
        test: {
          ...COMMON,
          name: 'shared',
          include: ALL,
          exclude: ALONE,
          isolate: false,
          setupFiles: [SEED, 'tests/support/shared-process.ts'],
        },
      },
    ],
    globalSetup: ['tests/support/random-seed.ts', 'tests/support/build.ts', 'tests/support/postgres-server.ts'],
    // Tests wait for a database more than they compute: one file at a time would leave half of a small machine idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
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
