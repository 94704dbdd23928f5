import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { explainDatabase, explainLoss, explainMigration } from '../../src/cli/errors.ts';
import { startEmbeddedPostgres } from '../../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { VERSION } from '../../src/infrastructure/version.ts';
import { databaseUrl, runOn } from '../support/postgres-server.ts';
import { cli, temporaryDirectory } from './support.ts';

const { ownerUrl, appUrl } = inject('postgres');

describe('help', () => {
  test.each([['--help'], ['-h'], ['help'], ['help', 'nothing']])('0: %s %s', async (...argv) => {
    const { code, out, err } = await cli(argv);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const command of ['serve', 'migrate', 'seed', 'check']) expect(out).toContain(`\n  ${command} `);
  });

  test.each(['serve', 'migrate', 'seed', 'check'])('0: %s --help, -h, and help %s', async (command) => {
    const { code, out } = await cli([command, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^Usage: mattilda-billing ${command}`));
    expect(await cli([command, '-h'])).toEqual({ code: 0, out, err: '' });
    expect(await cli(['help', command])).toEqual({ code: 0, out, err: '' });
  });

  test.each(['--version', '-v'])('0: %s', async (option) => {
    expect(await cli([option])).toEqual({ code: 0, out: `${VERSION}\n`, err: '' });
  });

  test('2: no command', async () => {
    expect(await cli([])).toMatchObject({ code: 2, out: '' });
  });

  test.each(['invoice', 'toString'])('2: %s is no command', async (name) => {
    const { code, err } = await cli([name]);
    expect(code).toBe(2);
    expect(err).toMatch(new RegExp(`^There is no command ${name}\\.`));
  });

  test.each(['serve', 'seed', 'check', 'migrate'])('2: %s --unknown', async (command) => {
    const { code, err } = await cli([command, '--unknown']);
    expect(code).toBe(2);
    expect(err).toContain("'--unknown'");
    expect(err).not.toContain('    at ');
  });
});

describe('what a person can mend is said in words, without a stack', () => {
  test('2: a wrong configuration, every variable at once', async () => {
    const { code, err } = await cli(['serve'], { PORT: 'x', READ_ACCESS: 'maybe' });
    expect(code).toBe(2);
    expect(err).toBe(
      'The configuration is wrong:\n  READ_ACCESS must be one of public, key\n  PORT must be a whole number from 0 to 65535\n',
    );
  });

  /** A server that speaks just enough of PostgreSQL's protocol to tell its version. */
  async function aPostgresOfVersion(number: string): Promise<string> {
    const message = (type: string, ...parts: Buffer[]): Buffer => {
      const body = Buffer.concat(parts);
      const head = Buffer.alloc(5);
      head.write(type);
      head.writeInt32BE(body.length + 4, 1);
      return Buffer.concat([head, body]);
    };
    const numbers = (format: string, ...values: number[]): Buffer =>
      Buffer.concat(
        values.map((value, index) => {
          const buffer = Buffer.alloc(format[index] === 'i' ? 4 : 2);
          if (format[index] === 'i') buffer.writeInt32BE(value);
          else buffer.writeInt16BE(value);
          return buffer;
        }),
      );
    const ready = message('Z', Buffer.from('I'));
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write(Buffer.concat([message('R', numbers('i', 0)), ready]));
        socket.once('data', () => {
          const column = Buffer.concat([Buffer.from('server_version_num\0'), numbers('ihihih', 0, 0, 25, -1, -1, 0)]);
          const row = Buffer.concat([numbers('hi', 1, number.length), Buffer.from(number)]);
          socket.write(
            Buffer.concat([
              message('T', numbers('h', 1), column),
              message('D', row),
              message('C', Buffer.from('SHOW\0')),
              ready,
            ]),
          );
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    return `postgresql://u:p@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/x`;
  }

  test('1: PostgreSQL 15', async () => {
    const { code, err } = await cli(['serve'], { DATABASE_URL: await aPostgresOfVersion('150004') });
    expect(code).toBe(1);
    expect(err).toBe(
      'DATABASE_URL leads to PostgreSQL 15; 16 or newer is needed.\nUpgrade it, or unset DATABASE_URL to use the embedded one.\n',
    );
  });

  function changed(change: (url: URL) => void): string {
    const url = new URL(databaseUrl(ownerUrl, 'postgres'));
    change(url);
    return url.href;
  }

  test.each([
    ['a port where nothing listens', changed((url) => (url.port = '1')), 'nothing listens at '],
    ['an unknown host', changed((url) => (url.hostname = 'nowhere.invalid')), 'there is no host nowhere.invalid'],
    ['a wrong password', changed((url) => (url.password = 'not-the-password')), 'refuses the user'],
    ['no password', changed((url) => (url.password = '')), 'refuses the user'],
    ['an unknown user', changed((url) => (url.username = 'nobody_at_all')), 'refuses the user nobody_at_all'],
    ['an unknown database', changed((url) => (url.pathname = '/not_there')), 'there is no database not_there'],
  ])('1: DATABASE_URL with %s', async (_what, url, words) => {
    const { code, err } = await cli(['serve'], { DATABASE_URL: url });
    expect(code).toBe(1);
    expect(err).toContain(`DATABASE_URL does not work: `);
    expect(err).toContain(words);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(err).not.toContain('not-the-password');
  });

  test.each([
    [{ code: 'ETIMEDOUT' }, 'does not answer'],
    [{ message: 'timeout expired' }, 'does not answer'],
    [{ code: '53300' }, 'has no connection to spare'],
    [{ code: '57P03' }, 'is starting or stopping'],
    [{ message: 'The server does not support SSL connections' }, 'does not support SSL'],
    [{ code: 'DEPTH_ZERO_SELF_SIGNED_CERT', message: 'self-signed certificate' }, 'self-signed certificate'],
    [{ code: 'ENOENT', path: '/none/ca.pem' }, 'no file /none/ca.pem'],
    [{ message: 'Connection terminated unexpectedly' }, 'hangs up. Is it PostgreSQL?'],
  ])('%j in words', (of, words) => {
    const error = Object.assign(new Error('x'), of);
    expect(String(explainDatabase(error, 'postgresql://u:secret@h/db', 'DATABASE_URL'))).toContain(words);
  });

  test('what nobody has words for stays as it is', () => {
    const error = new Error('odd');
    expect(explainLoss(error, 'nothing was written')).toBe(error);
    expect(explainMigration(error, 'postgresql://u@h/db')).toBe(error);
    const held = Object.assign(new Error('canceling statement due to lock timeout'), {
      code: '55P03',
      severity: 'ERROR',
    });
    expect(String(explainLoss(held, 'nothing was written'))).toContain('too long: nothing was written. Try again.');
    expect(explainDatabase(error, 'postgresql://u@h/db', 'DATABASE_URL')).toBe(error);
  });

  test('1: a role that may not migrate, a database that takes no writes, and what to do', async () => {
    const name = `run_cli_${randomBytes(6).toString('hex')}`;
    await runOn(ownerUrl, `create database ${name}`);
    onTestFinished(async () => await runOn(ownerUrl, `drop database ${name} with (force)`));
    const limited = await cli(['serve'], { DATABASE_URL: databaseUrl(appUrl, name), PORT: '0', LOG_LEVEL: 'silent' });
    expect(limited.code).toBe(1);
    expect(limited.err).toMatch(
      /^The schema .*permission denied for schema public\. mattilda_app is not the owner\.\nSet DATABASE_MIGRATION_URL .*\n$/,
    );
    await runOn(ownerUrl, `alter database ${name} set default_transaction_read_only = on`);
    for (const argv of [['serve'], ['migrate']]) {
      const standby = await cli(argv, { DATABASE_URL: databaseUrl(ownerUrl, name), PORT: '0', LOG_LEVEL: 'silent' });
      expect(standby.code).toBe(1);
      expect(standby.err).toMatch(/^The schema .* takes no writes\. Is it a standby\?.*\n$/);
    }
  });

  test('1: a wrong DATABASE_MIGRATION_URL is named as what it is', async () => {
    const { code, err } = await cli(['migrate', 'status'], {
      DATABASE_URL: databaseUrl(ownerUrl, 'postgres'),
      DATABASE_MIGRATION_URL: 'postgresql://u:p@127.0.0.1:1/x',
    });
    expect(code).toBe(1);
    expect(err).toContain('DATABASE_MIGRATION_URL does not work: nothing listens at 127.0.0.1:1.');
  });

  test('1: a file where the data directory should be', async () => {
    const path = join(temporaryDirectory(), 'file');
    writeFileSync(path, '');
    const { code, err } = await cli(['check'], { DATA_DIR: path });
    expect(code).toBe(1);
    expect(err).toMatch(/^The data directory .*file cannot be used: a file is in the way\.\nSet DATA_DIR /);
  });

  // Root may write anywhere.
  test.skipIf(process.getuid?.() === 0)('1: a data directory that may not be written', async () => {
    const path = temporaryDirectory();
    chmodSync(path, 0o500);
    const { code, err } = await cli(['check'], { DATA_DIR: join(path, 'data') });
    expect(code).toBe(1);
    expect(err).toContain('this user may not write there');
  });

  // Anybody else runs PostgreSQL as himself. Not in the temporary directory: what is closed there is opened.
  test.runIf(process.getuid?.() === 0)('1: a data directory the account of the server may not enter', async () => {
    const closed = mkdtempSync('/var/lib/mattilda-cli-');
    onTestFinished(() => rmSync(closed, { recursive: true, force: true }));
    const { code, err } = await cli(['check'], { DATA_DIR: join(closed, 'data') });
    expect(code).toBe(1);
    expect(err).toMatch(
      /^PostgreSQL does not run as root, .* may not enter \/var\/lib\/mattilda-cli-\w+\. Set DATA_DIR /,
    );
    expect(err).not.toContain('    at ');
  });
});

// One cluster is made, and spoilt in copies of it.
test('1: an embedded database that does not start, each time with one sentence', { timeout: 60_000 }, async () => {
  const whole = join(temporaryDirectory(), 'whole');
  await (await startEmbeddedPostgres({ dataDir: whole, durable: false })).stop();
  for (const [path, text, words] of [
    ['data/postgresql.conf', 'nonsense = 7\n', 'unrecognized configuration parameter "nonsense"'],
    ['data/PG_VERSION', '16\n', 'database files are incompatible with server'],
    ['data/global', undefined, 'could not find the database system'],
    ['passwords.json', '{', 'is damaged'],
    ['passwords.json', '{"owner":"x","app":"y"}', 'are not those of its database'],
  ] as const) {
    const dataDir = join(temporaryDirectory(), 'spoilt');
    execFileSync('cp', ['-a', whole, dataDir]);
    const spoilt = join(dataDir, 'postgres-18', path);
    if (text === undefined) rmSync(spoilt, { recursive: true });
    else writeFileSync(spoilt, text);
    const { code, err } = await cli(['check'], { DATA_DIR: dataDir });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(words) });
    expect(err).not.toContain('    at ');
  }
});
