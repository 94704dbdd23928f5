import { afterEach, describe, expect, test } from 'vitest';
import { DOCUMENT_LINES_MAX } from '../../../src/services/documents/lines.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { papersOf } from '../../support/pdf.ts';

const billing = await startBilling();

afterEach(() => billing.clock.release());

type Line = Readonly<Record<'number' | 'amount_total' | 'credited' | 'paid' | 'pending', string>>;
type Entry = Readonly<{ number: string | null; debit: string; credit: string; balance: string }>;

const pdf = papersOf(billing);

/** As Mexicans write it. */
function mx(amount: string): string {
  const [whole = '', cents = ''] = amount.split('.');
  return `${whole.replaceAll(/\B(?=(\d{3})+$)/g, ',')}.${cents}`;
}

/** As Colombians write it. */
function co(amount: string): string {
  return mx(amount).replaceAll(/[.,]/g, (mark) => (mark === ',' ? '.' : ','));
}

describe('PDF of a statement', () => {
  test('200: every line and total of the JSON, in the words, amounts and days of the country of the school', async () => {
    billing.clock.travelTo('2026-11-24T03:30:00Z');
    const schoolId = await billing.aSchool({ name: 'Universidad de Los Andes', country: 'CO', currency: 'COP' });
    const studentId = await billing.aStudent({
      school_id: schoolId,
      first_name: 'María José',
      last_name: 'Ñúñez Łódź €',
      email: 'maria.nunez@example.com',
    });
    const late = await billing.anInvoice({
      student_id: studentId,
      currency: 'COP',
      amount_total: '9999999999.99',
      due_date: '2026-11-22',
      description: 'Matrícula 2026',
    });
    await billing.pay(late, '1234567.89');
    const open = { student_id: studentId, currency: 'COP', amount_total: '0.01', due_date: '2026-11-23' };
    await billing.anInvoice(open);
    await billing.delete(`/invoices/${await billing.anInvoice({ ...open, amount_total: '777.77' })}`);

    const { body } = await billing.get<{ totals: Record<string, string>; invoices: Line[] }>(
      `/students/${studentId}/statement`,
    );
    const answer = await pdf(`/students/${studentId}/statement`);

    expect(answer.status).toBe(200);
    for (const { number, amount_total, credited, paid, pending } of body.invoices) {
      const line = answer.text.split('\n').find((one) => one.startsWith(`${number}|`));
      expect(line?.split('|').slice(-4)).toEqual([amount_total, credited, paid, pending].map(co));
    }
    const { invoiced = '', credited = '', paid = '', pending = '', overdue = '' } = body.totals;
    expect(answer.text).toContain(`Total|${[invoiced, credited, paid, pending].map(co).join('|')}`);
    expect(answer.text).toContain(`Facturado|COP ${co(invoiced)}`);
    expect(answer.text).toContain(`Vencido|COP ${co(overdue)}`);
    expect(answer.text).toContain(`Saldo pendiente|COP ${co(pending)}`);
    expect(answer.text).not.toContain('777');
    expect(answer.text).toContain('Universidad de Los Andes|Estado de cuenta');
    expect(answer.text).toContain('María José Ñúñez Łódź €');
    expect(answer.text).toContain('Vencida, 1 d');
    // Half past three in the morning in UTC is still the evening before in Bogotá.
    expect(answer.text).toMatch(/Generado.*23\/11\/2026, 10:30\sp\.\sm\. \(America\/Bogota\)/);
    expect(answer.headers['content-disposition']).toBe(
      `inline; filename="statement-student-${studentId}-2026-11-23.pdf"`,
    );
    expect(answer.headers['content-language']).toBe('es-CO');
    expect(answer.language).toBe('es-CO');
    expect(answer.title).toBe('Estado de cuenta Al 23/11/2026');
    expect(answer.text).toContain('Página 1 de 1');
  });

  test('200: lines on as many pages as they need, each with its head, name and number, none twice or missing', async () => {
    const studentId = await billing.aStudent({ first_name: 'Íñigo', last_name: 'Peña' });
    const schoolId = await schoolOf(studentId);
    await insertInvoices(studentId, schoolId, 1_000);

    const answer = await pdf(`/students/${studentId}/statement`);

    const { pages } = answer;
    expect(pages.length).toBeGreaterThan(10);
    pages.forEach(({ lines }, index) => {
      expect(lines.filter((line) => line.startsWith('Documento|Emitida|Vence'))).toHaveLength(1);
      expect(lines.at(-1)).toContain('Íñigo Peña');
      expect(lines.at(-1)).toContain(`Página ${index + 1} de ${pages.length}`);
    });
    const amounts = answer.text
      .split('\n')
      .filter((line) => line.startsWith('X-2020-'))
      .map((line) => line.split('|').at(-4));
    const expected = Array.from({ length: 1_000 }, (_, index) => mx(`${index + 1}.00`));
    expect(amounts).toEqual(expected);
    expect(answer.text).toContain('Total|500,500.00|0.00|0.00|500,500.00');
  });

  test('200: a school has one too; an account without invoices says so', async () => {
    const schoolId = await billing.aSchool();
    const empty = await pdf(`/schools/${schoolId}/statement`);
    expect(empty.text).toContain('No hay avisos de cobro.');
    expect(empty.text).toContain('Saldo pendiente|MXN 0.00');

    const studentId = await billing.aStudent({ school_id: schoolId, first_name: 'Íñigo', last_name: 'Peña' });
    await billing.anInvoice({ student_id: studentId, amount_total: '1234.50' });
    const answer = await pdf(`/schools/${schoolId}/statement?lang=en`);
    expect(answer.text).toContain('|Íñigo Peña|');
    expect(answer.text).toContain('Balance due|MXN 1,234.50');
    expect(answer.text).toContain('Students|1');
  });

  test('422: more lines than anybody reads', async () => {
    const studentId = await billing.aStudent();
    await insertInvoices(studentId, await schoolOf(studentId), DOCUMENT_LINES_MAX + 1);

    for (const report of ['statement', 'ledger']) {
      const { status, problem } = await pdf(`/students/${studentId}/${report}`);
      expect({ status, code: problem.code }).toEqual({ status: 422, code: 'document_too_long' });
      expect(problem.errors).toMatchObject([{ pointer: '#/format' }]);
    }
  });

  test('404, 406 and 422 are problem documents, whatever was accepted', async () => {
    expect((await pdf('/students/999999999/statement')).problem.code).toBe('student_not_found');
    expect((await pdf('/schools/999999999/ledger')).problem.code).toBe('school_not_found');
    expect((await pdf('/invoices/999999999')).problem.code).toBe('invoice_not_found');
    expect((await pdf('/payments/999999999')).problem.code).toBe('payment_not_found');
    expect((await pdf('/students')).problem.code).toBe('not_acceptable');
    expect((await pdf('/students/1/statement?limit=5')).problem.errors).toMatchObject([{ pointer: '#/limit' }]);
    expect((await pdf('/students/1/statement?lang=fr')).problem.errors).toMatchObject([{ pointer: '#/lang' }]);
    expect((await pdf('/invoices/1?format=csv')).problem.errors).toMatchObject([{ pointer: '#/format' }]);
  });
});

describe('PDF of a ledger', () => {
  test('200: every entry of the JSON with its balance, the opening and the closing one, in any period', async () => {
    billing.clock.travelTo('2026-02-10T12:00:00Z');
    const studentId = await billing.aStudent();
    const first = await billing.anInvoice({ student_id: studentId, amount_total: '1500.25' });
    await billing.aPayment(first, '500.20', { paid_at: '2026-02-01T12:00:00Z' });
    billing.clock.travelTo('2026-03-05T12:00:00Z');
    const payment = await billing.aPayment(first, '100.05');
    await billing.post(`/payments/${payment}/reversal`, { reason: 'Rebotado' });
    await billing.post(`/invoices/${first}/credit-notes`, { amount: '10.00', reason: 'scholarship' });
    await billing.delete(`/invoices/${await billing.anInvoice({ student_id: studentId })}`);

    for (const query of ['', '?from=2026-03-01', '?from=2026-02-05&to=2026-02-28', '?to=2026-02-01']) {
      const path = `/students/${studentId}/ledger${query}`;
      const { body } = await billing.get<{
        opening_balance: string;
        closing_balance: string;
        totals: { debit: string; credit: string };
        entries: Entry[];
      }>(path);
      const { text } = await pdf(path);

      const rows = text.split('\n').filter((line) => /^\d+ \S+ \d{4}\|/.test(line));
      expect(rows).toHaveLength(body.entries.length);
      body.entries.forEach(({ number, debit, credit, balance }, index) => {
        const amounts = [debit, credit].filter((amount) => amount !== '0.00');
        expect(rows[index]?.split('|').slice(-2)).toEqual([...amounts, balance].map(mx));
        if (number !== null) expect(rows[index]).toContain(`|${number}|`);
      });
      const { debit, credit } = body.totals;
      expect(text).toContain(`Saldo inicial|${mx(body.opening_balance)}`);
      expect(text).toContain(`Total|${[debit, credit, body.closing_balance].map(mx).join('|')}`);
      expect(text).toContain(`Saldo final|MXN ${mx(body.closing_balance)}`);
    }
    expect((await pdf(`/students/${studentId}/ledger?from=2026-02-05&to=2026-02-28`)).text).toContain(
      'Desde 5 feb 2026 · Hasta 28 feb 2026',
    );
  });

  test('200: that of a school names the student of each entry', async () => {
    const schoolId = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: schoolId, first_name: 'Íñigo', last_name: 'Peña' });
    await billing.anInvoice({ student_id: studentId });

    expect((await pdf(`/schools/${schoolId}/ledger`)).text).toContain('|Íñigo Peña|');
  });
});

describe('PDF of an invoice and of a payment', () => {
  test('200: an invoice with what was paid and credited, stamped once nothing is pending', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '1500.00', description: 'Colegiatura de marzo' });
    await billing.aPayment(invoiceId, '1000.00', { method: 'TRANSFER', reference: 'SPEI-77' });
    const { body: open } = await billing.get<Line>(`/invoices/${invoiceId}`);

    const partial = await pdf(`/invoices/${invoiceId}`);
    expect(partial.text).toContain('Colegiatura de marzo|1,500.00');
    expect(partial.text).toMatch(/\|Pago\|R-\d{4}-\d{6}\|Transferencia · SPEI-77\|1,000\.00/);
    expect(partial.text).toContain(`Saldo pendiente|MXN ${mx(open.pending)}`);
    expect(partial.text).not.toContain('PAGADA');
    expect(partial.headers['content-disposition']).toBe(`inline; filename="invoice-${open.number}.pdf"`);

    await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '500.00', reason: 'scholarship' });
    const paid = await pdf(`/invoices/${invoiceId}`);
    expect(paid.text).toMatch(/\|Nota de crédito\|NC-\d{4}-\d{6}\|Beca\|500\.00/);
    expect(paid.text).toContain('Saldo pendiente|MXN 0.00');
    expect(paid.text).toContain('PAGADA');
    expect((await pdf(`/invoices/${invoiceId}?lang=en`)).text).toContain('PAID');
  });

  test('200: a void invoice is stamped as such, says why, and asks for nothing', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '1500.00' });
    await billing.delete(`/invoices/${invoiceId}?reason=Duplicada%20por%20error`);

    const { text } = await pdf(`/invoices/${invoiceId}`);

    expect(text).toContain('ANULADA');
    expect(text).toContain('Motivo: Duplicada por error');
    expect(text).toContain('Saldo pendiente|MXN 0.00');
  });

  test('200: a receipt; a payment taken back is stamped as such', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '1500.00', description: 'Beca' });
    const paymentId = await billing.aPayment(invoiceId, '1234.56', { method: 'CARD', reference: 'VISA-1' });
    const { body } = await billing.get<{ number: string }>(`/payments/${paymentId}`);

    const receipt = await pdf(`/payments/${paymentId}`);
    expect(receipt.text).toContain(`Recibo de pago`);
    expect(receipt.text).toContain('Beca|31 ene 2027|1,234.56');
    expect(receipt.text).toContain('Importe recibido|MXN 1,234.56');
    expect(receipt.text).toContain('Referencia|VISA-1');
    expect(receipt.text).not.toContain('REVERTIDO');
    expect(receipt.headers['content-disposition']).toBe(`inline; filename="receipt-${body.number}.pdf"`);

    await billing.post(`/payments/${paymentId}/reversal`, { reason: 'Sin fondos' });
    const reversed = await pdf(`/payments/${paymentId}`);
    expect(reversed.text).toContain('REVERTIDO');
    expect(reversed.text).toMatch(/Este pago fue revertido el .* y ya no cuenta\. Motivo: Sin fondos/);
    const invoice = await pdf(`/invoices/${invoiceId}`);
    expect(invoice.text).toContain(`|Pago|${body.number}|Tarjeta · VISA-1|1,234.56\n`);
    expect(invoice.text).toContain(`|Pago revertido|${body.number}|Sin fondos · Tarjeta · VISA-1|-1,234.56\n`);
    expect(invoice.text).toContain('Pagado|MXN 0.00');
  });

  test('200: an amount without decimals where the currency has none', async () => {
    const schoolId = await billing.aSchool({ country: 'CL', currency: 'CLP' });
    const studentId = await billing.aStudent({ school_id: schoolId });
    const invoiceId = await billing.anInvoice({ student_id: studentId, currency: 'CLP', amount_total: '1500000.00' });

    expect((await pdf(`/invoices/${invoiceId}`)).text).toContain('Total|CLP 1.500.000\n');
  });
});

describe('Languages', () => {
  test.each([
    ['MX', {}, '', 'Aviso de cobro'],
    ['US', {}, '', 'Invoice'],
    ['MX', { 'accept-language': 'en-US,en;q=0.9,es;q=0.8' }, '', 'Invoice'],
    ['US', { 'accept-language': 'fr, es;q=0.5, en;q=0.4' }, '', 'Aviso de cobro'],
    ['BR', {}, '', 'Aviso de cobrança'],
    ['MX', { 'accept-language': 'pt-BR,pt;q=0.9,en;q=0.8' }, '', 'Aviso de cobrança'],
    ['MX', {}, '&lang=pt', 'Aviso de cobrança'],
    ['US', { 'accept-language': 'fr, de' }, '', 'Invoice'],
    ['MX', { 'accept-language': 'en' }, '&lang=es', 'Aviso de cobro'],
    ['MX', {}, '&lang=en', 'Invoice'],
  ])('200: a school in %s, asked with %j and %s, writes %s', async (country, headers, query, title) => {
    const schoolId = await billing.aSchool({ country });
    const invoiceId = await billing.anInvoice({ student_id: await billing.aStudent({ school_id: schoolId }) });

    const answer = await pdf(`/invoices/${invoiceId}?format=pdf${query}`, headers);

    expect(answer.text).toContain(`|${title}\n`);
    expect(answer.headers['vary']).toBe('Accept, Accept-Language');
  });
});

describe('What people type', () => {
  // Nothing that a name or description may hold by contract may crash the renderer or leave the page.
  test.each([
    ['long words', 'Ñ'.repeat(100)],
    ['emoji', '👨‍👩‍👧‍👦😀'.repeat(9)],
    ['right to left', 'مرحبا שלום \u202e123\u202c '.repeat(4)],
    ['piled accents', `Z${'\u0300'.repeat(90)}`],
    ['controls', '\u0001\u0008\t\r\n\u001f\u007f\u2028x'],
    ['a script the font lacks', '汉字'.repeat(50)],
    ['only what is invisible', '\u200b\u200d\u2060'],
    // The library that shapes text throws on these two in one word.
    ['a letter of the Sahara and a grapheme joiner', '\u2d40\u034f'],
    ['markup', '<b>&amp;</b> %PDF-1.7 (\\) endobj'],
  ])('200: %s stay on the page', async (_, text) => {
    const schoolId = await billing.aSchool({ name: `${text}${Math.random()}` });
    const studentId = await billing.aStudent({ school_id: schoolId });
    // Names that show nothing are refused today; there may be some from before.
    await billing.owner.query('update students set first_name = $1, last_name = $1 where id = $2', [text, studentId]);
    const invoiceId = await billing.anInvoice({
      student_id: studentId,
      description: [...text.repeat(4)].slice(0, 400).join(''),
      amount_total: '9999999999.99',
    });
    const paymentId = await billing.aPayment(invoiceId, '0.01', { reference: text });
    const { body: note } = await billing.post(`/invoices/${invoiceId}/credit-notes`, {
      amount: '0.01',
      reason: 'other',
      description: text,
    });
    const visible = /[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u.test(text);
    const lines = visible ? [...`${text}\n`.repeat(60)].slice(0, 500).join('') : 'x\n'.repeat(250);
    await billing.patch(`/schools/${schoolId}`, {
      legal_name: [...lines].slice(0, 255).join(''),
      address: lines,
      payment_instructions: lines.repeat(4),
      invoice_title: [...lines].slice(0, 100).join(''),
    });

    for (const path of [
      `/students/${studentId}/statement`,
      `/students/${studentId}/ledger`,
      `/schools/${schoolId}/statement`,
      `/schools/${schoolId}/ledger`,
      `/invoices/${invoiceId}`,
      `/payments/${paymentId}`,
      `/credit-notes/${note['id']}`,
      `/schools/${schoolId}/debtors`,
    ]) {
      const { status, pages } = await pdf(path);
      expect(status).toBe(200);
      for (const { width, height, texts } of pages) {
        for (const { x, y, width: length, text: drawn } of texts) {
          expect({ drawn, inside: x >= 0 && x + length <= width && y >= 0 && y <= height }).toEqual({
            drawn,
            inside: true,
          });
        }
      }
    }
  });
});

describe('Under load', () => {
  // Held by a lock, so that none is finished while the others come: the ones beyond the queue are refused at once.
  test('503: too many at once, with Retry-After; the others get theirs', async () => {
    const invoiceId = await billing.anInvoice();
    const holder = await billing.owner.connect();
    await holder.query('begin');
    await holder.query('lock table invoices in access exclusive mode');
    const asked = Array.from({ length: 50 }, async () => await pdf(`/invoices/${invoiceId}`));
    const refused = await Promise.race(asked);
    await holder.query('rollback');
    holder.release();
    const answers = await Promise.all(asked);

    expect(refused.status).toBe(503);
    expect(refused.problem.code).toBe('overloaded');
    expect(refused.headers['retry-after']).toBe('1');
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(33);
  });
});

async function schoolOf(studentId: number): Promise<number> {
  const { body } = await billing.get<Json & { school_id: number }>(`/students/${studentId}`);
  return body.school_id;
}

async function insertInvoices(studentId: number, schoolId: number, count: number): Promise<void> {
  await billing.owner.query(
    `insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, due_date, description)
     select current_date, current_date, $1, $2, 'X-2020-' || $2::bigint || '-' || n, 'MXN', n, '2027-01-31',
            repeat('Colegiatura ', 1 + n % 12)
     from generate_series(1, $3::int) n`,
    [schoolId, studentId, count],
  );
  await billing.owner.query('call rebuild_school_totals()');
}
