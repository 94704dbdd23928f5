import type { Readable } from 'node:stream';
import { Type } from 'typebox';
import type { Statement } from '../../services/reporting/statement-service.ts';
import { streamOf } from '../responses/streaming.ts';
import { AHEAD_FIELDS, amountOut } from './common.ts';
import { FamilyResponse } from './families/family.ts';
import { INVOICE_FIELDS } from './invoice.ts';
import { SchoolResponse } from './school.ts';
import { StudentResponse } from './student.ts';

const TOTALS = {
  invoiced: amountOut('15000.00', 'Sum of amount_total.'),
  credited: amountOut('0.00'),
  paid: amountOut('8000.00'),
  pending: amountOut('7000.00', 'invoiced - credited - paid.'),
  overdue: amountOut('5000.00', 'The part of pending whose due day has passed.'),
};
const Totals = Type.Object(TOTALS, { $id: 'StatementTotals' });
const TotalsWithCredit = Type.Object({ ...TOTALS, ...AHEAD_FIELDS }, { $id: 'StatementTotalsWithCredit' });

export const StatementLine = Type.Object(
  {
    ...INVOICE_FIELDS,
    overdue: amountOut('5000.00', 'pending once the due day has passed, else 0.00.'),
    days_overdue: Type.Integer({ minimum: 0, examples: [12] }),
  },
  { $id: 'StatementLine' },
);

/** The same where brothers and sisters have one account. */
export const FamilyStatementLine = Type.Object(
  { ...StatementLine.properties, student_name: Type.String({ examples: ['María Hernández Ñúñez'] }) },
  { $id: 'FamilyStatementLine' },
);

const currency = Type.String({ examples: ['MXN'] });
const NEWEST_FIRST = { description: 'Newest first; VOID invoices are left out.' };

export const StudentStatementResponse = Type.Object(
  { student: StudentResponse, currency, totals: Totals, invoices: Type.Array(StatementLine, NEWEST_FIRST) },
  { $id: 'StudentStatement' },
);

export const FamilyStatementResponse = Type.Object(
  {
    family: FamilyResponse,
    currency,
    totals: TotalsWithCredit,
    invoices: Type.Array(FamilyStatementLine, NEWEST_FIRST),
  },
  { $id: 'FamilyStatement' },
);

export const SchoolStatementResponse = Type.Object(
  {
    school: SchoolResponse,
    student_count: Type.Integer({ minimum: 0, examples: [1] }),
    currency,
    totals: TotalsWithCredit,
    invoices: Type.Array(StatementLine, NEWEST_FIRST),
  },
  { $id: 'SchoolStatement' },
);

/** A statement as JSON text, or as a stream of it where the lines come in batches. */
export function toStatementResponse(statement: Statement): string | Readable {
  const { lines } = statement;
  const opening = `${toStatementOpening(statement)},"invoices":[`;
  if (typeof lines === 'string') return `${opening}${lines}]}`;
  return streamOf(chunks(opening, lines), lines);
}

async function* chunks(opening: string, batches: AsyncIterable<string[]>): AsyncGenerator<string, void, undefined> {
  let separator = opening;
  for await (const batch of batches) {
    yield separator + batch.join(',');
    separator = ',';
  }
  yield separator === opening ? `${opening}]}` : ']}';
}

/** Everything before the lines. Put together as text because its parts already are JSON text. */
export function toStatementOpening({ owner: { kind }, header }: Pick<Statement, 'owner' | 'header'>): string {
  const { ownerJson, currency, totals, studentCount } = header;
  const { invoiced, credited, paid, pending, overdue, ahead } = totals;
  const count = studentCount === null ? '' : `"student_count":${studentCount},`;
  const sums = JSON.stringify({ invoiced, credited, paid, pending, overdue, ...ahead });
  return `{"${kind}":${ownerJson},${count}"currency":${JSON.stringify(currency)},"totals":${sums}`;
}
