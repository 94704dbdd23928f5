import { afterEach, describe, expect, test } from 'vitest';
import { LETTERS_MAX } from '../../../src/services/documents/debtor-letters-document.ts';
import { startBilling } from '../../support/billing.ts';
import { papersOf } from '../../support/pdf.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const pdf = papersOf(billing);
afterEach(() => billing.clock.release());

const travel = (day: string): void => billing.clock.travelTo(`${day}T12:00:00-06:00`);

describe('GET /students/{id}/clearance', () => {
  test('400: while 0.01 is open, named; 200: a PDF once nothing is, or JSON', async () => {
    travel('2026-11-02');
    const studentId = await billing.aStudent({ first_name: 'Ana', last_name: 'Peña' });
    const path = `/students/${studentId}/clearance`;
    const paid = await billing.anInvoice({ student_id: studentId, amount_total: '900.00', due_date: '2026-10-01' });
    const later = await billing.anInvoice({ student_id: studentId, amount_total: '50.00', due_date: '2027-05-01' });
    await billing.aPayment(paid, '899.99');

    const refused = await billing.get(path);
    expectProblem(refused, 400, 'balance_pending');
    const { number } = (await billing.get(`/invoices/${paid}`)).body;
    expect(refused.body).toMatchObject({ pending: '50.01', invoice_ids: [paid, later] });
    expect(refused.body['detail']).toContain(`owes 50.01 MXN: ${number} (0.01), `);
    expect((await billing.get(`${path}?format=json`)).body['code']).toBe('balance_pending');

    await billing.post(`/invoices/${later}/credit-notes`, { amount: '50.00', reason: 'scholarship' });
    expect((await billing.get(path)).body).toMatchObject({ pending: '0.01', invoice_ids: [paid] });
    await billing.aPayment(paid, '0.01');
    const answer = await pdf(path, {});
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/pdf');
    expect(answer.headers['content-disposition']).toBe(
      `inline; filename="clearance-student-${studentId}-2026-11-02.pdf"`,
    );
    expect(answer.text).toContain('|Constancia de no adeudo\n');
    const letters = answer.text.replaceAll('\n', ' ');
    expect(letters).toContain('hace constar que Ana Peña (estudiante n.º');
    expect(letters).toContain('al 2 de noviembre de 2026.');
    expect(answer.text).toContain('Firma y sello');
    const json = await billing.get(`${path}?format=json`);
    expect(json.body).toEqual({
      student: (await billing.get(`/students/${studentId}`)).body,
      currency: 'MXN',
      timezone: 'America/Mexico_City',
      as_of: '2026-11-02',
      pending: '0.00',
    });
    expect((await billing.get(path, { accept: 'application/json' })).body).toEqual(json.body);
    expectProblem(await billing.get('/students/999999999/clearance'), 404, 'student_not_found');
  });

  test.each([
    ['CO', 'COP', '', 'Paz y salvo'],
    ['EC', 'USD', '', 'Paz y salvo'],
    ['MX', 'MXN', '', 'Constancia de no adeudo'],
    ['CO', 'COP', '&lang=en', 'Clearance certificate'],
    ['CO', 'COP', '&lang=pt', 'Declaração de quitação'],
    ['BR', 'BRL', '', 'Declaração de quitação'],
  ])('200: in %s (%s%s) it is called %s', async (country, currency, query, title) => {
    const studentId = await billing.aStudent({ school_id: await billing.aSchool({ country, currency }) });
    expect((await pdf(`/students/${studentId}/clearance?format=pdf${query}`)).text).toContain(`|${title}\n`);
  });
});

describe('Letters to debtors', () => {
  async function aSchoolOfDebtors() {
    travel('2026-01-10');
    const schoolId = await billing.aSchool({ payment_instructions: 'CLABE 012180001234567897' });
    const student = async (first_name: string): Promise<number> =>
      await billing.aStudent({ school_id: schoolId, first_name, last_name: 'Peña' });
    const [ana, beto, carla] = [await student('Ana'), await student('Beto'), await student('Carla')];
    const bill = async (student_id: number, amount_total: string, due_date: string): Promise<number> =>
      await billing.anInvoice({ student_id, amount_total, due_date, description: `Vence ${due_date}` });
    await bill(ana, '9000.00', '2026-03-31');
    const part = await bill(ana, '100.50', '2026-02-28');
    await bill(beto, '1234.56', '2026-01-31');
    await billing.aPayment(await bill(carla, '10.00', '2026-01-31'), '10.00');
    travel('2026-03-10');
    await billing.aPayment(part, '0.50');
    return { schoolId, ana, beto };
  }

  test('a page for each who owes, the oldest debt first, with every figure of the list', async () => {
    const { schoolId } = await aSchoolOfDebtors();
    const { body } = await billing.get<Record<string, string>[]>(`/schools/${schoolId}/debtors?order=days`);

    const { pages, title } = await pdf(`/schools/${schoolId}/debtors`);

    expect(title).toBe('Aviso de adeudo Al 10 mar 2026');
    expect(pages).toHaveLength(2);
    const [beto, ana] = pages.map(({ lines }) => lines.join('\n'));
    expect(beto).toContain('Beto Peña');
    expect(beto).toMatch(/\nF-2026-000003\|Vence 2026-01-31\|31 ene 2026\|38\|1,234\.56\|1,234\.56\n/);
    expect(ana).toContain('Ana Peña');
    // The longest due first, with what is left of it.
    expect(ana?.match(/^F-.*$/gm)).toEqual([
      'F-2026-000002|Vence 2026-02-28|28 feb 2026|10|100.50|100.00',
      'F-2026-000001|Vence 2026-03-31|31 mar 2026|0|9,000.00|9,000.00',
    ]);
    const mx = (amount: unknown): string => String(amount).replaceAll(/\B(?=(\d{3})+\.)/g, ',');
    for (const [index, text] of [beto, ana].entries()) {
      const { pending, overdue } = body[index] ?? {};
      expect(text).toContain(`Total|${mx(pending)}`);
      expect(text).toContain(`Vencido|MXN ${mx(overdue)}`);
      expect(text).toContain(`Total adeudado|MXN ${mx(pending)}`);
      expect(text).toContain('CLABE 012180001234567897');
      expect(text).toContain('Página 1 de 1');
    }
  });

  test('follow the order, the day and the page that the list is asked for by', async () => {
    const { schoolId } = await aSchoolOfDebtors();
    const names = async (query: string): Promise<(string | undefined)[]> =>
      (await pdf(`/schools/${schoolId}/debtors?format=pdf&lang=en${query}`)).pages.map(
        ({ lines }) => /(Ana|Beto|Carla) Peña/.exec(lines.join('\n'))?.[1],
      );
    expect(await names('')).toEqual(['Beto', 'Ana']);
    expect(await names('&order=amount')).toEqual(['Ana', 'Beto']);
    expect(await names('&limit=1')).toEqual(['Beto']);
    expect(await names('&limit=1&offset=1')).toEqual(['Ana']);
    const { text } = await pdf(`/schools/${schoolId}/debtors?format=pdf&lang=en&as_of=2026-03-05`);
    expect(text).toContain('As of 5 Mar 2026');
    expect(text).toContain('F-2026-000002|Vence 2026-02-28|28 Feb 2026|5|100.50|100.50');
    expect((await pdf(`/schools/${schoolId}/debtors?format=pdf&lang=en&as_of=2026-01-09`)).text).toContain(
      'Nobody owes anything.',
    );
    expect((await pdf(`/schools/${schoolId}/debtors?format=csv&limit=1`)).problem.errors).toMatchObject([
      { pointer: '#/limit' },
    ]);
  });

  test('who owes nothing late yet is reminded, not asked to pay soon', async () => {
    const { schoolId } = await aSchoolOfDebtors();
    const letterOn = async (day: string): Promise<string> => {
      const { pages } = await pdf(`/schools/${schoolId}/debtors?format=pdf&as_of=${day}`);
      return pages.map(({ lines }) => lines.join(' ')).find((text) => text.includes('Ana Peña')) ?? '';
    };
    // The due day itself is not late.
    expect(await letterOn('2026-02-28')).toContain('Ninguno está vencido');
    expect(await letterOn('2026-02-28')).not.toContain('pronto pago');
    expect(await letterOn('2026-03-01')).toContain('pronto pago');
    expect(await letterOn('2026-03-01')).not.toContain('Ninguno está vencido');
  });

  test('with more debts than a page holds, the rest is one row, and the total is that of all', async () => {
    const schoolId = await billing.aSchool({ payment_instructions: 'Banco, '.repeat(200) });
    const studentId = await billing.aStudent({ school_id: schoolId });
    await insertInvoices([studentId], 60);

    const { pages } = await pdf(`/schools/${schoolId}/debtors`);

    expect(pages).toHaveLength(1);
    const text = pages[0]?.lines.join('\n') ?? '';
    const shown = text.match(/^X-.*$/gm)?.length ?? 0;
    expect(shown).toBeGreaterThanOrEqual(8);
    expect(text).toContain(`Otros ${60 - shown}, con vencimiento posterior|${60 - shown}.00`);
    expect(text).toContain('Total adeudado|MXN 60.00');
  });

  test(`422: more than ${LETTERS_MAX}; what helps is named, and helps`, async () => {
    const schoolId = await billing.aSchool();
    const { rows } = await billing.owner.query<{ id: string }>(
      `insert into students (school_id, first_name, last_name, email)
       select $1, 'Alumno', 'No. ' || n, 'letters.' || n || '@many.example' from generate_series(1, $2::int) n returning id`,
      [schoolId, LETTERS_MAX + 1],
    );
    await insertInvoices(
      rows.map(({ id }) => Number(id)),
      1,
    );

    const { status, problem } = await pdf(`/schools/${schoolId}/debtors`);
    expect({ status, code: problem.code }).toEqual({ status: 422, code: 'document_too_long' });
    expect(problem.detail).toContain(`${LETTERS_MAX + 1} debtors. Ask for some at a time with limit and offset`);
    expect((await pdf(`/schools/${schoolId}/debtors?format=pdf&offset=${LETTERS_MAX}`)).pages).toHaveLength(1);
    expect((await pdf(`/schools/${schoolId}/debtors?format=pdf&limit=2`)).pages).toHaveLength(2);
  });
});

async function insertInvoices(students: readonly number[], each: number): Promise<void> {
  await billing.owner.query(
    `insert into invoices (issued_on, booked_on, school_id, student_id, number, currency, amount_total, due_date)
     select current_date, current_date, st.school_id, st.id, 'X-2020-' || st.id || '-' || n, 'MXN', 1, date '2026-01-01' + n
     from students st, generate_series(1, $2::int) n where st.id = any($1::bigint[])`,
    [students, each],
  );
}
