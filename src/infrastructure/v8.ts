import { setFlagsFromString } from 'node:v8';

/*
 * V8 looks at these flags again and again, so they can be set while it runs. One that it does not know it complains about
 * and goes on; on a command line it would be the end of the start.
 */

/** How much of what survived the last collection may be added before the next one of all of the heap, in percent. */
const GROWING_PERCENT = 80;

/**
 * As `npm start` says on the command line, the one place where it has an effect on the main thread's heap. Said again, so
 * that flags are the same in processes that were started without.
 */
const SEMI_SPACE_MAX_MB = 4;

/** The last version in which how much a function has run is measured in bytes of its code: that of Node 20. */
const V8_OF_BUDGETS = 11;
/** Usual are 3 looks with a budget of 67,584 bytes between two, or 3,000 calls: this is a sixth of it, or a quarter. */
const EARLIER: readonly string[] = isCountedInBytes(process.versions.v8)
  ? ['--ticks-before-optimization=1', '--interrupt-budget=33792']
  : ['--invocation-count-for-turbofan=750'];

/**
 * Sets all of this process's flags. What V8 compiled once it takes again only with the same flags, so the build and every
 * process that is to use what it compiled begin with this.
 */
export function tuneV8(): void {
  keepHeapSmall();
  collectAlone();
  compileEarly();
  setFlagsFromString(`--max-semi-space-size=${SEMI_SPACE_MAX_MB}`);
}

/**
 * Makes V8 look for garbage sooner: left to itself it lets the heap double or more. With eight readers of whole school
 * statements the process then takes 104 MB at its highest instead of 144; with 50 percent it would be 98, for a tenth
 * more processor time (bench/README.md).
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
}

/**
 * Makes V8 collect the young on one thread. There are 4 MB of them and nearly all are garbage, which takes 0.4 ms; asking
 * helpers, and waiting for them where PostgreSQL and the clients have the other processors, made it 0.9 (bench/README.md).
 */
export function collectAlone(): void {
  setFlagsFromString('--no-parallel-scavenge');
}

/**
 * Makes V8 compile for speed what has run for a short while. Left to itself it interprets for long: a payment takes three
 * times as much processor time until some 3,000 were made, and with this 1,300 (bench/README.md).
 */
export function compileEarly(): void {
  for (const flag of EARLIER) setFlagsFromString(flag);
}

function isCountedInBytes(version: string): boolean {
  return Number.parseInt(version, 10) <= V8_OF_BUDGETS;
}
