/** Compiles the bundle named by the first argument; "keep" as the second keeps what was compiled. Prints a {@link Seen}. */
import { writeFileSync } from 'node:fs';
import { cacheOf, compileBundle } from '../../src/cli/compiled-bundle.ts';
import { tuneV8 } from '../../src/infrastructure/v8.ts';

export type Seen = Readonly<{ isCached: boolean; answer: string }>;

const [file = '', mode] = process.argv.slice(2);
tuneV8();
const compiled = compileBundle(file);
const { answer } = compiled.load() as unknown as { answer(): string };
const seen: Seen = { isCached: compiled.isCached, answer: answer() };
if (mode === 'keep') writeFileSync(cacheOf(file), compiled.toCache());
console.log(JSON.stringify(seen));
