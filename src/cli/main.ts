#!/usr/bin/env node
import { tuneV8 } from '../infrastructure/v8.ts';
import { processIo } from './io.ts';
import { run } from './run.ts';

tuneV8();
process.exitCode = await run(process.argv.slice(2), processIo);
