/** Reads many long texts one after the other and prints by how many bytes the old space grew. Argument: the database. */
import { getHeapSpaceStatistics } from 'node:v8';
import { Pool } from '../../../src/infrastructure/postgres/pool.ts';
import { sql } from '../../../src/infrastructure/postgres/sql.ts';

const WARM_UP = 300;
const TEXTS = 1_500;

const pool = new Pool({
  connectionString: process.argv[2] ?? '',
  connectionsMax: 1,
  connectTimeoutMs: 30_000,
  statementTimeoutMs: 30_000,
  lockTimeoutMs: 30_000,
  idleInTransactionTimeoutMs: 30_000,
  prepare: true,
});

function oldSpace(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? Number.NaN;
}

let smallest = 0;
let growth = 0;
for (let n = 0; n < WARM_UP + TEXTS; n++) {
  await pool.rows(sql`select repeat('x', 8000)`);
  if (n === WARM_UP) smallest = oldSpace();
  smallest = Math.min(smallest, oldSpace());
  if (n > WARM_UP) growth = Math.max(growth, oldSpace() - smallest);
}
await pool.end();
console.log(growth);
