import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { COMMAND_LINE } from '../../../src/domain/access/actor.ts';
import { FINDING_CODES, type Finding } from '../../../src/domain/reporting/reconciliation.ts';
import { Pool, type Sql } from '../../../src/infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../../src/infrastructure/postgres/sql.ts';
import { ReconciliationRepository } from '../../../src/repositories/reporting/reconciliation-repository.ts';
import { ReconciliationService } from '../../../src/services/reporting/reconciliation-service.ts';
import { startBilling } from '../../support/billing.ts';
import { databaseUrl } from '../../support/postgres-server.ts';
import { AUDIT } from './planted/audit.ts';
import { BOOKS } from './planted/books.ts';
import { FAMILIES } from './planted/families.ts';
import { makeRows, type Planted, type Rows } from './planted/fixture.ts';
import { CONSTRAINTS, KEYS } from './planted/keys-and-constraints.ts';
import { LINKS } from './planted/links.ts';
import { MONEY, UNSEEN } from './planted/money.ts';
import { TIMES } from './planted/times.ts';
import { YEAR } from './planted/year.ts';

/*
 * Each error is planted in a transaction, as the owner of the tables could, with what stands in its way dropped; the check
 * runs inside it, and all of it is rolled back.
 */

const billing = await startBilling();
const pool = new Pool({
  connectionString: databaseUrl(inject('postgres').ownerUrl, new URL(billing.url).pathname.slice(1)),
  connectionsMax: 1,
  connectTimeoutMs: 10_000,
  statementTimeoutMs: 10_000,
  lockTimeoutMs: 10_000,
  idleInTransactionTimeoutMs: 60_000,
  prepare: true,
});

/** Few rows take less time than the plans of so many statements, which are kept: but not that of the catalogs, which are large. */
class Repository extends ReconciliationRepository {
  readonly #on: Sql;

  constructor(on: Sql) {
    super(on);
    this.#on = on;
  }

  override async listFindings(
    ...[actor, position, ...limits]: ListFindings
  ): ReturnType<ReconciliationRepository['listFindings']> {
    if (position.subject === 'constraints') await this.#on.count(sql`set local plan_cache_mode = force_custom_plan`);
    return await super.listFindings(actor, position, ...limits);
  }
}
type ListFindings = Parameters<ReconciliationRepository['listFindings']>;

let rows: Rows;
/** What is a person's or a caller's, and in no finding. */
const secrets = ['a-key'];
beforeAll(async () => {
  rows = await makeRows(billing);
  // Two seals: what there is, and what is made then.
  await sealed(1);
  await billing.aSchool();
  await sealed(2);
  const people = await billing.owner.query<{ email: string; last_name: string }>(
    'select email, last_name from students',
  );
  secrets.push(...people.rows.flatMap(({ email, last_name }) => [email, last_name]));
});
afterAll(async () => await pool.end());

/** Seals the audit log until there are so many seals: transactions of other databases hold it up, too. */
async function sealed(seals: number): Promise<void> {
  const { auditSealer } = billing.product.services;
  for (let tries = 0; tries < 500; tries++) {
    const { rows: found } = await billing.owner.query<{ count: string }>('select count(*) from audit_seals');
    if (Number(found[0]?.count) >= seals) return;
    if ((await auditSealer.run()).sealed === 0) await setTimeout(10);
  }
  throw new Error(`there are not ${seals} seals`);
}

class RolledBack extends Error {
  readonly findings: readonly Finding[];
  constructor(findings: readonly Finding[]) {
    super('rolled back');
    this.findings = findings;
  }
}

async function findingsAfter(statements: readonly string[]): Promise<readonly Finding[]> {
  try {
    await pool.transaction({}, async (on) => {
      for (const statement of statements) await on.count(plain(statement));
      const service = new ReconciliationService({
        unitOfWork: { read: async (work) => await work({ reconciliation: new Repository(on) }) },
        clock: billing.clock,
        log: { info: () => undefined },
      });
      throw new RolledBack((await service.run(COMMAND_LINE)).findings);
    });
  } catch (error) {
    if (error instanceof RolledBack) return error.findings;
    throw error;
  }
  throw new Error('the transaction ends by its error');
}

function plain(text: string): Statement {
  return sql(Object.assign([text], { raw: [text] }));
}

/** What was dropped to plant an error is found as well, which is no part of the error. */
function codesOf(findings: readonly Finding[], planted: Planted): Set<string> {
  const isPartOfIt = planted.code.startsWith('constraint_');
  return new Set(findings.map(({ code }) => code).filter((code) => isPartOfIt || code !== 'constraint_missing'));
}

const ALL = [...TIMES, ...MONEY, ...KEYS, ...CONSTRAINTS, ...LINKS, ...BOOKS, ...FAMILIES, ...YEAR, ...AUDIT];

test('nothing is found where nothing was planted', async () => {
  expect(await findingsAfter([])).toEqual([]);
});

describe.each(Object.entries({ TIMES, MONEY, KEYS, CONSTRAINTS, LINKS, BOOKS, FAMILIES, YEAR, AUDIT }))(
  '%s',
  (_, planted) => {
    test.each(planted.map((one) => [one.what, one] as const))('%s', async (_what, one) => {
      const found = await findingsAfter(one.how(rows));
      if (one.undo !== undefined) await billing.owner.query(one.undo);
      const matching: unknown = expect.objectContaining({
        code: one.code,
        ...(one.ids === undefined ? {} : { ids: expect.objectContaining(one.ids(rows)) }),
        ...(one.stored === undefined ? {} : { stored: expect.stringMatching(exact(one.stored)) }),
        ...(one.expected === undefined ? {} : { expected: expect.stringMatching(exact(one.expected)) }),
      });
      expect(found).toContainEqual(matching);
      const unforeseen = [...codesOf(found, one)].filter(
        (code) => ![one.code, ...(one.also ?? [])].some((c) => c === code),
      );
      expect(unforeseen).toEqual([]);
      for (const secret of secrets) expect(JSON.stringify(found)).not.toContain(secret);
    });
  },
);

test('every finding has an error that it names', () => {
  expect([...new Set(ALL.map(({ code }) => code))].sort()).toEqual([...FINDING_CODES].sort());
  expect(ALL.length).toBeGreaterThanOrEqual(40);
});

test.each(UNSEEN.map((one) => [one.what, one.how] as const))('what only a journal shows: %s', async (_, how) => {
  expect(await findingsAfter(how(rows))).toEqual([]);
});

// It is not known what the policy said when the fees were made.
test('fees above a policy that was changed since are no error', async () => {
  expect(await findingsAfter(['update late_fee_steps set amount = 149'])).toEqual([]);
});

function exact(pattern: string | RegExp): RegExp {
  return typeof pattern === 'string' ? new RegExp(`^${pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`) : pattern;
}
