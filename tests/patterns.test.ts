import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from 'recheck';
import { expect, test } from 'vitest';

/*
 * A pattern that goes back over what it has read takes a time that grows with the square of the text, or worse: 60 kB of
 * zeros kept the process busy for seconds, and nobody could pay. So none does, wherever its text comes from.
 */

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

/** A literal at the beginning of an expression, or a line. Patterns hold no line breaks. */
const LITERAL =
  /(?:[(,=>:[!&|?{};]\s*|return\s+|^\s*)\/((?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+)\/([dgimsuvy]*)/gm;
/** JSON Schema's, which Ajv compiles with the `u` flag, and those made of text. */
const TEXT = /(?:pattern: |_PATTERN = )'((?:\\.|[^'\\\n])+)'/g;

type Pattern = Readonly<{ file: string; source: string; flags: string }>;

function patternsOf(file: string): Pattern[] {
  const text = readFileSync(`${SRC}${file}`, 'utf8').replace(/^\s*(?:\/\*\*?|\*|\/\/).*$/gm, '');
  const literals = [...text.matchAll(LITERAL)].map(([, source = '', flags = '']) => ({ file, source, flags }));
  const texts = [...text.matchAll(TEXT)].map(([, source = '']) => ({
    file,
    source: source.replaceAll('\\\\', '\\'),
    flags: 'u',
  }));
  return [...literals, ...texts];
}

const patterns = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap(patternsOf);

test('patterns are found', () => {
  const sources = patterns.map(({ source }) => source);
  expect(sources).toContain('^(0|-?[1-9]\\d*)$');
  expect(sources).toContain('^-?[0-9]+\\.[0-9]{2}$');
  expect(sources).toContain('^[A-Za-z]{2}$');
  expect(sources.some((source) => source.includes('@(?:[A-Za-z0-9]'))).toBe(true);
  expect(sources.length).toBeGreaterThan(50);
});

test('no pattern takes more than a time that grows with its text', { timeout: 120_000 }, async () => {
  const worse: string[] = [];
  for (const { file, source, flags } of patterns) {
    const found = await check(source, flags);
    if (found.status !== 'safe') worse.push(`${file}: /${source}/${flags} is ${found.status}`);
  }
  expect(worse).toEqual([]);
});

test('a pattern that goes back is found', async () => {
  expect(await check('\\.?0+$', '')).toMatchObject({ status: 'vulnerable' });
});
