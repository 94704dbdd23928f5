import { statSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Small files first: the first failure ends the run of a mutant, and a file of one route says soonest what is wrong. */
class SmallFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sized = files.map((file) => ({ file, bytes: statSync(file.moduleId).size }));
    return sized.sort((a, b) => a.bytes - b.bytes).map(({ file }) => file);
  }
}

/**
 * The tests that judge mutants of the services: through HTTP on a real database, because a service is little but what
 * it asks of its repositories. Left out is what takes long and says nothing of them: sockets, PDF, load.
 */
export default defineConfig({
  test: {
    include: [
      'tests/services/**/*.test.ts',
      'tests/races/**/*.test.ts',
      'tests/api/{schools,students,invoices,payments,reports}/**/*.test.ts',
      'tests/api/responses/{csv,etag,lists}.test.ts',
      'tests/api/edge/{errors,idempotency}.test.ts',
      'tests/api/ops/logging.test.ts',
    ],
    // The product is loaded once a run instead of once a file, which is most of the time of a run of few tests. Files
    // share nothing else: each has its own database.
    isolate: false,
    sequence: { sequencer: SmallFirst },
    globalSetup: ['tests/support/postgres-server.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
