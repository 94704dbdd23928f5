import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

/** Which layers a layer may import, itself included. What is not named here (compose, main, cli) may import all. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  domain: ['domain'],
  infrastructure: ['infrastructure', 'domain'],
  repositories: ['repositories', 'domain', 'infrastructure'],
  services: ['services', 'domain', 'repositories'],
  api: ['api', 'domain', 'services'],
  jobs: ['jobs', 'domain', 'services'],
  'config.ts': ['infrastructure'],
};

type Source = Readonly<{ path: string; layer: string; text: string; imports: readonly string[] }>;

function sourcesOf(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = readFileSync(join(ROOT, folder, path), 'utf8');
      const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, target]) => target ?? '');
      return { path: `${folder}/${path}`, layer: layerOf(path), text, imports };
    });
}

function layerOf(path: string): string {
  return path.split(/[\\/]/)[0] ?? '';
}

const sources = sourcesOf('src');

/** Where an import leads: a layer of src, or the package's name. */
function targetOf(from: Source, target: string): string {
  return target.startsWith('.') ? layerOf(relative(join(ROOT, 'src'), resolve(ROOT, from.path, '..', target))) : target;
}

/** The folder beside the importing file's own that an import leads to, such as `billing`; empty where it leads elsewhere. */
function contextOf(target: string): string {
  return /^\.\.\/([\w-]+)\/[^/]+$/.exec(target)?.[1] ?? '';
}

const LINES_MAX = 320;
/** Some fifteen. */
const FILES_MAX = 17;

/**
 * Statements for several callers, whose answers say the school or who are of all schools; what has to hold over all schools;
 * a new school or account; the check of all books; and who it is that asks, which nobody is before it was found out.
 */
const ASKS_NOBODY =
  /^(\w+\.(findEach|findEachOfStudents|insertMany)|user\.(insert|findOnlySchool)|privacy\.eraseAnswers|school\.(findNamesake|findPrefixOfOtherKind|insert)|(reconciliation|session|invitation|sign-in-failure|oidc|audit-seal)\.\w+|api-key\.(findValid|updateLastUsed))$/;

describe('architecture', () => {
  test('the sources are found', () => {
    expect(new Set(sources.map(({ layer }) => layer))).toEqual(
      new Set([
        'api',
        'services',
        'repositories',
        'domain',
        'infrastructure',
        'jobs',
        'cli',
        'compose.ts',
        'config.ts',
        'main.ts',
      ]),
    );
    expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(100);
  });

  test('imports only ever point down the layers', () => {
    const violations = sources.flatMap((source) =>
      source.imports
        .filter((target) => target.startsWith('.'))
        .map((target) => targetOf(source, target))
        .filter((layer) => !(MAY_IMPORT[source.layer] ?? [layer]).includes(layer))
        .map((layer) => `${source.path} -> ${layer}`),
    );
    expect(violations).toEqual([]);
  });

  test('the domain imports nothing from outside itself, not even from Node', () => {
    const outside = sources
      .filter(({ layer }) => layer === 'domain')
      .flatMap((source) =>
        source.imports.filter((target) => targetOf(source, target) !== 'domain').map((to) => `${source.path}: ${to}`),
      );
    expect(outside).toEqual([]);
  });

  test('a context of the domain knows its own and what all share', () => {
    const known = sources
      .filter(({ layer }) => layer === 'domain')
      .flatMap(({ path, imports }) => imports.map((target) => `${path} -> ${contextOf(target)}`))
      .filter((line) => !line.endsWith('-> ') && !line.endsWith('-> shared'));
    // Collections are reported by the method they were paid by.
    expect(known).toEqual(['src/domain/reporting/summary.ts -> billing']);
  });

  test('what contexts share knows none of them, but for the list of all repositories', () => {
    const known = sources
      .filter(({ path }) => /^src\/(repositories|services)\/shared\//.test(path))
      .flatMap(({ path, imports }) => imports.map((target) => ({ path, target })))
      .filter(({ path, target }) => contextOf(target) !== '' && path !== 'src/repositories/shared/repositories.ts');
    expect(known).toEqual([]);
  });

  test('whoever touches the data of a school through a repository says who asks', () => {
    const repositories = sources.filter(({ path }) => /^src\/repositories\/(?!shared).*-repository\.ts$/.test(path));
    const methods = repositories.flatMap(({ path, text }) =>
      [...text.matchAll(/^ {2}(?:async )?\*?(\w+)\(\s*(\w+(?=: )|\{)/gm)]
        .filter(([, name]) => name !== 'constructor')
        .map(([, name, first]) => ({ method: `${basename(path, '-repository.ts')}.${name}`, first })),
    );
    expect(methods.length).toBeGreaterThan(40);
    const unasked = methods.filter(({ method, first }) => first !== 'actor' && !ASKS_NOBODY.test(method));
    expect(unasked).toEqual([]);
  });

  test('infrastructure knows of the domain only what all of it shares, such as the ports it implements', () => {
    const known = sources
      .filter(({ layer }) => layer === 'infrastructure')
      .flatMap(({ path, imports }) => imports.map((target) => ({ path, target })))
      .filter(({ target }) => target.includes('/domain/') && !target.includes('/domain/shared/'));
    expect(known).toEqual([]);
  });

  // Servers of one process are to share nothing but what says the same whoever asks; tests of one process rely on it.
  test('modules keep no state, but for what is worked out of constants once', () => {
    const kept = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/^(?:export )?(?:let (\w+)|const ([a-z]\w*)[^=]*= new (?:Weak)?(?:Map|Set)\b.*\(\);$)/gm)].map(
        ([, variable, collection]) => `${basename(path)} ${variable ?? collection}`,
      ),
    );
    expect(kept.sort()).toEqual([
      'compression.ts kept',
      'on-closed.ts releases',
      'sql.ts rows',
      'sql.ts ways',
      'watchdog.ts isReleased',
    ]);
  });

  test('no test of those that share a process replaces a module', () => {
    const replacing = ['api', 'domain', 'model', 'races', 'repositories', 'services', 'support']
      .flatMap((folder) => sourcesOf(`tests/${folder}`))
      .filter(({ text }) => /\bvi\.(mock|doMock|unmock|doUnmock|resetModules|hoisted)\b/.test(text));
    expect(replacing.map(({ path }) => path)).toEqual([]);
  });

  test('the domain asks neither the clock nor chance', () => {
    const asking = sources.filter(
      ({ layer, text }) => layer === 'domain' && /Date\.now|new Date\(\)|Math\.random|process\./.test(text),
    );
    expect(asking.map(({ path }) => path)).toEqual([]);
  });

  test.each([
    ['process.env', /process\.env/, ['src/config.ts']],
    ['embedded-postgres', /embedded-postgres\/embedded-postgres\.ts'/, ['src/cli/database.ts']],
  ])('only one file knows %s', (_, pattern, expected) => {
    expect(sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path)).toEqual(expected);
  });

  test('services know no HTTP, and only infrastructure knows the driver', () => {
    const knows = (layers: readonly string[], pattern: RegExp): string[] =>
      sources
        .filter(({ layer, imports }) => !layers.includes(layer) && imports.some((target) => pattern.test(target)))
        .map(({ path }) => path);
    expect(knows(['api', 'compose.ts'], /^(fastify|@fastify\/.*)$/)).toEqual(['src/cli/server.ts']);
    expect(knows(['infrastructure'], /^pg$/)).toEqual([]);
  });

  test('no console outside the command line, no escape from the type checker', () => {
    const consoles = sources.filter(({ layer, text }) => layer !== 'cli' && /\bconsole\./.test(text));
    expect(consoles.map(({ path }) => path)).toEqual([]);
    const escapes = sources.filter(({ text }) => /@ts-(ignore|nocheck|expect-error)|\bas any\b|: any\b/.test(text));
    expect(escapes.map(({ path }) => path)).toEqual([]);
  });

  // Amounts never touch a JavaScript number.
  test('nothing below the routes turns text into a float', () => {
    const floats = sources.filter(
      ({ layer, text }) => ['domain', 'services', 'repositories'].includes(layer) && /parseFloat|toFixed/.test(text),
    );
    expect(floats.map(({ path }) => path)).toEqual([]);
  });

  test('a file has one reason to be opened, a folder can be taken in at a glance', () => {
    const long = sources.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX).map(({ path }) => path);
    const folders = new Map<string, number>();
    for (const { path } of sources) folders.set(dirname(path), (folders.get(dirname(path)) ?? 0) + 1);
    const crowded = [...folders].filter(([, files]) => files > FILES_MAX).map(([folder]) => folder);
    expect([...long, ...crowded]).toEqual([]);
  });
});
