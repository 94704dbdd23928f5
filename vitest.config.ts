import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const ALL = ['tests/**/*.test.ts', 'sdk/tests/**/*.test.ts'];
/**
 * Tests of what one process does all day. The product is loaded once for all of them: loading it for each file was half of
 * the time of the suite. Every file has its own database and server, and fails by `tests/support/shared-process.ts` if it
 * leaves anything else behind for the next one. So files that read PDFs are not among them: pdf.js adds to the language.
 */
const SHARED = [
  'tests/{domain,model,races,repositories,services}/**/*.test.ts',
  'tests/api/!(books|papers)/**/!(pdf|family-links|*-agree.property).test.ts',
];
const SEED = 'tests/support/random-data.ts';
const COMMON = { testTimeout: 30_000, hookTimeout: 60_000, setupFiles: [SEED] };

export default defineConfig({
  test: {
    projects: [
      // Of processes, or of what is loaded and when. By their names these begin, and the many small ones fill up the end.
      { test: { ...COMMON, name: 'alone', include: ALL, exclude: SHARED } },
      {
        test: {
          ...COMMON,
          name: 'shared',
          include: SHARED,
          isolate: false,
          setupFiles: [SEED, 'tests/support/shared-process.ts'],
        },
      },
    ],
    globalSetup: ['tests/support/random-seed.ts', 'tests/support/postgres-server.ts'],
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
