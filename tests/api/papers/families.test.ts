import { afterEach, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { papersOf } from '../../support/pdf.ts';
import { aFamily, type TestFamily } from '../families/support.ts';

const billing = await startBilling();
const pdf = papersOf(billing);
afterEach(() => billing.clock.release());

/** An instant of that day in Mexico. */
const travel = (day: string): void => billing.clock.travelTo(`${day}T12:00:00-06:00`);

type Siblings = Readonly<{ family: TestFamily; ana: number; beto: number }>;

/** A family that is billed to a company, and an invoice of 1500.00 of each of its two students. */
async function siblings(): Promise<Siblings> {
  travel('2026-09-01');
  const schoolId = await billing.aSchool();
  const family = await aFamily(billing, { schoolId });
  await billing.owner.query(
    `update families set name = 'Familia Núñez', tax_id = 'TNU010101AB1', tax_name = 'Transportes Núñez, S.A. de C.V.',
       tax_address = $2 where id = $1`,
    [family.id, 'Calle 5 n.º 10\n06600 Ciudad de México'],
  );
  await billing.patch(`/students/${family.studentId}`, { first_name: 'Ana', last_name: 'Núñez' });
  const other = await family.aStudent();
  await billing.patch(`/students/${other}`, { first_name: 'Beto', last_name: 'Núñez' });
  const bill = async (student_id: number, description: string, due_date: string) =>
    await family.anInvoice({ student_id, amount_total: '1500.00', description, due_date });
  return {
    family,
    ana: await bill(family.studentId, 'Colegiatura', '2026-09-10'),
    beto: await bill(other, 'Comedor', '2026-10-10'),
  };
}

async function pay({ family }: Siblings, amount: string, fields: Json = {}): Promise<number> {
  const { body } = await billing.post(`/families/${family.id}/payments`, { amount, method: 'TRANSFER', ...fields });
  return Number(body['id']);
}

/** From the head of the paper's first table on, without the foot of the page. */
const below = (text: string, head: string): string[] =>
  text
    .slice(text.indexOf(head))
    .split('\n')
    .filter((line) => !line.includes('|Página '));

describe('A receipt of a family', () => {
  test('says who paid, for which students, and what of it is credit', async () => {
    const both = await siblings();
    const id = await pay(both, '3250.00');

    const { text } = await pdf(`/payments/${id}`);
    for (const line of ['Familia Núñez', 'TNU010101AB1', 'Transportes Núñez, S.A. de C.V.'])
      expect(text).toContain(line);
    expect(text).toContain('RFC TNU010101AB1');
    expect(text).toContain('Calle 5 n.º 10, 06600 Ciudad de México');
    expect(text).toContain(`Familia n.º ${both.family.id}`);
    expect(below(text, 'Recibimos')).toEqual([
      'Recibimos el pago de:',
      'Documento|Estudiante|Concepto|Importe',
      'F-2026-000001|Ana Núñez|Colegiatura|1,500.00',
      'F-2026-000002|Beto Núñez|Comedor|1,500.00',
      'Aplicado a avisos de cobro|MXN 3,000.00',
      'Saldo a favor|MXN 250.00',
      'Importe recibido|MXN 3,250.00',
    ]);
  });

  test.each([
    [
      'en',
      ['Applied to invoices|MXN 0.00', 'Credit|MXN 80.00', 'Amount received|MXN 80.00'],
      'It was applied to no invoice.',
    ],
    [
      'pt',
      ['Aplicado a avisos de cobrança|MXN 0.00', 'Crédito|MXN 80.00', 'Valor recebido|MXN 80.00'],
      'Não foi aplicado a nenhum aviso de cobrança.',
    ],
  ])('in %s, of money that nothing was paid with yet', async (lang, totals, nothing) => {
    const id = await pay(await siblings(), '80.00', { allocations: 'none' });
    const { text } = await pdf(`/payments/${id}?format=pdf&lang=${lang}`);
    expect(text).toContain(nothing);
    expect(text.split('\n').filter((line) => line.includes('|MXN '))).toEqual(expect.arrayContaining(totals));
  });

  test('whose money was moved and given back says so, and when', async () => {
    const both = await siblings();
    const id = await pay(both, '2000.00');
    travel('2026-09-05');
    await billing.post(`/payments/${id}/release`, {
      invoice_id: both.ana,
      amount: '300.00',
      reason: 'Era de otro mes',
    });
    const refund = await billing.post(`/payments/${id}/refunds`, { amount: '120.00', reason: 'Lo pidió' });

    expect(below((await pdf(`/payments/${id}`)).text, 'F-2026-000001')).toEqual([
      'F-2026-000001|Ana Núñez|Colegiatura|1,200.00',
      'F-2026-000002|Beto Núñez|Comedor|500.00',
      'Aplicado a avisos de cobro|MXN 1,700.00',
      'Saldo a favor|MXN 180.00',
      'Devuelto|MXN 120.00',
      'Importe recibido|MXN 2,000.00',
      `De este pago se devolvieron MXN 120.00 el 5 sep 2026 (${refund.body['number']}).`,
      'La aplicación de este pago cambió después de recibirlo, por última vez el 5 sep 2026: este recibo la muestra como quedó.',
    ]);
  });

  test('that was reversed is stamped and shows what it had paid, none of which is called credit', async () => {
    const both = await siblings();
    const id = await pay(both, '3250.00');
    travel('2026-09-04');
    await billing.post(`/payments/${id}/reversal`, { reason: 'Sin fondos' });

    const { text } = await pdf(`/payments/${id}`);
    expect(text).toContain('REVERTIDO');
    expect(below(text, 'F-2026-000001')).toEqual([
      'F-2026-000001|Ana Núñez|Colegiatura|1,500.00',
      'F-2026-000002|Beto Núñez|Comedor|1,500.00',
      'Aplicado a avisos de cobro|MXN 3,000.00',
      'Saldo a favor antes del reverso|MXN 250.00',
      'Importe recibido|MXN 3,250.00',
      'Este pago fue revertido el 4 sep 2026 y ya no cuenta. Motivo: Sin fondos',
    ]);
  });

  test('of one invoice prints what any receipt prints, and who paid, until its money is moved', async () => {
    const both = await siblings();
    const id = await billing.aPayment(both.beto, '400.00');
    const before = await pdf(`/payments/${id}`);
    expect(before.text).toContain('Pagado por|Familia Núñez');
    expect(before.text).toContain('Nombre o razón social|Transportes Núñez, S.A. de C.V.');
    expect(below(before.text, 'Recibimos')).toEqual([
      'Recibimos el pago de: Aviso de cobro F-2026-000002',
      'Concepto|Vencimiento|Importe recibido',
      'Comedor|10 oct 2026|400.00',
      'Total del aviso|MXN 1,500.00',
      'Notas de crédito|MXN 0.00',
      'Pagado antes|MXN 0.00',
      'Importe recibido|MXN 400.00',
      'Saldo restante|MXN 1,100.00',
    ]);

    await billing.post(`/payments/${id}/release`, { invoice_id: both.beto, amount: '100.00', reason: 'Error' });
    expect(below((await pdf(`/payments/${id}`)).text, 'Documento').slice(1, 4)).toEqual([
      'F-2026-000002|Beto Núñez|Comedor|300.00',
      'Aplicado a avisos de cobro|MXN 300.00',
      'Saldo a favor|MXN 100.00',
    ]);
  });
});

describe('An invoice of a family', () => {
  test('says who owes it, and lists what came to it and left it, not what was paid elsewhere', async () => {
    const both = await siblings();
    const id = await pay(both, '2000.00', { reference: 'SPEI 7' });
    travel('2026-09-05');
    await billing.post(`/payments/${id}/release`, { invoice_id: both.beto, amount: '200.00', reason: 'Va a otro mes' });

    const { text } = await pdf(`/invoices/${both.beto}`);
    expect(text).toContain('Beto Núñez');
    expect(text).toContain('Responsable de pago|Familia Núñez');
    expect(text).toContain('RFC|TNU010101AB1');
    expect(below(text, 'Pagos y notas').slice(2)).toEqual([
      '1 sep 2026|Pago|R-2026-000001|Transferencia · SPEI 7|500.00',
      '5 sep 2026|Pasó a saldo a favor|R-2026-000001|Va a otro mes · Transferencia · SPEI 7|-200.00',
      'Total|MXN 1,500.00',
      'Notas de crédito|MXN 0.00',
      'Pagado|MXN 300.00',
      'Saldo pendiente|MXN 1,200.00',
    ]);
  });
});

describe('The account of a family', () => {
  test('as a statement and as a ledger: lines say which student, totals what is credit, as the JSON does', async () => {
    const both = await siblings();
    await pay(both, '3250.00');
    travel('2026-09-20');
    await both.family.anInvoice({ amount_total: '1000.00', description: 'Libros', due_date: '2026-10-01' });

    const path = `/families/${both.family.id}`;
    const statement = await pdf(`${path}/statement`);
    expect(statement.text).toContain('RFC TNU010101AB1');
    expect(below(statement.text, 'F-2026-000001')).toEqual([
      'F-2026-000001|Ana Núñez|1 sep 2026|10 sep 2026|Colegiatura|Pagada|1,500.00|0.00|1,500.00|0.00',
      'F-2026-000002|Beto Núñez|1 sep 2026|10 oct 2026|Comedor|Pagada|1,500.00|0.00|1,500.00|0.00',
      'F-2026-000003|Ana Núñez|20 sep 2026|1 oct 2026|Libros|Parcial|1,000.00|0.00|250.00|750.00',
      'Total|4,000.00|0.00|3,250.00|750.00',
      'Facturado|MXN 4,000.00',
      'Notas de crédito|MXN 0.00',
      'Pagado|MXN 3,250.00',
      'Vencido|MXN 0.00',
      'Saldo pendiente|MXN 750.00',
    ]);
    await pay(both, '50.00', { allocations: 'none' });
    const { body } = await billing.get<{ totals: Record<string, string> }>(`${path}/statement`);
    const ahead = (await pdf(`${path}/statement`)).text.split('\n').filter((line) => line.includes('|MXN '));
    expect(ahead.slice(-2)).toEqual([
      `Saldo a favor|MXN ${body.totals['credit']}`,
      `Saldo neto|MXN ${body.totals['balance']}`,
    ]);
    const ledger = await pdf(`${path}/ledger`);
    expect(ledger.text).toContain('1 sep 2026|Aviso de cobro|F-2026-000002|Beto Núñez|Comedor|1,500.00|3,000.00');
    expect(ledger.text).toContain('1 sep 2026|Pago|R-2026-000001|Transferencia|3,250.00|-250.00');
    expect(ledger.text).toContain('Saldo final|MXN 700.00');
  });
});

describe('Letters to families', () => {
  test('one to the guardian of each family, with the invoices of every student; who has no family gets one of their own', async () => {
    const both = await siblings();
    const { family } = both;
    await billing.post(`/families/${family.id}/guardians`, { full_name: 'Rosa Núñez', email: 'rosa@example.com' });
    await pay(both, '600.00', { allocations: [{ invoice_id: both.ana, amount: '500.00' }] });
    const alone = await billing.aStudent({ school_id: family.schoolId, first_name: 'Carla', last_name: 'Peña' });
    await billing.anInvoice({
      student_id: alone,
      amount_total: '70.00',
      description: 'Libros',
      due_date: '2026-09-20',
    });
    travel('2026-09-30');

    const { pages } = await pdf(`/schools/${family.schoolId}/debtors?format=pdf&group_by=family`);
    expect(pages).toHaveLength(2);
    const [first = '', second = ''] = pages.map(({ lines }) => lines.join('\n'));
    for (const text of ['Responsable', 'Rosa Núñez', 'Familia Núñez', 'rosa@example.com', `Familia n.º ${family.id}`]) {
      expect(first).toContain(text);
    }
    expect(first).toContain('la cuenta de Familia Núñez presenta los adeudos');
    expect(below(first, 'F-2026-000001')).toEqual([
      'F-2026-000001|Ana Núñez|Colegiatura|10 sep 2026|20|1,500.00|1,000.00',
      'F-2026-000002|Beto Núñez|Comedor|10 oct 2026|0|1,500.00|1,500.00',
      'Total|2,500.00',
      'Vencido|MXN 1,000.00',
      'Total adeudado|MXN 2,500.00',
      'Saldo a favor|MXN 100.00',
      'Saldo neto|MXN 2,400.00',
    ]);
    expect(second).toContain('Carla Peña');
    expect(below(second, 'F-2026-000003')[0]).toBe('F-2026-000003|Libros|20 sep 2026|10|70.00|70.00');
  });
});
