import { type Case, getText, postText, spread, VARIETY } from './case.ts';
import type { Ids } from './ids.ts';

/**
 * Of schools that bill on the first days of a month, as these do, it has two months' invoices and what was paid
 * meanwhile: 1,140 to 1,407 entries, on 25 to 31 pages.
 */
const LONG_PERIOD = 'from=2024-09-01&to=2024-10-05';
const bills = (schoolId: number): boolean => schoolId % 27 < 5;
/** One is drawn at a time, so the second waits, as in a busy hour. */
const READERS_OF_PDF = 2;

/** What families and accountants save. PDFs are drawn by a thread of their own, so clients wait and PostgreSQL does not. */
export function documentCases(ids: Ids): Case[] {
  // The last ones: those who got invoices while writes were measured are the first.
  const students = spread(ids.students, ids.students).slice(-VARIETY);
  const schools = spread(ids.schools, ids.schools);
  const ledgerPdfs = schools.filter(bills).map((id) => getText(`/schools/${id}/ledger?format=pdf&${LONG_PERIOD}`));
  return [
    {
      name: 'student-statement-pdf',
      title: 'PDF of a student statement (24 lines)',
      clients: [1],
      requests: students.map((id) => getText(`/students/${id}/statement?format=pdf`)),
      hasLimits: false,
      isDocument: true,
    },
    {
      name: 'school-ledger-pdf',
      title: 'PDF of a school ledger (1,140 lines or more)',
      clients: [1],
      goalMs: { of: 'p99', clients: [1], atMost: 1_000 },
      requests: ledgerPdfs,
      hasLimits: false,
      isDocument: true,
    },
    {
      name: 'school-invoices-csv',
      title: 'CSV of all invoices of a school (9,600 or more)',
      clients: [1, 8],
      requests: schools.map((id) => getText(`/invoices?school_id=${id}&format=csv`)),
      hasLimits: false,
      isDocument: true,
    },
    {
      name: 'payment-beside-pdf',
      title: 'POST payment while long PDFs are made',
      clients: [1, 16],
      goalMs: { of: 'p99', clients: [1, 16], atMost: 100 },
      requests: ids.open.map((id) => postText('/payments', { invoice_id: id, amount: '0.01' })),
      beside: { clients: READERS_OF_PDF, requests: ledgerPdfs },
      hasLimits: false,
      isDocument: true,
    },
  ];
}
