import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const TSX = createRequire(import.meta.url).resolve('tsx');

// Not a matter of speed: the flags are V8's, and a version of Node that no longer knows one would do without in silence.

function run(child: string, flags: readonly string[], mode: string): string {
  const path = fileURLToPath(new URL(child, import.meta.url));
  return execFileSync(process.execPath, [...flags, '--import', TSX, path, mode], { encoding: 'utf8' });
}

test('with the flag the same work takes a much smaller heap', () => {
  const largestHeap = (mode: 'small' | 'as it is'): number =>
    Number(run('heap.child.ts', ['--max-semi-space-size=4'], mode));
  expect(largestHeap('small')).toBeLessThan(0.8 * largestHeap('as it is'));
});

test('with the flags a function is compiled for speed after half as many calls or fewer', () => {
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation'];
  const calls = (mode: 'early' | 'as it is'): number => Number(run('compile.child.ts', flags, mode));
  const early = calls('early');
  expect(early).toBeGreaterThan(0);
  expect(early).toBeLessThan(0.5 * calls('as it is'));
});

// On a machine of one processor this is so without the flag too.
test('with the flag the young are collected by one thread', () => {
  // Larger than the product's, and with more that is kept, so that there would be work for several.
  const space = ['--min-semi-space-size=16', '--max-semi-space-size=16'];
  const traced = run('young.child.ts', [...space, '--trace-gc', '--trace-parallel-scavenge'], 'alone');
  // A line of each task, then one of the collection. The last ones: the first were before the flag was set.
  const lines = traced.split('\n').filter((line) => /scavenge\[|: Scavenge /.test(line));
  const last = lines.slice(-10).map((line) => (line.includes('scavenge[') ? 'task' : 'collection'));
  expect(last).toEqual(Array.from({ length: 5 }, () => ['task', 'collection']).flat());
});
