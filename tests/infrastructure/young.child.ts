/** Makes objects, keeps some for a while. Argument: whether the young are collected on one thread. */
import { collectAlone } from '../../src/infrastructure/v8.ts';

const OBJECTS = 1_000_000;
const KEPT_MAX = 100_000;

if (process.argv[2] === 'alone') collectAlone();
let kept: object[] = [];
for (let n = 0; n < OBJECTS; n++) {
  kept.push({ n, of: [n, n] });
  if (kept.length > KEPT_MAX) kept = [];
}
