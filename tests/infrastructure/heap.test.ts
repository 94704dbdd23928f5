import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const CHILD = fileURLToPath(new URL('heap.child.ts', import.meta.url));
const TSX = createRequire(import.meta.url).resolve('tsx');

function largestHeap(mode: 'small' | 'as it is'): number {
  const flags = ['--max-semi-space-size=4', '--import', TSX];
  return Number(execFileSync(process.execPath, [...flags, CHILD, mode], { encoding: 'utf8' }));
}

// Not a matter of speed: the flag is V8's, and a version of Node that no longer knows it would do without in silence.
test('with the flag the same work takes a much smaller heap', () => {
  expect(largestHeap('small')).toBeLessThan(0.8 * largestHeap('as it is'));
});
