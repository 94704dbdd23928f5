import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openApiDocument, withServer } from '../scripts/openapi-document.ts';
import { FURTHER_CONNECTIONS_MAX } from '../src/compose.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** Not ours, or made by a tool. */
const LEFT_OUT = new Set(['node_modules', 'dist', 'coverage', 'reports', '.git', '.data', '.stryker-tmp']);

const files = markdownFiles(ROOT);
const pages = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));

describe.each(files.map((file) => [relative(ROOT, file), file]))('%s', (_name, file) => {
  const page = pages.get(file) ?? '';

  test('links to what exists', () => {
    expect(linksOf(page).filter((target) => !leadsSomewhere(file, target))).toEqual([]);
  });

  test('names npm scripts that exist', () => {
    const scripts = scriptsOf(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const named = [...page.matchAll(/npm run (?:-s |--silent )?([a-z][\w:-]*)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });
});

test('the configuration page has every environment variable, and no other', () => {
  const config = readFileSync(join(ROOT, 'src/config.ts'), 'utf8');
  const read = [...config.matchAll(/\('([A-Z][A-Z0-9_]+)'/g)].map(([, name = '']) => name);
  expect(new Set(firstCells('docs/configuration.md'))).toEqual(new Set(read));
});

test('.env.example has no variable that nobody reads', () => {
  const example = readFileSync(join(ROOT, '.env.example'), 'utf8');
  const composition = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const known = [...firstCells('docs/configuration.md'), ...composition.split(/\W+/)];
  const named = [...example.matchAll(/^#?([A-Z][A-Z0-9_]+)=/gm)].map(([, name = '']) => name);
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});

test('the pages say how many connections a process has', () => {
  const numberIn = (page: string, words: RegExp): number =>
    Number(words.exec(pages.get(join(ROOT, page)) ?? '')?.[1] ?? Number.NaN);
  expect(numberIn('docs/operations.md', /`DATABASE_POOL_MAX` \+ (\d+) connections/)).toBe(FURTHER_CONNECTIONS_MAX);
  expect(numberIn('docs/configuration.md', /up to (\d+) more serve/)).toBe(FURTHER_CONNECTIONS_MAX);
});

test('the page of routes has every route that a program may use, and none that is not there', async () => {
  const { all, documented } = await withServer((_app, routes) => {
    const names = routes.flatMap(({ method, url, schema }) =>
      [method].flat().map((one) => ({ name: `${one} ${url.replaceAll(/:(\w+)/g, '{$1}')}`, hidden: schema?.hide })),
    );
    return {
      all: new Set(names.map(({ name }) => name)),
      documented: names
        .filter(({ name, hidden }) => hidden !== true && !name.startsWith('HEAD'))
        .map(({ name }) => name),
    };
  });
  const shown = firstCells('docs/routes.md');
  const below = (name: string): string => name.replace(' /', ' /api/v1/');
  expect(shown.filter((name) => !all.has(name) && !all.has(`${name}/`) && !all.has(below(name)))).toEqual([]);
  expect(documented.filter((name) => !shown.includes(name) && !shown.map(below).includes(name))).toEqual([]);
});

test('the page of routes names the scope that each declares', async () => {
  const { paths } = await openApiDocument();
  const declared = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(
      ([method, { 'x-scope': scope = '', 'x-all-schools': isForAll = false, security = [] }]) => {
        const words = { open: 'none', root: 'root alone', principal: 'any key' }[scope];
        const shown = words ?? `\`${scope}\`${isForAll ? ' for all schools' : ''}${security.length === 0 ? ' ○' : ''}`;
        return `| \`${method.toUpperCase()} ${path.replace('/api/v1', '')}\` | ${shown} |`;
      },
    ),
  );
  const rows = pages.get(join(ROOT, 'docs/routes.md'))?.split('\n') ?? [];
  const shown = rows.map((row) => row.replace(/^(\| `[^`]+` \|).*(\| [^|]+ \|)$/, '$1$2').replace('||', '|'));
  expect(declared.filter((row) => !shown.includes(row))).toEqual([]);
});

test('every decision has a number of its own, and a line in the index', () => {
  const names = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => name.endsWith('.md'));
  const numbers = names.map((name) => name.slice(0, 4));
  expect(new Set(numbers).size).toBe(numbers.length);
  const index = linksOf(pages.get(join(ROOT, 'docs/README.md')) ?? '');
  expect(names.filter((name) => !index.includes(`decisions/${name}`))).toEqual([]);
});

function markdownFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (LEFT_OUT.has(entry.name)) return [];
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** Targets of links and pictures; what stands in code is none. */
function linksOf(page: string): string[] {
  return [...withoutCode(page).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = '']) => target);
}

function withoutCode(page: string): string {
  return page.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

/** Other sites are not asked: a test must not fail because a network does. */
function leadsSomewhere(from: string, target: string): boolean {
  if (/^(https?|mailto):/.test(target)) return true;
  const [path = '', anchor] = target.split('#', 2);
  const file = path === '' ? from : resolve(dirname(from), path);
  if (!existsSync(file)) return false;
  if (anchor === undefined) return true;
  return statSync(file).isFile() && anchorsOf(readFileSync(file, 'utf8')).includes(anchor);
}

/** Of every heading, as GitHub makes them: lower case, spaces to hyphens, all but letters, digits and hyphens left out. */
function anchorsOf(page: string): string[] {
  const text = page.replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
  return [...text.matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function scriptsOf(manifest: string): string[] {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(manifest);
  return Object.keys(scripts);
}

/** What stands in code in the first column of a page's tables. */
function firstCells(name: string): string[] {
  const cells = [...(pages.get(join(ROOT, name)) ?? '').matchAll(/^\| `([^`]+)` \|/gm)].map(([, cell = '']) => cell);
  if (cells.length === 0) throw new Error(`${name} has no table`);
  return cells;
}

test('the README is short', () => {
  expect((pages.get(join(ROOT, 'README.md')) ?? '').split('\n').length).toBeLessThanOrEqual(200);
});
