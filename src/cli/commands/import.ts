import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { readCsv } from '../../api/imports/csv-input.ts';
import type { Config } from '../../config.ts';
import { COMMAND_LINE } from '../../domain/access/actor.ts';
import { IMPORT_KINDS, type ImportError, type ImportResult } from '../../domain/imports/import.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { CommandError, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { withProduct } from '../product.ts';
import { withBar } from '../progress.ts';
import { readId } from './export.ts';

export const IMPORT_HELP = `Usage: mattilda-billing import WHAT FILE --school ID [--dry-run]

All of a CSV file in one transaction, or nothing of it, of

  students    external_id*, first_name*, last_name*, email, period, grade, group, starts_on
  families    a row for each guardian and student: family_external_id*, family_name*, student_external_id*,
              guardian_name*, guardian_email, guardian_phone, relationship, is_principal, tax_id, tax_name, tax_address
  balances    kind* (DEBT or CREDIT), document*, amount*, student_external_id and due_date (of a DEBT),
              family_external_id (of a CREDIT), concept_code, issued_on, description

  --school ID   whose
  --dry-run     tell what would come of it, with all that is wrong, and write nothing

UTF-8, with commas or semicolons, days as YYYY-MM-DD, amounts with a point. Students and families are known again by their
external ids, balances by their document: a file can be imported as often as it takes.
Works on DATABASE_URL, else on the embedded database.`;

const LINE_FEED = 10;
/** Of what is wrong, so many lines are shown. */
const ERRORS_SHOWN = 50;

/** Resolves with the exit code. @throws UsageError, CommandError, DomainError `school_not_found` */
export async function importFile(args: string[], config: Config, io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { school: { type: 'string' }, 'dry-run': { type: 'boolean', default: false } },
  });
  const [what, path, ...others] = positionals;
  const kind = IMPORT_KINDS.find((one) => one === what);
  if (kind === undefined || path === undefined || others.length > 0) throw new UsageError(IMPORT_HELP);
  if (values.school === undefined) throw new UsageError('Into which school? --school ID');
  const schoolId = readId('--school', values.school);
  const bytes = await readFile(path).catch((error: Error) => {
    throw new CommandError(`${path} cannot be read: ${error.message}`);
  });

  return await withProduct(config, io, async ({ services: { imports } }) => {
    const total = countLines(bytes);
    const run = async (): Promise<ImportResult> =>
      await withBar(io, 'Importing', async (onProgress) => {
        const file = {
          kind,
          schoolId,
          source: () => readCsv([bytes]),
          onProgress: (done: number) => onProgress({ table: kind, done, total }),
        };
        const { body } = values['dry-run']
          ? { body: await imports.tryOut(COMMAND_LINE, file) }
          : await imports.write(COMMAND_LINE, file, null);
        return JSON.parse(body);
      });
    try {
      const { rows, created, updated, unchanged, errors } = await run();
      showErrors(errors, io);
      io.out(`${rows} rows: ${created} created, ${updated} updated, ${unchanged} unchanged, ${errors.length} errors`);
      if (values['dry-run']) io.say('Nothing was written: it was a dry run');
      return errors.length === 0 ? 0 : 1;
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'import_invalid') throw error;
      showErrors(error.facts['errors'], io);
      io.say(error.message);
      return 1;
    }
  });
}

function showErrors(errors: unknown, io: Io): void {
  const all: ImportError[] = Array.isArray(errors) ? errors : [];
  for (const { line, column, detail } of all.slice(0, ERRORS_SHOWN)) {
    io.say(`line ${line}${column === null ? '' : `, ${column}`}: ${detail}`);
  }
  if (all.length > ERRORS_SHOWN) io.say(`… and ${all.length - ERRORS_SHOWN} more`);
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) lines += 1;
  return lines;
}
