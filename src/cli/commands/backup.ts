import { parseArgs } from 'node:util';
import type { Config } from '../../config.ts';
import { writeBackup } from '../../infrastructure/postgres/backup/write.ts';
import { VERSION } from '../../infrastructure/version.ts';
import { openDatabase } from '../database.ts';
import { CommandError, explainLoss, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { withBar } from '../progress.ts';

export const BACKUP_HELP = `Usage: mattilda-billing backup FILE

Writes every row of one moment into FILE, compressed, for mattilda-billing restore. The server may go on working;
only migrations wait meanwhile. FILE has its name once it is complete and on the disk: a file that is there under that
name is replaced then, and stays as it is when something fails. Nobody but you may read it. It holds names, e-mails and
answers kept for repeats: keep it where nobody else comes, or encrypt it.

Exit codes: 0 written, 1 it failed, 2 it was asked wrongly.
Works on DATABASE_MIGRATION_URL, else DATABASE_URL, else the embedded database, whether or not the server is running.`;

/** Resolves with the exit code. */
export async function backup(args: string[], config: Config, io: Io): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError(`Name one file.\n\n${BACKUP_HELP}`);

  const database = await openDatabase(config, 'join', io.say);
  try {
    const { migrations } = await database.look('owner');
    if (migrations.every(({ appliedAt }) => appliedAt === null)) {
      throw new CommandError('There is nothing to back up: no migration was ever applied to this database.');
    }
    const interrupted = new AbortController();
    void io.signalled().then((name) => interrupted.abort(new CommandError(`${name}: nothing was written`)));
    const { signal } = interrupted;
    const { rows, bytes, schema } = await withBar(io, 'writing', async (onProgress) => {
      return await writeBackup({ url: database.ownerUrl, path, version: VERSION, onProgress, signal });
    }).catch((error: unknown) => {
      // What was under way when the signal came fails in its own way.
      throw signal.aborted ? signal.reason : explainLoss(error, 'nothing was written');
    });
    io.out(`Written to ${path}: ${rowsOf(rows)}, ${bytes.toLocaleString('en')} bytes, schema ${schema}.`);
    return 0;
  } finally {
    await database.stop();
  }
}

/** `31 rows of 9 tables`. */
export function rowsOf(rows: Readonly<Record<string, number>>): string {
  const counts = Object.values(rows);
  const sum = counts.reduce((total, count) => total + count, 0);
  return `${sum.toLocaleString('en')} rows of ${counts.length} tables`;
}
