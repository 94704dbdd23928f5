/**
 * Writes the generated part of the client in sdk/ from openapi.json: `npm run sdk`. With --check (`npm run sdk:check`) it
 * writes nothing and compares: exit code 1 when what is committed is not what the document says.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { OpenApiDocument, Operation, Schema } from './openapi-document.ts';
import { targetOf } from './openapi-references.ts';

const TARGET = new URL('../sdk/src/', import.meta.url);
const REDOCLY = join(dirname(createRequire(import.meta.url).resolve('@redocly/cli/package.json')), 'bin/cli.js');
/** Nothing is reported to anybody, and nothing is asked for a newer version. */
const QUIET = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const document: OpenApiDocument = JSON.parse(await readFile(new URL('../openapi.json', import.meta.url), 'utf8'));
const files = { 'generated.ts': await generate(adapted(document)), 'operations.ts': operationsOf(document) };
process.exitCode = values.check ? await check() : await write();

async function write(): Promise<number> {
  for (const [name, text] of Object.entries(files)) {
    await writeFile(new URL(name, TARGET), text);
    console.log(`Wrote sdk/src/${name} (${Math.round(Buffer.byteLength(text) / 1024)} KiB)`);
  }
  return 0;
}

async function check(): Promise<number> {
  const stale: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    if ((await readFile(new URL(name, TARGET), 'utf8').catch(() => '')) !== text) stale.push(`sdk/src/${name}`);
  }
  if (stale.length === 0) console.log('sdk/ is what openapi.json says');
  else console.error(`${stale.join(' and ')} not what openapi.json says. Write and commit anew: npm run sdk`);
  return stale.length === 0 ? 0 : 1;
}

/** Types, operations and the code that sends them, in one file without dependencies. */
async function generate(source: OpenApiDocument): Promise<string> {
  // Away from the repository: the generator would read its redocly.yaml, which is about lint.
  const folder = await mkdtemp(join(tmpdir(), 'billing-sdk-'));
  try {
    await writeFile(join(folder, 'openapi.json'), JSON.stringify(source));
    const options = ['--output', 'generated.ts', '--args-style', 'flat', '--import-ext', 'ts'];
    const command = [REDOCLY, 'generate-client', 'openapi.json', ...options];
    await promisify(execFile)(process.execPath, command, { cwd: folder, env: { ...process.env, ...QUIET } });
    return await readFile(join(folder, 'generated.ts'), 'utf8');
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What this client promises beyond the document: money is text only, and lists are followed to their end. */
function adapted(source: OpenApiDocument): OpenApiDocument {
  const { Amount, ...schemas } = source.components.schemas;
  const paths = Object.entries(source.paths).map(([path, item]) => {
    const operations = Object.entries(item).map(([method, operation]) => [method, withPages(operation)]);
    return [path, Object.fromEntries(operations)];
  });
  return {
    ...source,
    components: { ...source.components, schemas: { ...schemas, Amount: { ...Amount, type: 'string' } } },
    paths: Object.fromEntries(paths),
  };
}

/** Says of an operation that answers with `Link` how its pages are followed, in the generator's own extension. */
function withPages(operation: Operation): Operation {
  const answer = operation.responses['200'];
  if (answer?.headers?.['Link'] === undefined) return operation;
  const items = pointerToRows(answer.content?.['application/json']?.schema ?? {});
  return { ...operation, ...{ 'x-redoclyPagination': { style: 'link', limitParam: 'limit', items } } };
}

/** The answer itself where that is a list, else its one member that is: `/entries` of a ledger. */
function pointerToRows(schema: Schema): string {
  if (schema['type'] === 'array') return '';
  const { properties }: Schema = Object(targetOf(document, String(schema['$ref'])));
  const lists = Object.entries(Object(properties)).filter(([, member]) => Object(member).type === 'array');
  return `/${lists.map(([name]) => name).join('/')}`;
}

/** What the generator does not know of: the problems and the files of each operation. */
function operationsOf({ paths }: OpenApiDocument): string {
  const all = Object.values(paths)
    .flatMap((item) => Object.values(item))
    .sort((a, b) => (String(a.operationId) < String(b.operationId) ? -1 : 1));
  const codes = all.map(({ operationId, 'x-problem-codes': list = [] }) => {
    const union = list.map((code) => `\n    | '${code}'`).join('');
    return `  ${operationId}: ${union === '' ? 'never' : union};\n`;
  });
  const forms = all.flatMap(({ operationId, 'x-files': formats = {} }) => {
    const members = Object.entries(formats).map(([format, type]) => `${format}: '${type}'`);
    return members.length === 0 ? [] : [`  ${operationId}: { ${members.join(', ')} },\n`];
  });
  return `// Made from openapi.json by scripts/write-sdk.ts: do not edit.

/** Media types of the files an operation can also answer with, by format. */
export const FILES = {
${forms.join('')}} as const;

/** Codes of the problems an operation can answer with. */
export type ProblemCodes = {
${codes.join('')}};
`;
}
