import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const TSX = createRequire(import.meta.url).resolve('tsx');

// Not a matter of speed: the flags are V8's, and a version of Node that no longer knows one would do without in silence.

function run(child: string, flags: readonly string[], mode: string): number {
  const path = fileURLToPath(new URL(child, import.meta.url));
  return Number(execFileSync(process.execPath, [...flags, '--import', TSX, path, mode], { encoding: 'utf8' }));
}

test('with the flag the same work takes a much smaller heap', () => {
  const largestHeap = (mode: 'small' | 'as it is'): number => run('heap.child.ts', ['--max-semi-space-size=4'], mode);
  expect(largestHeap('small')).toBeLessThan(0.8 * largestHeap('as it is'));
});

test('with the flags a function is compiled for speed after half as many calls or fewer', () => {
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation'];
  const calls = (mode: 'early' | 'as it is'): number => run('compile.child.ts', flags, mode);
  const early = calls('early');
  expect(early).toBeGreaterThan(0);
  expect(early).toBeLessThan(0.5 * calls('as it is'));
});
