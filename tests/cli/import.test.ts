import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startBilling } from '../support/billing.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { cli } from './support.ts';

const billing = await startBilling();
const env = { DATABASE_URL: billing.url, ...POOLER_ENV };
const directory = await mkdtemp(join(tmpdir(), 'mattilda-import-'));
afterAll(async () => await rm(directory, { recursive: true }));

async function aFile(csv: string): Promise<string> {
  const path = join(directory, `${Math.random()}.csv`);
  await writeFile(path, csv);
  return path;
}

test('0: writes a file and counts its rows; a dry run counts and writes nothing', async () => {
  const school = String(await billing.aSchool());
  const path = await aFile('external_id;first_name;last_name\nC1;Ana;Gil\nC2;Beto;Gil\n');
  const tried = await cli(['import', 'students', path, '--school', school, '--dry-run'], env);
  expect(tried).toMatchObject({ code: 0, out: '2 rows: 2 created, 0 updated, 0 unchanged, 0 errors\n' });
  expect((await billing.get(`/students?school_id=${school}`)).body).toEqual([]);
  const written = await cli(['import', 'students', path, '--school', school], env);
  expect(written).toMatchObject({ code: 0, out: tried.out });
  expect((await cli(['import', 'students', path, '--school', school], env)).out).toContain('2 unchanged');
});

test('1: tells every wrong cell by its line, and writes nothing', async () => {
  const school = String(await billing.aSchool());
  const path = await aFile('external_id,first_name,last_name,email\nD1,Ana,Gil,\n,Beto,Gil,x\n');
  const refused = await cli(['import', 'students', path, '--school', school], env);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('line 3, external_id: must not be empty\nline 3, email: must be an email address\n');
  expect(refused.err).toContain('Nothing was written: the file has 2 errors');
  expect((await billing.get(`/students?school_id=${school}`)).body).toEqual([]);
});

test('2: asked wrongly; 1: a file or a school that is not there', async () => {
  expect((await cli(['import', 'teachers', 'x.csv', '--school', '1'], env)).code).toBe(2);
  expect((await cli(['import', 'students', 'x.csv'], env)).code).toBe(2);
  const missing = await cli(['import', 'students', join(directory, 'none.csv'), '--school', '1'], env);
  expect(missing).toMatchObject({ code: 1, err: expect.stringContaining('cannot be read') });
  const path = await aFile('external_id,first_name,last_name\n');
  const unknown = await cli(['import', 'students', path, '--school', '999999'], env);
  expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('School with id 999999 not found') });
});
