import { afterEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { papersOf } from '../../support/pdf.ts';

const billing = await startBilling();
const pdf = papersOf(billing);
afterEach(() => billing.clock.release());

/** An instant of that day in Mexico. */
const travel = (day: string, time = '12:00:00'): void => billing.clock.travelTo(`${day}T${time}-06:00`);
const noteOf = async (invoiceId: number, amount: string, reason: string, more: Json = {}): Promise<Json> =>
  (await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount, reason, ...more })).body;

describe('A receipt', () => {
  test('says what was credited and paid before it, what it left, and who received it; later papers change nothing', async () => {
    travel('2026-09-01');
    const schoolId = await billing.aSchool({ name: 'Colegio Hidalgo' });
    const studentId = await billing.aStudent({ school_id: schoolId });
    const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '5000.00' });
    await noteOf(invoiceId, '250.00', 'early_payment');
    travel('2026-09-02');
    const first = await billing.aPayment(invoiceId, '1000.50');
    travel('2026-09-03');
    const wrong = await billing.aPayment(invoiceId, '700.00');
    await billing.post(`/payments/${wrong}/reversal`, { reason: 'Sin fondos' });
    travel('2026-09-08');
    const second = await billing.aPayment(invoiceId, '2000.00', { paid_at: '2026-09-05' });
    travel('2026-09-09');
    const taken = await noteOf(invoiceId, '100.00', 'discount');
    await billing.post(`/credit-notes/${taken['id']}/reversal`, { reason: 'No procede' });
    const last = await billing.aPayment(invoiceId, '1749.50');

    const figures = async (id: number): Promise<string[]> =>
      (await pdf(`/payments/${id}`)).text.split('\n').filter((line) => line.includes('|MXN '));
    const before = await figures(first);
    expect(before.slice(-5)).toEqual([
      'Total del aviso|MXN 5,000.00',
      'Notas de crédito|MXN 250.00',
      'Pagado antes|MXN 0.00',
      'Importe recibido|MXN 1,000.50',
      'Saldo restante|MXN 3,749.50',
    ]);
    // The day it happened, not the one it was entered on. What was reversed by then did not count any more.
    expect((await pdf(`/payments/${second}`)).text).toContain('Fecha de pago|5 sep 2026');
    expect((await figures(second)).slice(-4)).toEqual([
      'Notas de crédito|MXN 250.00',
      'Pagado antes|MXN 1,000.50',
      'Importe recibido|MXN 2,000.00',
      'Saldo restante|MXN 1,749.50',
    ]);
    // Reversed since, it still shows what it was, and does not call it what is left; a note that was taken back by then is none.
    expect((await figures(wrong)).slice(-3)).toEqual([
      'Pagado antes|MXN 1,000.50',
      'Importe recibido|MXN 700.00',
      'Saldo antes del reverso|MXN 3,049.50',
    ]);
    expect((await figures(last)).slice(-4)).toEqual([
      'Notas de crédito|MXN 250.00',
      'Pagado antes|MXN 3,000.50',
      'Importe recibido|MXN 1,749.50',
      'Saldo restante|MXN 0.00',
    ]);
    const { text } = await pdf(`/payments/${first}`);
    expect(text).toContain('Recibido por|Colegio Hidalgo');
    expect(text).not.toContain('Abonado');
  });

  // Example 1 of the books: entered for the wrong student, September closed, corrected in October.
  test('of a payment that was entered again for another student prints the day it was paid, as the wrong one does', async () => {
    travel('2026-09-01');
    const schoolId = await billing.aSchool();
    const invoice = async (): Promise<number> => {
      const studentId = await billing.aStudent({ school_id: schoolId });
      return await billing.anInvoice({ student_id: studentId, amount_total: '5000.00' });
    };
    const [ana, beto] = [await invoice(), await invoice()];
    travel('2026-09-08');
    const wrong = await billing.aPayment(ana, '5000.00', { method: 'CASH' });
    travel('2026-10-03');
    expect((await billing.post(`/schools/${schoolId}/closings`, { through: '2026-09-30' })).status).toBe(201);
    await billing.post(`/payments/${wrong}/reversal`, { reason: 'Era de otro alumno' });
    const right = await billing.aPayment(beto, '5000.00', { method: 'CASH', paid_at: '2026-09-08' });

    for (const id of [wrong, right]) {
      expect((await pdf(`/payments/${id}`)).text).toContain('Fecha de pago|8 sep 2026');
    }
    expect((await pdf(`/payments/${wrong}`)).text).toContain('Revertido|3 oct 2026');
  });

  test('a reference is never cut', async () => {
    const reference = 'REFERENCIA0123456789'.repeat(5);
    const invoiceId = await billing.anInvoice({
      description: 'Colegiatura muy larga '.repeat(20),
      amount_total: '900.00',
    });
    const paymentId = await billing.aPayment(invoiceId, '1.00', { method: 'TRANSFER', reference });
    const { student_id } = (await billing.get(`/invoices/${invoiceId}`)).body;

    for (const path of [`/payments/${paymentId}`, `/invoices/${invoiceId}`, `/students/${student_id}/ledger`]) {
      const { pages } = await pdf(path);
      const letters = pages.flatMap(({ texts }) => texts.map(({ text }) => text)).join('');
      expect(letters, path).toContain('REFERENCIA0123456789');
      expect(letters.match(/REFERENCIA0123456789|0123456789/g)?.length ?? 0, path).toBeGreaterThanOrEqual(5);
    }
  });
});

describe('What settled an invoice', () => {
  // Example 7 of the books: a debt that was written off was stamped "paid", and nobody had paid it.
  test.each([
    ['pt', 'BAIXADA COMO PERDA', 'Pago|MXN 0.00'],
    ['en', 'WRITTEN OFF', 'Paid|MXN 0.00'],
    ['es', 'CASTIGADA', 'Pagado|MXN 0.00'],
  ])('in %s a write-off is stamped %s: nothing was paid', async (lang, stamp, paid) => {
    const invoiceId = await billing.anInvoice({ amount_total: '1000.00' });
    await noteOf(invoiceId, '1000.00', 'write_off');
    const { body } = await billing.get(`/invoices/${invoiceId}`);
    expect(body).toMatchObject({ status: 'PAID', settlement: 'WRITE_OFF' });

    const { text } = await pdf(`/invoices/${invoiceId}?format=pdf&lang=${lang}`);
    expect(text).toContain(stamp);
    expect(text).toContain(paid);
    expect(text).not.toMatch(/PAGADA|PAID|PAGA\b/);
    const statement = (await pdf(`/students/${body['student_id']}/statement?format=pdf&lang=es`)).text;
    expect(statement).toContain('|Castigada|');
    expect(statement).not.toContain('Pagada');
  });

  test.each([
    [[['1000.00', 'billing_error']], '0.00', 'SALDADA POR NOTA DE CRÉDITO'],
    [
      [
        ['400.00', 'scholarship'],
        ['600.00', 'discount'],
      ],
      '0.00',
      'SALDADA POR NOTA DE CRÉDITO',
    ],
    [
      [
        ['400.00', 'write_off'],
        ['600.00', 'scholarship'],
      ],
      '0.00',
      'SALDADA POR NOTA DE CRÉDITO',
    ],
    [[['1000.00', 'scholarship']], '0.00', 'CONDONADA'],
    [
      [
        ['700.00', 'scholarship'],
        ['300.00', 'late_fee_waived'],
      ],
      '0.00',
      'CONDONADA',
    ],
    [[['600.00', 'write_off']], '400.00', 'PAGADA'],
    [[], '1000.00', 'PAGADA'],
  ])('notes of %j and %s paid: %s', async (notes, paid, stamp) => {
    const invoiceId = await billing.anInvoice({ amount_total: '1000.00' });
    for (const [amount = '', reason = ''] of notes) await noteOf(invoiceId, amount, reason);
    if (paid !== '0.00') await billing.aPayment(invoiceId, paid);

    const { text } = await pdf(`/invoices/${invoiceId}`);
    const stamps = text.match(/SALDADA POR NOTA DE CRÉDITO|CONDONADA|CASTIGADA|PAGADA/g);
    expect(stamps).toEqual([stamp]);
    expect(text).toContain('Saldo pendiente|MXN 0.00');
    // The statement says the same of it.
    const { student_id } = (await billing.get(`/invoices/${invoiceId}`)).body;
    const statement = (await pdf(`/students/${student_id}/statement`)).text;
    expect(statement).toContain(`|${/\nEstado\|(.+)/.exec(text)?.[1]}|1,000.00|`);
  });

  test('of a debt that is late the invoice says for how long, as the statement does', async () => {
    travel('2026-09-01');
    const invoiceId = await billing.anInvoice({ amount_total: '1000.00', due_date: '2026-09-10' });
    const { student_id } = (await billing.get(`/invoices/${invoiceId}`)).body;
    const status = async (): Promise<string | undefined> => {
      const said = /\nEstado\|(.+)/.exec((await pdf(`/invoices/${invoiceId}`)).text)?.[1];
      expect((await pdf(`/students/${student_id}/statement`)).text).toContain(`|${said}|1,000.00|`);
      return said;
    };
    // The due day itself is not late, by the school's calendar.
    travel('2026-09-10', '23:59:59');
    expect(await status()).toBe('Pendiente');
    await billing.aPayment(invoiceId, '400.00');
    expect(await status()).toBe('Parcial');
    travel('2026-09-22');
    expect(await status()).toBe('Vencida, 12 d');
    await billing.aPayment(invoiceId, '600.00');
    expect(await status()).toBe('Pagada');
  });

  test('a credit note that was taken back does not say how the invoice was settled', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '1000.00' });
    const wrong = await noteOf(invoiceId, '1000.00', 'discount');
    await billing.post(`/credit-notes/${wrong['id']}/reversal`, { reason: 'Era beca' });
    expect((await pdf(`/invoices/${invoiceId}`)).text).not.toMatch(/SALDADA|PAGADA/);
    await noteOf(invoiceId, '1000.00', 'scholarship');
    expect((await pdf(`/invoices/${invoiceId}`)).text).toContain('CONDONADA');
  });
});

describe('A credit note', () => {
  test('has its number, day, text, reason, amount, and the invoice it corrects; reversed, it is stamped', async () => {
    travel('2026-10-01');
    const invoiceId = await billing.anInvoice({ amount_total: '1000.00' });
    const { body: invoice } = await billing.get(`/invoices/${invoiceId}`);
    travel('2026-10-08');
    const note = await noteOf(invoiceId, '600.00', 'discount', {
      description: 'Hermano inscrito',
      dated_on: '2026-10-04',
    });
    const path = `/credit-notes/${note['id']}`;

    const answer = await pdf(path);
    expect(answer.text).toContain(`|Nota de crédito\n`);
    expect(answer.text).toContain(`${note['number']}\n`);
    expect(answer.text).toContain('Fecha|4 oct 2026');
    expect(answer.text).toContain(`Corrige|Aviso de cobro ${invoice['number']}`);
    expect(answer.text).toContain('Motivo|Descuento');
    expect(answer.text).toContain(`Hermano inscrito|${invoice['number']}|600.00`);
    expect(answer.text).toContain('Importe acreditado|MXN 600.00');
    expect(answer.text).not.toContain('REVERTIDA');
    expect(answer.headers['content-disposition']).toBe(`inline; filename="credit-note-${note['number']}.pdf"`);

    await billing.post(`${path}/reversal`, { reason: 'Eran 60 pesos', reversed_on: '2026-10-07' });
    const { text } = await pdf(path);
    expect(text).toContain('REVERTIDA');
    expect(text).toContain('Esta nota de crédito fue revertida el 7 oct 2026 y ya no cuenta. Motivo: Eran 60 pesos');
    const invoiceText = (await pdf(`/invoices/${invoiceId}`)).text;
    expect(invoiceText).toContain(`4 oct 2026|Nota de crédito|${note['number']}|Descuento · Hermano inscrito|600.00`);
    expect(invoiceText).toContain(`7 oct 2026|Nota de crédito revertida|${note['number']}|Eran 60 pesos|-600.00`);
    const ledger = (await pdf(`/students/${invoice['student_id']}/ledger`)).text;
    expect(ledger).toContain(`|Nota de crédito|${note['number']}|Descuento · ${invoice['number']}|600.00|`);
    expect(ledger).toContain(`|Eran 60 pesos · ${invoice['number']}|600.00|`);
    expect((await pdf('/credit-notes/999999999')).problem.code).toBe('credit_note_not_found');
  });
});
