import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';

const TSX = createRequire(import.meta.url).resolve('tsx');
const CHILD = fileURLToPath(new URL('./logging.child.ts', import.meta.url));

/** Less than is written at once, a little more, and many times that. */
const COUNTS = [3, 150, 1_000];

function linesOf(how: string, count: number): number[] {
  const { stdout } = spawnSync(process.execPath, ['--import', TSX, CHILD, how, String(count)], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { n: number }).n);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

test.each(['by itself', 'flushed'])('every line is written, once and in order, by a process that ends %s', (how) => {
  for (const count of COUNTS) expect(linesOf(how, count)).toEqual(upTo(count));
});

// What is just being written then, is so by a thread that nobody waits for.
test.each(['told to', 'thrown'])('lines that wait for others are written by a process that ends %s', (how) => {
  expect(linesOf(how, 3)).toEqual(upTo(3));
});

test('what is fatal is written before anything else can happen', () => {
  expect(linesOf('fatal', 3)).toEqual(upTo(4));
});

test('lines do not wait for others', () => {
  expect(linesOf('waiting', 3)).toEqual(upTo(3));
});

test('whoever watches sees one line for each, with all it says', () => {
  const { stdout } = spawnSync(process.execPath, ['--import', TSX, CHILD, 'on a terminal', '3'], { encoding: 'utf8' });
  const lines = stripVTControlCharacters(stdout).split('\n').slice(0, -1);
  expect(lines).toHaveLength(3);
  for (const [n, line] of lines.entries()) {
    expect(line).toMatch(new RegExp(`INFO.*line.*"n":${n}.*"route":"/schools".*"status":200`));
  }
});
