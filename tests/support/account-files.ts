import { expect } from 'vitest';
import { cents } from './account-model.ts';
import type { Billing, Json } from './billing.ts';
import { asDictionary, asText, asTextWithStudent, getCsv } from './csv.ts';
import { readPdf } from './pdf.ts';
import { asPlainText, getXlsx } from './xlsx.ts';

export type Statement = Json & { totals: Record<string, string>; invoices: Json[] };
export type Ledger = Json & { totals: Record<string, string>; entries: Json[] };

/** Words that stand before the figures of a document, as a reader of the language looks for them. */
const WORDS = {
  es: {
    billed: 'Facturado',
    credited: 'Notas de crédito',
    paid: 'Pagado',
    overdue: 'Vencido',
    pending: 'Saldo pendiente',
    opening: 'Saldo inicial',
    debits: 'Cargos',
    credits: 'Abonos',
    closing: 'Saldo final',
  },
  en: {
    billed: 'Invoiced',
    credited: 'Credited',
    paid: 'Paid',
    overdue: 'Overdue',
    pending: 'Balance due',
    opening: 'Opening balance',
    debits: 'Debits',
    credits: 'Credits',
    closing: 'Closing balance',
  },
  pt: {
    billed: 'Faturado',
    credited: 'Notas de crédito',
    paid: 'Pago',
    overdue: 'Vencido',
    pending: 'Saldo devedor',
    opening: 'Saldo inicial',
    debits: 'Débitos',
    credits: 'Créditos',
    closing: 'Saldo final',
  },
} as const;
export type Language = keyof typeof WORDS;

/** Reads the files of accounts back and compares them, to the cent and row by row, with the JSON they were asked as. */
export class AccountFiles {
  readonly #billing: Billing;

  constructor(billing: Billing) {
    this.#billing = billing;
  }

  async compareStatementCsv(path: string, { totals, invoices }: Statement): Promise<void> {
    const headers = await this.compareCsv(path, invoices.map(asText));
    expect(headers['x-statement-totals']).toBe(asDictionary(totals));
  }

  /** @param ledger with the entries of all its pages */
  async compareLedgerCsv(path: string, ledger: Ledger): Promise<void> {
    const { opening_balance, closing_balance, totals, entries } = ledger;
    const headers = await this.compareCsv(path, entries.map(asTextWithStudent));
    expect(headers['x-ledger-totals']).toBe(asDictionary({ opening_balance, ...totals, closing_balance }));
  }

  async compareAgingCsv(path: string, { as_of, currency, buckets }: Json & { buckets: Record<string, Json> }) {
    const rows = Object.entries(buckets).map(([bucket, amounts]) => asText({ as_of, currency, bucket, ...amounts }));
    await this.compareCsv(path, rows);
  }

  /** The rows as CSV and as XLSX. @returns the headers that came with the CSV */
  async compareCsv(path: string, rows: readonly Record<string, string>[]) {
    const answer = await getCsv(this.#billing, path);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.rows).toEqual(rows);
    expect(asPlainText((await getXlsx(this.#billing, path)).file)).toEqual(rows);
    return answer.headers;
  }

  async compareStatementPdf(path: string, { totals, invoices }: Statement, language: Language): Promise<void> {
    const { invoiced, credited, paid, overdue, pending } = totals;
    const printed = await this.#print(path, language);
    // On paper the oldest stands first.
    const oldestFirst = invoices
      .toReversed()
      .sort((a, b) => String(a['issued_on']).localeCompare(String(b['issued_on'])));
    const lines = oldestFirst.map(({ number, ...line }) => [
      number,
      ...[line['amount_total'], line['credited'], line['paid'], line['pending']].map(cents),
    ]);
    expect(printed.rows.filter(([name]) => String(name).startsWith('F-'))).toEqual(lines);
    expect(printed.rows.at(-1)).toEqual(['Total', ...[invoiced, credited, paid, pending].map(cents)]);
    const words = WORDS[language];
    expect(printed.totals).toMatchObject({
      [words.billed]: cents(invoiced),
      [words.credited]: cents(credited),
      [words.paid]: cents(paid),
      [words.overdue]: cents(overdue),
      [words.pending]: cents(pending),
    });
  }

  /** @param ledger with the entries of all its pages */
  async compareLedgerPdf(path: string, ledger: Ledger, language: Language): Promise<void> {
    const { opening_balance: opening, closing_balance: closing, totals, entries } = ledger;
    const printed = await this.#print(path, language);
    const words = WORDS[language];
    const amounts = entries.map(({ debit, credit, balance }) =>
      [debit, credit]
        .filter((amount) => amount !== '0.00')
        .concat(balance)
        .map(cents),
    );
    expect(printed.rows.map(([, ...row]) => row)).toEqual([
      [cents(opening)],
      ...amounts,
      [totals['debit'], totals['credit'], closing].map(cents),
    ]);
    expect(printed.totals).toMatchObject({
      [words.opening]: cents(opening),
      [words.debits]: cents(totals['debit']),
      [words.credits]: cents(totals['credit']),
      [words.closing]: cents(closing),
    });
  }

  async #print(path: string, language: Language): Promise<Figures> {
    const join = path.includes('?') ? '&' : '?';
    const { prefix } = this.#billing.config;
    const answer = await this.#billing.app.inject(`${prefix}${path}${join}format=pdf&lang=${language}`);
    expect(answer.statusCode, answer.body.slice(0, 200)).toBe(200);
    return figuresOf((await readPdf(answer.rawPayload)).text.split('\n'));
  }
}

/** `rows`: what stands first in each row of the table, and the amounts at its end. `totals`: the box below it. */
type Figures = Readonly<{ rows: readonly (readonly unknown[])[]; totals: Readonly<Record<string, bigint>> }>;

function figuresOf(lines: readonly string[]): Figures {
  const rows: unknown[][] = [];
  const totals: Record<string, bigint> = {};
  for (const line of lines) {
    const cells = line.split('|');
    const text = cells.findLastIndex((cell) => amountIn(cell) === undefined);
    const amounts = cells.slice(text + 1).map(amountIn);
    if (amounts.length > 0) rows.push([cells[0], ...amounts]);
    const total = amountIn(cells[1]?.replace(/^[A-Z]{3} /, '') ?? '');
    if (cells.length === 2 && amounts.length === 0 && total !== undefined) totals[cells[0] ?? ''] = total;
  }
  return { rows, totals };
}

/** Hundredths, whatever the country groups and parts them by: every currency of these tests has two decimals. */
function amountIn(cell: string): bigint | undefined {
  if (!/^-?\d[\d.,\s]*[.,]\d\d$/u.test(cell)) return undefined;
  return BigInt(cell.replaceAll(/[.,\s]/gu, ''));
}
