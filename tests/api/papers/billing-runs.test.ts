import { afterEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { papersOf } from '../../support/pdf.ts';
import { aFamily } from '../families/support.ts';
import { Catalogue } from '../plans/catalogue.support.ts';
import { bill, itemsOf } from '../plans/runs.support.ts';

const billing = await startBilling();
const pdf = papersOf(billing);
afterEach(() => billing.clock.release());

/** An instant of that day in Mexico. */
const travel = (day: string): void => billing.clock.travelTo(`${day}T12:00:00-06:00`);

/** From the head of the paper's first table on, without the foot of the page. */
const below = (text: string, head: string): string[] =>
  text
    .slice(text.indexOf(head))
    .split('\n')
    .filter((line) => !line.includes('|Página '));

describe('An invoice of a billing run', () => {
  /** 700.00 of a student with a scholarship of 25 %, 16 % tax, and 5 % off until 5 September: 609.00. */
  async function aBilledInvoice(): Promise<number> {
    travel('2026-09-01');
    const catalogue = await Catalogue.open(billing, { timezone: 'America/Mexico_City' });
    await billing.patch(`/concepts/${catalogue.conceptId}`, { tax_rate: '16.00' });
    const item = { label: 'Septiembre', issue_on: '2026-09-01', due_on: '2026-09-10', amount: '700.00' };
    const early_discounts = [{ days_before_due: 5, percent: '5' }];
    const planId = await catalogue.aPlan({ items: [item], early_discounts });
    const discount = await billing.post('/discounts', catalogue.discountBody({ name: 'Beca de excelencia' }));
    const family = await aFamily(billing, { schoolId: catalogue.schoolId });
    const discounts = [{ discount_id: discount.body['id'] }];
    await catalogue.anEnrolment({ student_id: family.studentId, plan_ids: [planId], discounts });
    const [made] = await itemsOf(billing, (await bill(catalogue)).id);
    return Number(made?.invoice_id);
  }

  // Whoever has a scholarship could not see it on paper, nor how to earn what is taken off for paying early.
  test('lists its lines, and how much to pay by when to pay less, until that is past or paid', async () => {
    const id = await aBilledInvoice();
    const { text } = await pdf(`/invoices/${id}`);
    expect(below(text, 'Concepto|Importe')).toEqual([
      'Concepto|Importe',
      'Ciclo 2026-2027 Septiembre|700.00',
      'Beca de excelencia|-175.00',
      'Impuesto 16%|84.00',
      'Total|MXN 609.00',
      'Notas de crédito|MXN 0.00',
      'Pagado|MXN 0.00',
      'Saldo pendiente|MXN 609.00',
      'Pronto pago: si paga MXN 578.55 a más tardar el 5 sep 2026, se descuentan los MXN 30.45 restantes.',
    ]);
    await billing.aPayment(id, '500.00');
    expect((await pdf(`/invoices/${id}`)).text).toContain('si paga MXN 78.55 a más tardar el 5 sep 2026');
    travel('2026-09-06');
    expect((await pdf(`/invoices/${id}`)).text).not.toContain('Pronto pago');
  });

  test.each([
    ['es', 'Ya no se cumple el pronto pago', 'Anulación de F-2026-000001'],
    ['en', 'Early payment no longer', 'Void of F-2026-000001'],
    ['pt', 'O pagamento antecipado já', 'Anulação de F-2026-000001'],
  ])('in %s, why a rule took a note or money back is said in that language', async (lang, early, voided) => {
    const id = await aBilledInvoice();
    const { student_id } = (await billing.get(`/invoices/${id}`)).body;
    const paid = await billing.aPayment(id, '578.55');
    await billing.post(`/payments/${paid}/release`, { invoice_id: id, amount: '78.55', reason: 'Va a otro mes' });
    expect((await billing.delete(`/invoices/${id}?payments=to_credit`)).status).toBe(204);

    const [note] = (await billing.get<Json[]>(`/invoices/${id}/credit-notes`)).body;
    const papers = [`/invoices/${id}`, `/students/${student_id}/ledger`];
    for (const path of papers) {
      const { text } = await pdf(`${path}?format=pdf&lang=${lang}`);
      for (const reason of [early, voided, 'Va a otro mes']) expect(text.replaceAll('\n', ' '), path).toContain(reason);
    }
    expect((await pdf(`/credit-notes/${note?.['id']}?format=pdf&lang=${lang}`)).text).toContain(early);
  });
});
