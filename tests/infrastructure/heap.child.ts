/** Makes texts, keeps some for a while and prints the largest heap it had, in bytes. Argument: whether to keep it small. */
import { keepHeapSmall } from '../../src/infrastructure/v8.ts';

const TEXTS = 1_500_000;
const KEPT_MAX = 60_000;

if (process.argv[2] === 'small') keepHeapSmall();
let kept: string[] = [];
let largest = 0;
for (let n = 0; n < TEXTS; n++) {
  kept.push(`${'x'.repeat(20)}${n}`);
  if (kept.length > KEPT_MAX) kept = [];
  if (n % 1_000 === 0) largest = Math.max(largest, process.memoryUsage().heapTotal);
}
console.log(largest);
