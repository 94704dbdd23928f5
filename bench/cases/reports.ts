import { ANONYMOUS } from '../../src/domain/access/actor.ts';
import { LedgerService } from '../../src/services/reporting/ledger-service.ts';
import { ReportService } from '../../src/services/reporting/report-service.ts';
import { at, type Case, getText, spread } from './case.ts';
import type { Ids } from './ids.ts';

const LIMIT = 100;
/** The data set bills from 2023-07 to 2025-06. */
const QUARTER = { from: '2025-01-01', to: '2025-03-31' };
const MONTH = { from: '2025-03-01', to: '2025-03-31' };
const TWO_YEARS = { from: '2023-07-01', to: '2025-06-30' };

type Dependencies = ConstructorParameters<typeof LedgerService>[0];

/** What a school's office asks for. Every school has 9,600 invoices and some 12,000 payments at any size. */
export function reportCases(ids: Ids, dependencies: Dependencies): Case[] {
  const reports = new ReportService(dependencies);
  const ledgers = new LedgerService(dependencies);
  const schools = spread(ids.schools, ids.schools);
  const school = (index: number) => ({ kind: 'school', id: at(schools, index) }) as const;
  const page = { limit: LIMIT, cursor: null };
  const common = {
    // More at once than PostgreSQL has processors for are turned away.
    clients: [1, 16],
    goalMs: { of: 'p50', clients: [1], atMost: 50 },
  } as const;
  return [
    {
      ...common,
      name: 'school-ledger',
      title: `GET school ledger, first ${LIMIT} entries`,
      requests: schools.map((id) => getText(`/schools/${id}/ledger?limit=${LIMIT}`)),
      replay: async (i) => await ledgers.page(ANONYMOUS, school(i), { from: null, to: null, asOf: null }, page),
    },
    {
      ...common,
      name: 'school-ledger-period',
      title: `GET school ledger of a quarter, first ${LIMIT}`,
      requests: schools.map((id) => getText(`/schools/${id}/ledger?${queryOf(QUARTER)}&limit=${LIMIT}`)),
      replay: async (i) => await ledgers.page(ANONYMOUS, school(i), { ...QUARTER, asOf: null }, page),
    },
    {
      ...common,
      name: 'school-aging',
      title: 'GET school aging',
      requests: schools.map((id) => getText(`/schools/${id}/aging`)),
      replay: async (i) => await reports.aging(ANONYMOUS, school(i), null),
    },
    {
      ...common,
      name: 'school-debtors',
      title: `GET debtors, first ${LIMIT}`,
      requests: schools.map((id) => getText(`/schools/${id}/debtors?limit=${LIMIT}`)),
      replay: async (i) =>
        await reports.debtors(ANONYMOUS, school(i).id, { order: 'amount', asOf: null }, { limit: LIMIT, offset: 0 }),
    },
    {
      ...common,
      name: 'school-summary-month',
      title: 'GET school summary of a month',
      requests: schools.map((id) => getText(`/schools/${id}/summary?${queryOf(MONTH)}`)),
      replay: async (i) => await reports.summary(ANONYMOUS, school(i).id, MONTH),
    },
    {
      ...common,
      name: 'school-summary-years',
      title: 'GET school summary of two years',
      requests: schools.map((id) => getText(`/schools/${id}/summary?${queryOf(TWO_YEARS)}`)),
      replay: async (i) => await reports.summary(ANONYMOUS, school(i).id, TWO_YEARS),
    },
  ];
}

function queryOf({ from, to }: Readonly<{ from: string; to: string }>): string {
  return `from=${from}&to=${to}`;
}
