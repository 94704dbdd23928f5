import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { constraintOf, sqlStateOf } from '../errors.ts';
import { quoted, readSequences, readTables, type Sequence, type Table } from './catalogue.ts';
import { BackupError } from './errors.ts';
import { BackupReader, countRows, type Head } from './format.ts';
import { withBackupClient } from './session.ts';

export type Progress = Readonly<{ table: string; done: number; total: number }>;

/** What to do where there are rows. */
export const NEW_DATABASE =
  'Restore into a new one: set DATA_DIR to a new directory, or DATABASE_URL to a new database';

/** What a backup says of itself. @throws BackupError when the file is none, or cannot be read */
export async function readHead(path: string): Promise<Head> {
  const reader = await BackupReader.open(path);
  reader.close();
  return reader.head;
}

/** @throws BackupError when there are rows in any table */
export async function refuseFilled(url: string): Promise<void> {
  await withBackupClient(url, async (client) => await refuseRows(client, await readTables(client)));
}

/**
 * Fills the empty tables of a database with the rows of a backup, all of them or none, and lets its sequences go on
 * where they were. The schema is that of the backup.
 *
 * @param of.url of the role that owns the tables
 * @param of.isNew the tables were made a moment ago for this: rows that their migrations put in give way
 * @throws BackupError when the database is not empty, or the file is damaged
 */
export async function restoreRows(of: {
  url: string;
  path: string;
  isNew: boolean;
  onProgress?: (progress: Progress) => void;
}): Promise<Readonly<Record<string, number>>> {
  const { size: total } = await stat(of.path);
  const reader = await BackupReader.open(of.path);
  try {
    return await withBackupClient(of.url, async (client) => {
      await client.query('begin');
      await takeTables(client, reader.head, of.isNew);
      const rows: Record<string, number> = {};
      for (const table of reader.head.tables) {
        rows[table.name] = await fill(client, table, reader, () =>
          of.onProgress?.({ table: table.name, done: reader.bytesRead, total }),
        );
      }
      // Also says whether every byte was as it was written.
      await setSequences(client, await reader.sequences());
      await client.query('commit');
      return rows;
    });
  } finally {
    reader.close();
  }
}

/** Locks every table against writers and sees that there is nothing in it. */
async function takeTables(client: pg.ClientBase, head: Head, isNew: boolean): Promise<void> {
  const tables = await readTables(client);
  const here = tables.map(({ name, columns }) => `${name} (${[...columns].sort().join(', ')})`).sort();
  const there = head.tables.map(({ name, columns }) => `${name} (${[...columns].sort().join(', ')})`).sort();
  const differs = [...here.filter((one) => !there.includes(one)), ...there.filter((one) => !here.includes(one))];
  if (differs.length > 0) {
    throw new BackupError(`The schema is not the one of the backup, although the migrations are: ${differs[0]}`);
  }
  try {
    await client.query(`lock table ${tables.map(({ name }) => quoted(name)).join(', ')} in share row exclusive mode`);
  } catch (error) {
    // 55P03 lock_not_available.
    if (sqlStateOf(error) !== '55P03') throw error;
    throw new BackupError('Somebody is writing to this database. Stop the server first.', { cause: error });
  }
  if (isNew) for (const { name } of [...tables].reverse()) await client.query(`delete from ${quoted(name)}`);
  await refuseRows(client, tables);
}

async function refuseRows(client: pg.ClientBase, tables: readonly Table[]): Promise<void> {
  for (const { name } of tables) {
    const { rowCount } = await client.query(`select from ${quoted(name)} limit 1`);
    if (rowCount === 0) continue;
    throw new BackupError(
      `This database is not empty: there are rows in ${name}. Nothing was changed. ${NEW_DATABASE}.`,
    );
  }
}

/** @returns how many rows there were */
async function fill(
  client: pg.ClientBase,
  table: Head['tables'][number],
  reader: BackupReader,
  onPiece: () => void,
): Promise<number> {
  let count = 0;
  const columns = table.columns.map(quoted).join(', ');
  const rows = async function* (): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of reader.rows(table)) {
      count += countRows(piece);
      yield piece;
      onPiece();
    }
  };
  try {
    await pipeline(rows, client.query(copyFrom(`copy ${quoted(table.name)} (${columns}) from stdin`)));
  } catch (error) {
    // 22 data exception, 23 integrity constraint violation. What PostgreSQL says of it holds values.
    if (!/^2[23]/.test(sqlStateOf(error) ?? '')) throw error;
    const constraint = constraintOf(error);
    throw new BackupError(
      `The backup is damaged: a row of ${table.name} is refused${constraint === undefined ? '' : ` by ${constraint}`}. Nothing was restored.`,
    );
  }
  return count;
}

async function setSequences(client: pg.ClientBase, sequences: readonly Sequence[]): Promise<void> {
  const known = new Set((await readSequences(client)).map(({ name }) => name));
  for (const { name, value, isCalled } of sequences) {
    if (!known.has(name)) throw new BackupError(`There is no sequence ${name} in this schema.`);
    await client.query('select setval($1::regclass, $2::bigint, $3::boolean)', [quoted(name), value, isCalled]);
  }
}
