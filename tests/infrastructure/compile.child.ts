/**
 * Calls a function until V8 has compiled it for speed and prints how many calls that took. Argument: whether early.
 * Needs --allow-natives-syntax, and --no-concurrent-recompilation so that the moment is no matter of luck.
 */
import { compileEarly } from '../../src/infrastructure/v8.ts';

const CALLS_MAX = 1_000_000;
/** `OptimizationStatus::kTurboFanned` of V8's runtime.h. */
const TURBOFANNED = 1 << 6;

if (process.argv[2] === 'early') compileEarly();
// Natives are no TypeScript.
const statusOf = new Function('of', 'return %GetOptimizationStatus(of)') as (of: unknown) => number;

/** Long: V8 is in less of a hurry than with short functions. */
function work(n: number): number {
  const a = (n * 31 + 7) % 1_000;
  const b = (a * 37 + n) % 2_000;
  const c = (b * 41 + a) % 3_000;
  const d = (c * 43 + b) % 4_000;
  const e = (d * 47 + c) % 5_000;
  const f = (e * 53 + d) % 6_000;
  return (a + b + c + d + e + f) % 1_000;
}

let calls = 0;
for (let value = 0; calls < CALLS_MAX && (statusOf(work) & TURBOFANNED) === 0; calls++) value = work(value);
console.log(calls);
