import { expect } from 'vitest';
import { rootActor } from '../../src/domain/access/actor.ts';
import type { Json } from '../support/billing.ts';
import type { Invoice } from './accounts.ts';
import { aging, figures, shown, totals } from './figures.ts';
import { sumOf, text } from './money.ts';
import type { School } from './school.ts';

const PAGE = 1_000;
/** Differences that are shown; all are counted. */
const SHOWN_MAX = 5;

/** Every figure of the product against the books, as of today. @param month YYYY-MM */
export async function expectSame(school: School, month: string, of: { everybody: boolean }): Promise<void> {
  await expectSameInvoices(school);
  if (of.everybody) {
    await expectSameStudents(school);
    await expectSameFamilies(school);
  }
  await expectSameSchool(school, month);
  await expectSameNumbers(school);
  const { services } = school.billing.product;
  const { findings } = await services.reconciliation.run(rootActor('the year of a school'));
  expect(findings).toEqual([]);
}

/** Told apart by what they are of, so that a failure names the invoice or the student. */
class Differences {
  readonly #found: object[] = [];

  compare(what: string, actual: Json | undefined, expected: Json): void {
    const own = Object.fromEntries(Object.keys(expected).map((key) => [key, actual?.[key]]));
    if (JSON.stringify(own) !== JSON.stringify(expected)) this.#found.push({ what, product: own, books: expected });
  }

  none(): void {
    expect(this.#found.slice(0, SHOWN_MAX), `${this.#found.length} differ`).toEqual([]);
  }
}

async function expectSameInvoices({ books, billing, id }: School): Promise<void> {
  const different = new Differences();
  const seen = new Set<string>();
  for (let offset = 0; offset <= books.invoices.length; offset += PAGE) {
    const { body } = await billing.get<Json[]>(`/invoices?school_id=${id}&limit=${PAGE}&offset=${offset}`);
    const byNumber = new Map(books.invoices.map((one) => [one.number, one]));
    for (const row of body) {
      const invoice = byNumber.get(String(row['number']));
      seen.add(String(row['number']));
      if (invoice === undefined) different.compare(String(row['number']), row, { number: 'not there' });
      else different.compare(nameOf(invoice), withoutNames(row), shown(books, invoice));
    }
  }
  different.none();
  expect(seen.size).toBe(books.invoices.length);
}

function nameOf({ number, student, item, origin }: Invoice): string {
  const what = item === null ? `fee of ${origin?.number}` : `${item.plan.key} ${item.at}`;
  return `${number} ${student.family.key} ${what}`;
}

function withoutNames(row: Json): Json {
  const lines = (row['lines'] as Json[]).map(({ description: _, ...line }) => line);
  return { ...row, lines };
}

async function expectSameStudents({ books, billing, students }: School): Promise<void> {
  const different = new Differences();
  for (const [key, student] of students) {
    const own = student.family.invoices.filter((one) => one.student === student);
    const { body } = await billing.get(`/students/${student.id}/statement`);
    different.compare(key, body, { totals: totals(books, own) });
    const lines = new Map((body['invoices'] as Json[]).map((line) => [line['number'], line]));
    // What is void is nobody's any more.
    const live = own.filter(({ voided }) => voided === null);
    for (const invoice of live) different.compare(nameOf(invoice), lines.get(invoice.number), lineOf(books, invoice));
    different.compare(key, { lines: lines.size }, { lines: live.length });
    const { body: ledger } = await billing.get(`/students/${student.id}/ledger`);
    different.compare(key, ledger, { closing_balance: text(sumOf(own, (one) => books.pending(one))) });
  }
  different.none();
}

function lineOf(books: School['books'], invoice: Invoice): Json {
  const { amount_total, credited, paid, pending, status } = shown(books, invoice);
  const overdue = invoice.dueOn < books.today ? pending : '0.00';
  return { amount_total, credited, paid, pending, status, overdue };
}

async function expectSameFamilies({ books, billing, families, id }: School): Promise<void> {
  const different = new Differences();
  const credits = new Map<unknown, Json>();
  for (let offset = 0; offset < families.length; offset += PAGE) {
    const { body } = await billing.get<Json[]>(`/families?school_id=${id}&limit=${PAGE}&offset=${offset}`);
    for (const family of body) credits.set(family['id'], family);
  }
  for (const family of families) {
    const credit = books.credit(family);
    const pending = sumOf(family.invoices, (one) => books.pending(one));
    const ahead = { credit: text(credit), balance: text(pending - credit) };
    different.compare(family.key, credits.get(family.id), { credit: text(credit) });
    const { body: statement } = await billing.get(`/families/${family.id}/statement`);
    different.compare(family.key, statement, { totals: { ...totals(books, family.invoices), ...ahead } });
    const { body: aged } = await billing.get(`/families/${family.id}/aging`);
    different.compare(family.key, aged, { ...aging(books, family.invoices), ...ahead });
    const { body: ledger } = await billing.get(`/families/${family.id}/ledger`);
    different.compare(family.key, ledger, { closing_balance: ahead.balance });
  }
  different.none();
}

async function expectSameSchool({ books, billing, families, id }: School, month: string): Promise<void> {
  const different = new Differences();
  const credit = sumOf(families, (family) => books.credit(family));
  const pending = sumOf(books.invoices, (one) => books.pending(one));
  const ahead = { credit: text(credit), balance: text(pending - credit) };
  const { body: statement } = await billing.get(`/schools/${id}/statement?limit=1`);
  different.compare('statement', statement, { totals: { ...totals(books, books.invoices), ...ahead } });
  const { body: aged } = await billing.get(`/schools/${id}/aging`);
  different.compare('aging', aged, { ...aging(books, books.invoices), ...ahead });
  const { body: ledger } = await billing.get(`/schools/${id}/ledger?limit=1`);
  different.compare('ledger', ledger, { closing_balance: ahead.balance });
  const { body: summary } = await billing.get(`/schools/${id}/summary?from=${month}-01&to=${books.today}`);
  different.compare('summary', summary, figures(books, `${month}-01`, books.today));
  different.none();
}

/** Every series from 1 without a gap, and none twice. */
async function expectSameNumbers({ billing, id }: School): Promise<void> {
  for (const list of ['invoices', 'payments', 'credit-notes']) {
    const series = new Map<string, number[]>();
    for (let offset = 0, size = PAGE; size === PAGE; offset += PAGE) {
      const { body } = await billing.get<Json[]>(`/${list}?school_id=${id}&limit=${PAGE}&offset=${offset}`);
      size = body.length;
      for (const { number } of body) {
        const [, prefix = '', serial = ''] = /^(.*)-(\d+)$/.exec(String(number)) ?? [];
        series.set(prefix, [...(series.get(prefix) ?? []), Number(serial)]);
      }
    }
    for (const [prefix, serials] of series) {
      const gap = serials.sort((a, b) => a - b).findIndex((serial, at) => serial !== at + 1);
      expect(gap, prefix).toBe(-1);
    }
  }
}
