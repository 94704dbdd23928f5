/**
 * Writes openapi.json from the routes, and adds what is new to tests/openapi-names.txt: `npm run openapi`. With --check (`npm run openapi:check`) it writes nothing and
 * compares: exit code 1, and the first lines that differ, when the file is not what the routes say.
 *
 * Needs no database and no port.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openApiDocument } from './openapi-document.ts';
import { namesOf } from './openapi-names.ts';

/** Names are only ever added here: one that goes is a broken promise, which a person has to take out. */
const NAMES_FILE = new URL('../tests/openapi-names.txt', import.meta.url);
const FILE = fileURLToPath(new URL('../openapi.json', import.meta.url));
const LINES_SHOWN_MAX = 10;

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const document = await openApiDocument();
const current = `${JSON.stringify(document, null, 2)}\n`;
process.exitCode = values.check ? await check() : await write();

async function write(): Promise<number> {
  await writeFile(FILE, current);
  const promised = await readFile(NAMES_FILE, 'utf8').catch(() => '');
  const names = new Set([...promised.split('\n').filter((name) => name !== ''), ...namesOf(document)]);
  await writeFile(NAMES_FILE, `${[...names].sort().join('\n')}\n`);
  console.log(`Wrote openapi.json (${Math.round(Buffer.byteLength(current) / 1024)} KiB)`);
  return 0;
}

async function check(): Promise<number> {
  const committed = await readFile(FILE, 'utf8').catch(() => undefined);
  if (committed === current) {
    console.log('openapi.json is what the routes say');
    return 0;
  }
  console.error(
    committed === undefined
      ? 'There is no openapi.json. Write it and commit it: npm run openapi'
      : `openapi.json is stale. Write it anew and commit it: npm run openapi\n${firstDifference(committed, current)}`,
  );
  return 1;
}

/** The lines from the first one that differs: `-` is in the file, `+` is what the routes say. */
function firstDifference(committed: string, expected: string): string {
  const [old, now] = [committed.split('\n'), expected.split('\n')];
  const start = now.findIndex((line, index) => line !== old[index]);
  const from = start === -1 ? now.length : start;
  const shown = (lines: string[], sign: string): string[] =>
    lines.slice(from, from + LINES_SHOWN_MAX).map((line) => `${sign} ${line}`);
  return [`First difference in line ${from + 1}:`, ...shown(old, '-'), ...shown(now, '+')].join('\n');
}
