import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../faults/support/client.ts';
import { aDatabase, DRIFT } from '../faults/support/databases.ts';
import { report } from '../faults/support/scale.ts';
import { ServerProcess } from '../faults/support/server-process.ts';
import { aBeginning, commands, expectSame, tried } from './commands.ts';
import { Ledger } from './ledger.ts';

/** `npm run test:model` runs 500 × 60. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 50);
const COMMANDS = Number(process.env['MODEL_COMMANDS'] ?? 30);
const MINUTES_MAX = 3 + (RUNS * COMMANDS) / 500;

const database = await aDatabase();
let server: ServerProcess;
let client: Client;

beforeAll(async () => {
  server = await ServerProcess.start(database);
  client = new Client(server.base);
});

afterAll(async () => {
  client.close();
  await server.stop();
});

test(`a ledger in memory and the API stay equal over ${RUNS} × ${COMMANDS} random commands`, {
  timeout: MINUTES_MAX * 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...commands), { minLength: COMMANDS, maxLength: COMMANDS }), async (list) => {
      const ledger = new Ledger();
      for (const beginning of aBeginning()) await beginning.run(ledger, client);
      for (const command of list) {
        if (await command.check(ledger)) await command.run(ledger, client);
      }
      await expectSame(ledger, client);
    }),
    { numRuns: RUNS, endOnFailure: RUNS > 50 },
  );
  const drift = await database.owner.query(DRIFT);
  report('A ledger in memory against the API', {
    runs: RUNS,
    'commands in each': COMMANDS,
    'answers compared': [...tried.values()].reduce((sum, count) => sum + count, 0),
    ...Object.fromEntries([...tried].sort()),
    'invoices with drift': drift.rowCount ?? 0,
  });
  expect(drift.rows).toEqual([]);
  // Everything that matters was tried, and refused.
  for (const outcome of [
    'pay 201',
    'pay 400',
    'reverse 201',
    'credit 201',
    'changeTotal 200',
    'void 204',
    'void 400',
  ]) {
    expect(tried.get(outcome), outcome).toBeGreaterThan(0);
  }
});
