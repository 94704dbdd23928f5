import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { papersOf } from '../../support/pdf.ts';

const billing = await startBilling();
const pdf = papersOf(billing);

const LETTERHEAD = {
  legal_name: 'Instituto Hidalgo, A.C.',
  tax_id: 'IHI850101AB1',
  address: 'Av. Reforma 100\n06600 Ciudad de México',
  phone: '+52 55 5555 0100',
  email: 'caja@hidalgo.example',
  payment_instructions: 'Transferencia a BBVA, CLABE 012180001234567897\nO en caja, de 8 a 14 h',
};

async function anAccount(fields: object = LETTERHEAD) {
  const schoolId = await billing.aSchool({ country: 'MX', ...fields });
  const studentId = await billing.aStudent({ school_id: schoolId });
  const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '900.00', description: 'Cuota' });
  return { schoolId, studentId, invoiceId };
}

describe('What a school says of itself', () => {
  test('stands on each of its papers; how to pay stands where something is owed', async () => {
    const { schoolId, studentId, invoiceId } = await anAccount();
    const other = await billing.aStudent({ school_id: schoolId });
    const paymentId = await billing.aPayment(invoiceId, '100.00');
    const note = await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '1.00', reason: 'discount' });
    const papers: [string, boolean][] = [
      [`/invoices/${invoiceId}`, true],
      [`/students/${studentId}/statement`, true],
      [`/schools/${schoolId}/statement`, true],
      [`/schools/${schoolId}/debtors`, true],
      [`/students/${studentId}/ledger`, false],
      [`/schools/${schoolId}/ledger`, false],
      [`/payments/${paymentId}`, false],
      [`/credit-notes/${note.body['id']}`, false],
      [`/students/${other}/clearance`, false],
      [`/students/${other}/statement`, false],
    ];
    for (const [path, asks] of papers) {
      const { text } = await pdf(path);
      for (const line of [
        'Instituto Hidalgo, A.C.',
        'RFC IHI850101AB1',
        'Av. Reforma 100',
        '06600 Ciudad de México',
        'México',
        '+52 55 5555 0100 · caja@hidalgo.example',
      ]) {
        expect(
          text.split('\n').map((one) => one.split('|')[0]),
          path,
        ).toContain(line);
      }
      const paying = ['Cómo pagar', 'Transferencia a BBVA, CLABE 012180001234567897', 'O en caja, de 8 a 14 h'];
      expect(
        paying.map((line) => text.includes(`\n${line}\n`)),
        path,
      ).toEqual([asks, asks, asks]);
    }
    await billing.aPayment(invoiceId, '799.00');
    expect((await pdf(`/invoices/${invoiceId}`)).text).not.toContain('Cómo pagar');
  });

  test('is left out where it says nothing', async () => {
    const { invoiceId } = await anAccount({ name: 'Colegio Callado' });
    const { text } = await pdf(`/invoices/${invoiceId}`);
    expect(text).toMatch(/^Colegio Callado\|Aviso de cobro\nMéxico(\||\n)/);
    expect(text).not.toContain('Cómo pagar');
    expect(text).not.toContain('null');
  });

  test('names its invoices, in the ledger too; no paper of it says "factura" unless it does', async () => {
    const { schoolId, studentId, invoiceId } = await anAccount();
    const papers = [`/invoices/${invoiceId}`, `/students/${studentId}/ledger`, `/schools/${schoolId}/debtors`];
    for (const path of papers) expect((await pdf(path)).text, path).not.toMatch(/factura\b/i);

    await billing.patch(`/schools/${schoolId}`, { invoice_title: 'Factura de servicios' });
    expect((await pdf(`/invoices/${invoiceId}?format=pdf&lang=en`)).text).toContain('|Factura de servicios\n');
    expect((await pdf(`/students/${studentId}/ledger`)).text).toContain('|Factura de servicios|');
    const paymentId = await billing.aPayment(invoiceId, '1.00');
    expect((await pdf(`/payments/${paymentId}`)).text).toMatch(
      /Recibimos el pago de: Factura de servicios F-\d{4}-000001/,
    );
  });

  test('may be as long as it may be kept: sixty lines of instructions go on on the next page, none is lost', async () => {
    const lines = Array.from({ length: 60 }, (_, index) => `${index + 1}. ${'Banco '.repeat(4)}`.trim());
    const { invoiceId } = await anAccount({
      ...LETTERHEAD,
      name: `Colegio ${'Ñandú '.repeat(41)}`.trim(),
      legal_name: 'L'.repeat(255),
      address: Array.from({ length: 80 }, (_, index) => `l${index}`).join('\n'),
      payment_instructions: lines.join('\n'),
      invoice_title: 'T'.repeat(100),
    });

    const { pages, text } = await pdf(`/invoices/${invoiceId}`);

    expect(pages).toHaveLength(2);
    for (const line of lines) expect(text).toContain(line);
    const texts = pages.flatMap((page) => page.texts);
    expect(texts.filter(({ x, width }) => x < 40 || x + width > 612 - 40)).toEqual([]);
    expect(
      texts
        .filter(({ text: one }) => /^T+$/.test(one))
        .map(({ text: one }) => one)
        .join(''),
    ).toBe('T'.repeat(100));
  });

  test('values that look like our own placeholders or patterns stay what they are', async () => {
    const { studentId } = await anAccount({ legal_name: '{student} $& {day}' });
    const other = await billing.aStudent({
      school_id: Number((await billing.get(`/students/${studentId}`)).body['school_id']),
    });
    expect((await pdf(`/students/${other}/clearance`)).text).toContain('{student} $& {day} hace constar que');
  });
});

test('A paper of a student without an e-mail says the name, and nothing of the e-mail', async () => {
  const studentId = await billing.aStudent({ first_name: 'Nadya', last_name: 'Sinbuzón', email: null });
  await billing.anInvoice({ student_id: studentId });
  const { text } = await pdf(`/students/${studentId}/statement`);
  expect(text).toContain('Nadya Sinbuzón');
  expect(text).not.toContain('null');
});

describe('A paper in Portuguese', () => {
  test('of a school in Brazil, asked in English or Spanish: days and amounts stay those of Brazil', async () => {
    const schoolId = await billing.aSchool({ country: 'BR', currency: 'BRL', tax_id: '12.345.678/0001-90' });
    const studentId = await billing.aStudent({ school_id: schoolId });
    const invoice = { student_id: studentId, currency: 'BRL', amount_total: '1234567.80', due_date: '2027-02-03' };
    const invoiceId = await billing.anInvoice(invoice);

    const own = await pdf(`/invoices/${invoiceId}`);
    expect(own.text).toContain('|Aviso de cobrança\n');
    expect(own.text).toContain('CNPJ 12.345.678/0001-90');
    expect(own.text).toContain('Saldo devedor|BRL 1.234.567,80');
    expect(own.language).toBe('pt-BR');
    const english = await pdf(`/invoices/${invoiceId}?format=pdf&lang=en`);
    expect(english.text).toContain('Balance due|BRL 1.234.567,80');
    expect(english.text).toContain('Due date|3 Feb 2027');
    const spanish = await pdf(`/invoices/${invoiceId}?format=pdf&lang=es`);
    expect(spanish.text).toContain('Saldo pendiente|BRL 1.234.567,80');
    expect(spanish.headers['content-language']).toBe('es-BR');
  });
});
