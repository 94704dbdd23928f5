#!/usr/bin/env node
/** The entry of the built product: `main.ts` for a bundle that was compiled before. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { tuneV8 } from '../infrastructure/v8.ts';
import { type Bundle, compileBundle } from './compiled-bundle.ts';

/** Name of the bundle, which lies beside this file. Put in by the build. */
declare const BUNDLE: string;

// First: V8 compares its flags with those it had when it compiled.
tuneV8();
const file = fileURLToPath(new URL(BUNDLE, import.meta.url));
// Sources are named only in what Node itself has loaded.
const { run, processIo }: Bundle = process.sourceMapsEnabled
  ? createRequire(import.meta.url)(file)
  : compileBundle(file).load();

void run(process.argv.slice(2), processIo).then((code) => {
  process.exitCode = code;
});
