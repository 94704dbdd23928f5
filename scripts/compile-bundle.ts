/**
 * The last step of `scripts/build.ts`: has V8 compile the bundle, lets it do what a start does, and keeps what V8
 * compiled for that beside the bundle (docs/decisions/0026). `node --import tsx scripts/compile-bundle.ts BUNDLE`
 */
import { renameSync, writeFileSync } from 'node:fs';
import { cacheOf, compileBundle } from '../src/cli/compiled-bundle.ts';
import { tuneV8 } from '../src/infrastructure/v8.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('which bundle?');
tuneV8();
const compiled = compileBundle(file);
await compiled.load().rehearseStart();
// In one step: half of a cache could be taken for a whole one.
const draft = `${cacheOf(file)}.draft`;
writeFileSync(draft, compiled.toCache());
renameSync(draft, cacheOf(file));
// What was composed may keep timers.
process.exit(0);
