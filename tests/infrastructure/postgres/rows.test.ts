import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';

const TSX = createRequire(import.meta.url).resolve('tsx');
const CHILD = fileURLToPath(new URL('rows.child.ts', import.meta.url));

// What is kept until the old are collected makes every collection of the young slow. The driver's own promises and
// `query_timeout` keep every row so.
test('rows are collected with the young: 12 MB of texts leave next to nothing with the old', async () => {
  const flags = ['--max-semi-space-size=4', '--import', TSX];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, CHILD, inject('postgres').ownerUrl]);
  expect(Number(stdout)).toBeGreaterThanOrEqual(0);
  expect(Number(stdout)).toBeLessThan(2_000_000);
});
