import { beforeAll, describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';

const billing = await startBilling();

let schoolId = 0;
const students = new Map<string, number>();

/** Ana owes most, Benito is late longest, Carla owes but is not late, Diego owes nothing, and Eva is as late as Ana. */
beforeAll(async () => {
  schoolId = await billing.aSchool();
  billing.clock.travelTo('2026-05-31T12:00:00-06:00');
  const owe = async (name: string, invoices: [amount: string, due: string][]): Promise<number[]> => {
    const id = await billing.aStudent({ school_id: schoolId, first_name: name, last_name: 'Peña' });
    students.set(name, id);
    const made: number[] = [];
    for (const [amount_total, due_date] of invoices) {
      made.push(await billing.anInvoice({ student_id: id, amount_total, due_date }));
    }
    return made;
  };
  await owe('Ana', [
    ['900.00', '2026-05-21'],
    ['300.00', '2026-06-30'],
  ]);
  const [paidLater] = await owe('Benito', [
    ['50.00', '2026-01-31'],
    ['20.00', '2025-12-31'],
  ]);
  await owe('Carla', [['800.00', '2026-05-31']]);
  const [paid] = await owe('Diego', [['700.00', '2026-01-01']]);
  await owe('Eva', [['100.00', '2026-05-21']]);
  await billing.aPayment(paid ?? 0, '700.00');
  billing.clock.travelTo('2026-06-01T12:00:00-06:00');
  await billing.aPayment(paidLater ?? 0, '5.00');
});

async function debtors(query = ''): Promise<{ names: unknown[]; rows: Json[]; total: unknown; link: unknown }> {
  const { status, body, headers, text } = await billing.get<(Json & { student: { name: string } })[]>(
    `/schools/${schoolId}/debtors${query}`,
  );
  expect(status, text).toBe(200);
  const names = body.map(({ student }) => student.name.split(' ')[0]);
  return { names, rows: body, total: headers['x-total-count'], link: headers['link'] };
}

describe('GET /schools/{id}/debtors', () => {
  test('200: who owes most first, with what is overdue and since when; who owes nothing is left out', async () => {
    const { names, rows, total } = await debtors();
    expect([names, total]).toEqual([['Ana', 'Carla', 'Eva', 'Benito'], '4']);
    expect(rows[0]).toEqual({
      student: { id: students.get('Ana'), name: 'Ana Peña' },
      currency: 'MXN',
      pending: '1200.00',
      overdue: '900.00',
      invoice_count: 2,
      oldest_due_date: '2026-05-21',
      days_overdue: 11,
    });
    expect(rows[3]).toMatchObject({ pending: '65.00', overdue: '65.00', oldest_due_date: '2025-12-31' });
  });

  test('200: who is late longest first, of those who are late as long who owes most', async () => {
    const { names, rows } = await debtors('?order=days');
    expect(names).toEqual(['Benito', 'Ana', 'Eva', 'Carla']);
    expect(rows.map(({ days_overdue }) => days_overdue)).toEqual([152, 11, 11, 1]);
  });

  test('200: as_of shows who owed then; on the due day nobody is late', async () => {
    const { names, rows } = await debtors('?as_of=2026-05-31&order=days');
    expect(names).toEqual(['Benito', 'Ana', 'Eva', 'Carla']);
    expect(rows.map(({ pending, days_overdue }) => [pending, days_overdue])).toEqual([
      ['70.00', 151],
      ['1200.00', 10],
      ['100.00', 10],
      ['800.00', 0],
    ]);
    expect((await debtors('?as_of=2026-05-30')).total).toBe('0');
  });

  test('200: pages are cut from one order and counted as a whole', async () => {
    const first = await debtors('?limit=3');
    const second = await debtors('?limit=3&offset=3');
    expect([first.names, second.names]).toEqual([['Ana', 'Carla', 'Eva'], ['Benito']]);
    expect([first.total, second.total]).toEqual(['4', '4']);
    expect(first.link).toBe(`</api/v1/schools/${schoolId}/debtors?limit=3&offset=3>; rel="next"`);
    expect(second.link).toBe(`</api/v1/schools/${schoolId}/debtors?limit=3&offset=0>; rel="prev"`);
    expect(await debtors('?offset=9')).toMatchObject({ names: [], total: '4' });
  });

  test('404: no such school; 422: no such order', async () => {
    expect((await billing.get('/schools/999999/debtors')).body).toMatchObject({ code: 'school_not_found' });
    expect((await billing.get(`/schools/${schoolId}/debtors?order=name`)).body['errors']).toEqual([
      { pointer: '#/order', detail: 'must be one of amount, days' },
    ]);
    expect((await billing.get(`/schools/${schoolId}/debtors?cursor=x`)).status).toBe(422);
  });
});
