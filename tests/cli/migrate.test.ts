import { randomBytes } from 'node:crypto';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { migrate } from '../../src/cli/commands/migrate.ts';
import { readConfig } from '../../src/config.ts';
import { MIGRATIONS_DIR } from '../../src/infrastructure/postgres/migration-files.ts';
import { databaseUrl, runOn } from '../support/postgres-server.ts';
import { cli, Terminal, temporaryDirectory } from './support.ts';

const { ownerUrl } = inject('postgres');
const name = `migrate_cli_${randomBytes(6).toString('hex')}`;
await runOn(ownerUrl, `create database ${name}`);
afterAll(async () => await runOn(ownerUrl, `drop database ${name} with (force)`));
const env = { DATABASE_URL: databaseUrl(ownerUrl, name) };

const names = readdirSync(MIGRATIONS_DIR)
  .filter((file) => file.endsWith('.up.sql'))
  .map((file) => file.slice(0, -'.up.sql'.length))
  .sort();
const newest = names.at(-1) ?? '';
const last = Number(newest.slice(0, 4));

describe('mattilda-billing migrate', () => {
  test('status of an empty database: 1, everything is missing', async () => {
    const { code, out } = await cli(['migrate', 'status'], env);
    expect(code).toBe(1);
    expect(out.trimEnd().split('\n')).toEqual(names.map((one) => `${one.padEnd(44)} missing`));
  });

  test('up --to stops there; up goes on; up again has nothing to do', async () => {
    const first = await cli(['migrate', 'up', '--to', '0001'], env);
    expect(first).toEqual({ code: 0, out: `Applied: ${names[0]}\n`, err: `applying ${names[0]}\n` });
    const rest = await cli(['migrate'], env);
    expect(rest).toMatchObject({ code: 0, out: `Applied: ${names.slice(1).join(', ')}\n` });
    expect(await cli(['migrate', 'up'], env)).toEqual({
      code: 0,
      out: 'Nothing to do: the schema is current.\n',
      err: '',
    });
    const { code, out } = await cli(['migrate', 'status'], env);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^${newest} +applied \\d{4}-\\d\\d-\\d\\dT`, 'm'));
  });

  test('down takes back the newest, --steps as many as there are', async () => {
    expect(await cli(['migrate', 'down'], env)).toMatchObject({ code: 0, out: `Taken back: ${newest}\n` });
    const rest = names.slice(0, -1).reverse();
    expect(await cli(['migrate', 'down', '--steps', '9'], env)).toMatchObject({
      code: 0,
      out: `Taken back: ${rest.slice(0, 9).join(', ')}\n`,
    });
    await cli(['migrate', 'down', '--steps', '9999'], env);
    expect(await cli(['migrate', 'down'], env)).toMatchObject({ code: 0, out: 'Nothing to take back.\n' });
  });

  test('a migration that another version applied stands in the way of down, until it is forgotten', async () => {
    const database = `migrate_cli_${randomBytes(6).toString('hex')}`;
    await runOn(ownerUrl, `create database ${database}`);
    onTestFinished(async () => await runOn(ownerUrl, `drop database ${database} with (force)`));
    const own = { DATABASE_URL: databaseUrl(ownerUrl, database) };
    const gone = '9999_from_the_future';
    await cli(['migrate'], own);
    await runOn(own.DATABASE_URL, `insert into schema_migrations (name, digest) values ('${gone}', 'x')`);

    const down = await cli(['migrate', 'down'], own);
    expect(down).toMatchObject({ code: 1, err: expect.stringContaining(`mattilda-billing migrate forget ${gone}`) });
    expect(down.err).not.toContain('    at ');

    for (const [what, why] of [
      [newest, `${newest} has a file`],
      ['9998_never', '9998_never is not applied'],
    ] as const) {
      const refused = await cli(['migrate', 'forget', what], own);
      expect(refused).toMatchObject({ code: 1, err: expect.stringContaining(why) });
    }
    expect((await cli(['migrate', 'forget'], own)).code).toBe(2);

    expect(await cli(['migrate', 'forget', gone], own)).toMatchObject({ code: 0 });
    expect(await cli(['migrate', 'down'], own)).toMatchObject({ code: 0, out: `Taken back: ${newest}\n` });
  });

  test.each(['0', '-1', '1.5', 'x'])('2: --steps=%s', async (steps) => {
    expect(await cli(['migrate', 'down', `--steps=${steps}`], env)).toEqual({
      code: 2,
      out: '',
      err: '--steps must be a whole number from 1\n',
    });
  });

  test('1: --to a migration that is none', async () => {
    expect(await cli(['migrate', 'up', '--to', '0815'], env)).toEqual({
      code: 1,
      out: '',
      err: 'there is no migration 0815\n',
    });
  });

  test.each([['sideways'], ['up', 'now']])('2: migrate %s %s is no action, and says which are', async (...argv) => {
    const { code, err } = await cli(['migrate', ...argv], env);
    expect(code).toBe(2);
    expect(err).toContain(`There is no migrate ${argv.join(' ')}.`);
    expect(err).toContain('down [--steps N]');
  });

  test('works on DATABASE_MIGRATION_URL alone: the role of DATABASE_URL may not be there yet', async () => {
    const nobody = new URL(env.DATABASE_URL);
    nobody.username = 'nobody_yet';
    const { code } = await cli(['migrate', 'up', '--to', '0001'], {
      DATABASE_URL: nobody.href,
      DATABASE_MIGRATION_URL: env.DATABASE_URL,
    });
    expect(code).toBe(0);
  });
});

describe('mattilda-billing migrate make', () => {
  test.each([[['add_campus']], [['add-campus']], [['Add', 'Campus']]])(
    '%j makes a pair with the next number',
    async (words) => {
      const directory = temporaryDirectory();
      cpSync(MIGRATIONS_DIR, directory, { recursive: true });
      const terminal = new Terminal({});
      const number = String(last + 1).padStart(4, '0');

      expect(await migrate(['make', ...words], readConfig({}), terminal.io, directory)).toBe(0);

      const fresh = readdirSync(directory).filter((file) => file.startsWith(number));
      expect(fresh.sort()).toEqual([`${number}_add_campus.down.sql`, `${number}_add_campus.up.sql`]);
      expect(readFileSync(join(directory, `${number}_add_campus.up.sql`), 'utf8')).toMatch(
        /^-- \d{4}: what changes\.\n/,
      );
      expect(terminal.out).toContain(`${number}_add_campus.up.sql`);
    },
  );

  test.each([[[]], [['1st']], [['a/b']], [['a'.repeat(41)]], [["x'; drop"]]])('2: %j is no name', async (words) => {
    const { code, err } = await cli(['migrate', 'make', ...words]);
    expect(code).toBe(2);
    expect(err).toContain('npm run migrate:make add_campus');
  });
});
