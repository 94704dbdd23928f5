import type { FastifyInstance } from 'fastify';
import type { ImportKind } from '../../domain/imports/import.ts';
import type { ImportService } from '../../services/imports/import-service.ts';
import { action } from '../action.ts';
import { DryRun, IdParams } from '../schemas/common.ts';
import { acceptCsvOnly, FILE_BYTES_MAX, fileOf } from './csv-body.ts';
import { readCsv } from './csv-input.ts';
import { ImportResponse } from './result.ts';

const KINDS: readonly Readonly<{ kind: ImportKind; id: string; summary: string; columns: string }>[] = [
  {
    kind: 'students',
    id: 'importStudents',
    summary: 'Import students by their external ids',
    columns:
      '`external_id`, `first_name`, `last_name` and, not needed, `email`, `period` (its name), `grade`, `group`, `starts_on`',
  },
  {
    kind: 'families',
    id: 'importFamilies',
    summary: 'Import families with their guardians and students',
    columns:
      'a row for each guardian and student: `family_external_id`, `family_name`, `student_external_id`, `guardian_name` and, not needed, `guardian_email`, `guardian_phone`, `relationship`, `is_principal`, `tax_id`, `tax_name`, `tax_address`',
  },
  {
    kind: 'balances',
    id: 'importBalances',
    summary: 'Import what was owed and paid too much before, by document',
    columns:
      '`kind` (`DEBT` or `CREDIT`), `document`, `amount`; of a debt `student_external_id`, `due_date` and, not needed, `concept_code`, `description`; of a credit `family_external_id`; of both, not needed, `issued_on`',
  },
];

export function importRoutes(routes: FastifyInstance, imports: ImportService): void {
  routes.register((scoped, _options, done) => {
    acceptCsvOnly(scoped);
    for (const { kind, id, summary, columns } of KINDS) {
      action(scoped, `/schools/:id/imports/${kind}`, {
        tag: 'imports',
        id,
        scope: 'imports:write',
        summary,
        description: `UTF-8, commas or semicolons, days as YYYY-MM-DD, amounts with a point. Columns: ${columns}. A column that is not there changes nothing, an empty cell clears. All of the file is written, or nothing.`,
        refusals: [
          'school_not_found',
          'school_not_active',
          'student_email_taken',
          'import_invalid',
          'day_out_of_range',
        ],
        answer: { schema: ImportResponse, description: 'What came of its rows.' },
        params: IdParams,
        query: { dry_run: DryRun },
        file: { mediaType: 'text/csv', bytesMax: FILE_BYTES_MAX },
        run: async ({ actor, params: { id: schoolId }, query: { dry_run: isDry = false }, request }, key) => {
          const { chunks } = fileOf(request);
          const file = { kind, schoolId, source: () => readCsv(chunks) };
          return isDry ? { body: await imports.tryOut(actor, file) } : await imports.write(actor, file, key);
        },
      });
    }
    done();
  });
}
