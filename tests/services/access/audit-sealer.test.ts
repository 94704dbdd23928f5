import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';

const POLL_MS = 10;
const RUNS_MAX = 2_000;

const billing = await startBilling();
const { auditSealer } = billing.product.services;
/** Somebody whose transaction takes long. */
const slow = await billing.owner.connect();
afterAll(() => slow.release());

async function seals(): Promise<{ first: number; last: number; entries: number }[]> {
  const { rows } = await billing.owner.query<{ first: string; last: string; entries: number }>(
    'select first_id as first, last_id as last, entries from audit_seals order by id',
  );
  return rows.map(({ first, last, entries }) => ({ first: Number(first), last: Number(last), entries }));
}

async function newestEntry(): Promise<number> {
  const { rows } = await billing.owner.query<{ id: string }>('select max(id) as id from audit_log');
  return Number(rows[0]?.id);
}

/** Runs once, and again while somebody's transaction in another database of the server, of other tests, is still under way. */
async function runSettled(): Promise<Awaited<ReturnType<typeof auditSealer.run>>> {
  for (let runs = 0; runs < RUNS_MAX; runs++) {
    const done = await auditSealer.run();
    if (done.sealed > 0) return done;
    await setTimeout(POLL_MS);
  }
  throw new Error('nothing is sealed');
}

/** As often as a server does in the minutes after something was written. */
async function sealAll(): Promise<number> {
  const runs = [await auditSealer.run(), await auditSealer.run(), await auditSealer.run()];
  return runs.reduce((sum, { sealed }) => sum + sealed, 0);
}

/** Until all of it is sealed. */
async function sealEverything(): Promise<number> {
  const last = await newestEntry();
  let sealed = 0;
  while ((await seals()).at(-1)?.last !== last) sealed += (await runSettled()).sealed;
  return sealed;
}

async function findings(): Promise<unknown[]> {
  const { body } = await billing.get<{ findings: { code: string; ids: unknown }[] }>('/reconciliation');
  return body.findings.map(({ code, ids }) => [code, ids]);
}

test('what was written is sealed at the run after next, each range behind the one before it', async () => {
  await billing.aSchool();
  expect((await auditSealer.run()).sealed).toBe(0);
  const first = await runSettled();
  expect(first).toMatchObject({ sealed: 1, seal: expect.stringMatching(/^[0-9a-f]{64}$/) });
  await billing.aSchool();
  await billing.aSchool();
  await sealEverything();
  const last = await newestEntry();
  expect(await seals()).toEqual([
    { first: 1, last: last - 2, entries: last - 2 },
    { first: last - 1, last, entries: 2 },
  ]);
  expect(await sealAll()).toBe(0);
  expect(await findings()).toEqual([]);
});

test('an entry whose transaction is still under way holds up the seal, and is in it', async () => {
  await slow.query('begin');
  await slow.query(
    `insert into audit_log (at, principal, action, object) values (now(), 'slow', 'school_updated', 'school:1')`,
  );
  const late = (await newestEntry()) + 1;
  await billing.aSchool();
  expect(await sealAll()).toBe(0);
  await slow.query('commit');
  expect(await sealEverything()).toBe(2);
  expect((await seals()).at(-1)).toEqual({ first: late, last: late + 1, entries: 2 });
  expect(await findings()).toEqual([]);
});

describe('a change of what is sealed is found, by whomever it was made', () => {
  const lastSeal = `(select max(id) from audit_seals)`;
  const lastEntry = `(select last_id from audit_seals where id = ${lastSeal})`;
  test.each([
    ['a flipped byte', `update audit_log set after = '{"amount": "1.00"}' where id = ${lastEntry}`],
    ['another name', `update audit_log set principal = 'user 1' where id = ${lastEntry}`],
    ['an entry less', `delete from audit_log where id = ${lastEntry}`],
  ])('%s', async (_, statement) => {
    await billing.owner.query('create table kept as select * from audit_log');
    await billing.owner.query(statement);
    const [{ rows: seal }, broken] = [
      await billing.owner.query(`select id, first_id, last_id from audit_seals where id = ${lastSeal}`),
      await findings(),
    ];
    const { id, first_id, last_id } = Object(seal[0]);
    const ids = { audit_seal_id: Number(id), first_id: Number(first_id), last_id: Number(last_id) };
    expect(broken).toEqual([['audit_entries_differ', ids]]);
    await billing.owner.query('truncate audit_log; insert into audit_log select * from kept; drop table kept');
    expect(await findings()).toEqual([]);
  });
});

test('after five years the entries of a seal go, not one day before, and the seals stay', async () => {
  const before = await seals();
  const [first] = before;
  const age = async (table: 'audit_seals' | 'audit_log', interval: string): Promise<void> => {
    const [column, last] = table === 'audit_log' ? ['at', 'id'] : ['sealed_at', 'last_id'];
    await billing.owner.query(
      `update ${table} set ${column} = now() - interval '${interval}' where ${last} <= ${first?.last}`,
    );
  };
  await age('audit_log', '5 years 1 day');
  await age('audit_seals', '4 years 364 days');
  expect((await auditSealer.run()).forgotten).toBe(0);
  await age('audit_seals', '5 years 1 day');
  expect((await auditSealer.run()).forgotten).toBe(first?.entries);
  expect(await seals()).toEqual(before);
  expect(await findings()).toEqual([]);
  const { rows } = await billing.owner.query<{ id: string }>('select min(id) as id from audit_log');
  expect(Number(rows[0]?.id)).toBe(Number(first?.last) + 1);
});

test.each(['max(id) + 1', 'min(id)'])(
  'what is younger is not forgotten, whatever a seal says that somebody made as the server: one up to the %s',
  async (last) => {
    const count = async (): Promise<unknown> => (await billing.owner.query('select count(*) from audit_log')).rows;
    const before = await count();
    await billing.owner.query(
      `insert into audit_seals (first_id, last_id, entries, hash, sealed_at)
     select -1, ${last}, 1, sha256(''), now() - interval '6 years' from audit_log`,
    );
    expect((await auditSealer.run()).forgotten).toBe(0);
    expect(await count()).toEqual(before);
    await billing.owner.query('delete from audit_seals where id = (select max(id) from audit_seals)');
  },
);
