#!/usr/bin/env node
import module from 'node:module';

// Node 22 and later keep what V8 made of the modules for the next start. Before the modules are loaded.
if ('enableCompileCache' in module && typeof module.enableCompileCache === 'function') module.enableCompileCache();
const [{ processIo }, { run }] = await Promise.all([import('./cli/io.ts'), import('./cli/run.ts')]);
process.exitCode = await run(process.argv.slice(2), processIo);
