import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, inject, test } from 'vitest';
import { migrateUp } from '../../src/infrastructure/postgres/migrate.ts';
import { runOn } from '../support/postgres-server.ts';
import { aBackup, aDatabase, env, rowsOf, source } from './backup.support.ts';
import { cli, temporaryDirectory } from './support.ts';

const { template } = inject('postgres');

describe('what is refused, and nothing is restored', () => {
  const headOf = (bytes: Buffer): string => gunzipSync(bytes).toString('utf8');
  const changed = (bytes: Buffer, from: string | RegExp, to: string): Buffer => {
    const text = headOf(bytes);
    expect(text).toMatch(from);
    return gzipSync(text.replace(from, to));
  };

  test('1: files that are cut short, damaged or changed', async () => {
    const file = await aBackup();
    const whole = readFileSync(file);
    const flipped = (at: number): Buffer => {
      const copy = Buffer.from(whole);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    const text = headOf(whole);
    const { url, env: target } = await aDatabase(template);
    const empty = await rowsOf(url);
    const bad: [string, Buffer][] = [
      ['half', whole.subarray(0, whole.length / 2)],
      ['all but the last byte', whole.subarray(0, -1)],
      ['a bit in the middle', flipped(Math.trunc(whole.length / 2))],
      ['a bit of the checksum of gzip', flipped(whole.length - 6)],
      ['without its end', gzipSync(text.slice(0, text.lastIndexOf('-- end')))],
      ['with more than its end', gzipSync(`${text}-- more\n`)],
      ['an amount changed', changed(whole, '\t50.00\t', '\t50.01\t')],
      ['a row more', changed(whole, /\nCOPY "payments"[^\n]*\n([^\n]*\n)/, '$&$1')],
      ['a sequence set back', changed(whole, /payments_id_seq"', \d+/, `payments_id_seq"', 1`)],
      ['a column less', changed(whole, ', "reference"', '')],
      ['nothing', Buffer.alloc(0)],
    ];
    for (const [what, bytes] of bad) {
      writeFileSync(file, bytes);
      const { code, err } = await cli(['restore', file], target);
      expect({ what, code, err }).toMatchObject({ code: 1, err: expect.stringMatching(/damaged|cut short/) });
      expect(err).not.toContain('    at ');
      const { sequences: _, ...rows } = await rowsOf(url);
      const { sequences: __, ...none } = empty;
      expect({ what, rows }).toEqual({ what, rows: none });
    }
    writeFileSync(file, whole);
    expect(await cli(['restore', file], target)).toMatchObject({ code: 0 });
  });

  test('1: a database with rows in it, whatever its schema; and they stay', async () => {
    const file = await aBackup();
    const before = await rowsOf(source);
    expect(await cli(['restore', file], env)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^This database is not empty: there are rows in .*DATA_DIR/),
    });
    expect(await rowsOf(source)).toEqual(before);

    const older = await aDatabase();
    await migrateUp({ url: older.url, to: '0003' });
    await runOn(older.url, `insert into schools (name, country, currency) values ('Old', 'MX', 'MXN')`);
    expect(await cli(['restore', file], older.env)).toMatchObject({
      code: 1,
      err: expect.stringContaining('not empty'),
    });
    expect((await cli(['migrate', 'status'], older.env)).out).toMatch(/0004_document_numbers +missing/);
  });

  test('1: an empty database that is ahead of the backup', async () => {
    const old = await aDatabase();
    await migrateUp({ url: old.url, to: '0003' });
    const file = join(temporaryDirectory(), 'backup.gz');
    await cli(['backup', file], old.env);
    const { env: target } = await aDatabase(template);
    expect(await cli(['restore', file], target)).toMatchObject({
      code: 1,
      err: expect.stringContaining('schema of a later version than the backup'),
    });
  });

  test('1: newer, edited or other files, before a database is so much as looked at', async () => {
    const file = await aBackup();
    const whole = readFileSync(file);
    const nowhere = { DATABASE_URL: 'postgresql://nobody:x@127.0.0.1:1/x' };
    const cases: [Buffer, RegExp][] = [
      [changed(whole, '"0012_', '"0112_'), /made by another version.*0112_\w+, which this one does not have/],
      [changed(whole, /("0001_billing_schema","digest":")./, '$1-'), /0001_billing_schema was edited since/],
      [changed(whole, 'backup 1\n', 'backup 2\n'), /format 2, and this version reads 1/],
      [gzipSync('select 1;\n'), /is no backup of mattilda-billing/],
      [Buffer.from('PGDMP'), /is damaged/],
    ];
    for (const [bytes, message] of cases) {
      writeFileSync(file, bytes);
      expect(await cli(['restore', file], nowhere)).toMatchObject({ code: 1, err: expect.stringMatching(message) });
    }
    expect(await cli(['restore', `${file}.none`], nowhere)).toMatchObject({
      code: 1,
      err: expect.stringContaining('ENOENT'),
    });
  });

  test('1: nothing to back up, nowhere to write it, a database that is away; no half file', async () => {
    const directory = temporaryDirectory();
    const { env: empty } = await aDatabase();
    expect(await cli(['backup', join(directory, 'x')], empty)).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is nothing to back up'),
    });
    expect(await cli(['backup', join(directory, 'none', 'x')], env)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^\S+ cannot be written: ENOENT/),
    });
    expect(await cli(['backup', directory], env)).toMatchObject({
      code: 1,
      err: expect.stringContaining('cannot be written'),
    });
    expect(readdirSync(directory)).toEqual([]);
  });
});
