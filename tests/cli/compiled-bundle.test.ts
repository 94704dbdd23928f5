import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { rehearseStart } from '../../src/cli/bundle.ts';
import { cacheOf, compileBundle } from '../../src/cli/compiled-bundle.ts';
import type { Seen } from './compiled-bundle.child.ts';

const TSX = createRequire(import.meta.url).resolve('tsx');
const CHILD = fileURLToPath(new URL('compiled-bundle.child.ts', import.meta.url));
const AS_STARTED = ['--max-semi-space-size=4'];

const folder = mkdtempSync(join(tmpdir(), 'mattilda-bundle-'));
const file = join(folder, 'bundle.js');

beforeEach(() => {
  rmSync(cacheOf(file), { force: true });
  writeFileSync(
    file,
    `(function (exports, require, module, __filename, __dirname) {
       exports.answer = () => require('node:path').relative(__dirname, __filename);
     })`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

function compile(flags: readonly string[], mode: 'keep' | 'use'): Seen {
  return JSON.parse(
    execFileSync(process.execPath, [...flags, '--import', TSX, CHILD, file, mode], { encoding: 'utf8' }),
  );
}

test('without what was kept a bundle is compiled, and runs', () => {
  const compiled = compileBundle(file);
  expect(compiled.isCached).toBe(false);
  expect(compiled.load()).toHaveProperty('answer');
  expect(compiled.toCache().length).toBeGreaterThan(0);
  expect(compile(AS_STARTED, 'use')).toEqual({ isCached: false, answer: 'bundle.js' });
});

test('what one process compiled others take, however they were started', () => {
  compile([], 'keep');
  expect(compile(AS_STARTED, 'use')).toEqual({ isCached: true, answer: 'bundle.js' });
  expect(compile([], 'use')).toEqual({ isCached: true, answer: 'bundle.js' });
});

test('what does not fit is left, and the bundle runs', () => {
  compile([], 'keep');
  expect(compile(['--max-old-space-size=300'], 'use')).toEqual({ isCached: false, answer: 'bundle.js' });
  const damaged = readFileSync(cacheOf(file));
  damaged.writeUInt8(damaged.readUInt8(damaged.length >> 1) ^ 0xff, damaged.length >> 1);
  writeFileSync(cacheOf(file), damaged);
  expect(compile([], 'use')).toEqual({ isCached: false, answer: 'bundle.js' });
  writeFileSync(cacheOf(file), 'something else');
  expect(compile([], 'use')).toEqual({ isCached: false, answer: 'bundle.js' });
});

test('a start is rehearsed without a database', async () => {
  await expect(rehearseStart()).resolves.toBeUndefined();
});
