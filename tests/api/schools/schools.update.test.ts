import { afterEach, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { schoolBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
afterEach(() => billing.clock.release());

const LETTERHEAD = {
  legal_name: 'Instituto Ñandú, A.C.',
  tax_id: 'INA850101AB1',
  address: 'Av. Reforma 100\n06600 Ciudad de México',
  phone: '+52 55 5555 0100',
  email: 'Caja@nandu.example',
  payment_instructions: 'Transferencia a BBVA\nCLABE 012180001234567897',
  invoice_title: 'Aviso de cobro',
};

describe('PATCH /schools/{id}', () => {
  test.each([
    { name: 'Otro Nombre' },
    { country: 'CO' },
    { currency: 'COP' },
    { timezone: 'America/Tijuana' },
    { invoice_prefix: 'FAC' },
    { receipt_prefix: 'REC' },
    {
      name: 'Todo',
      country: 'PE',
      currency: 'PEN',
      timezone: 'America/Lima',
      invoice_prefix: 'R',
      receipt_prefix: 'F',
    },
    { credit_note_prefix: 'NCR' },
    { refund_prefix: 'RF' },
    LETTERHEAD,
    { phone: '+52 55 5555 0100' },
  ])('200: changes %j and nothing else', async (changes) => {
    billing.clock.travelTo('2026-01-01T00:00:00Z');
    const { body: before } = await billing.post('/schools', schoolBody());
    billing.clock.travelTo('2026-01-02T00:00:00Z');

    const answer = await billing.patch(`/schools/${before['id']}`, changes);

    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...before, ...changes, updated_at: '2026-01-02T00:00:00.000Z' });
    expect((await billing.get(`/schools/${before['id']}`)).text).toBe(answer.text);
  });

  test('200: null takes what its papers say of a school away; the rest stays', async () => {
    const { body: before } = await billing.post('/schools', schoolBody(LETTERHEAD));
    expect(before).toMatchObject(LETTERHEAD);
    for (const name of Object.keys(LETTERHEAD)) {
      const { body } = await billing.patch(`/schools/${before['id']}`, { [name]: null });
      expect(body[name]).toBe(null);
    }
    const { body: after } = await billing.get(`/schools/${before['id']}`);
    const none = Object.fromEntries(Object.keys(LETTERHEAD).map((name) => [name, null]));
    expect(after).toEqual({ ...before, ...none, updated_at: expect.anything() });
  });

  test.each([
    { legal_name: 'x'.repeat(256) },
    { tax_id: 'x'.repeat(51) },
    { address: 'x'.repeat(501) },
    { phone: 'x'.repeat(51) },
    { email: 'caja' },
    { email: `${'x'.repeat(251)}@a.bc` },
    { payment_instructions: 'x'.repeat(2_001) },
    { invoice_title: 'x'.repeat(101) },
    { legal_name: '' },
    { address: ' \n\t' },
    { phone: '\u200b\u2060' },
    { tax_id: 7 },
  ])('422: %j is nothing to print', async (changes) => {
    const id = await billing.aSchool();
    const pointers = Object.keys(changes).map((name) => `#/${name}`);
    expectProblem(await billing.patch(`/schools/${id}`, changes), 422, 'request_invalid', pointers);
    expectProblem(await billing.post('/schools', schoolBody(changes)), 422, 'request_invalid', pointers);
  });

  test('200: the longest that may be printed, with letters beyond the BMP and line breaks', async () => {
    const longest = {
      legal_name: '😀'.repeat(255),
      tax_id: 'Ñ'.repeat(50),
      address: 'línea\n'.repeat(83),
      phone: '5'.repeat(50),
      email: `${'x'.repeat(249)}@a.bcd`,
      payment_instructions: '😀'.repeat(2_000),
      invoice_title: 'Ü'.repeat(100),
    };
    const id = await billing.aSchool();
    expect((await billing.patch(`/schools/${id}`, longest)).body).toMatchObject(longest);
  });

  test('200: {} changes nothing, not even updated_at', async () => {
    billing.clock.travelTo('2026-01-01T00:00:00Z');
    const { body: before, text } = await billing.post('/schools', schoolBody());
    billing.clock.travelTo('2026-01-02T00:00:00Z');
    const answer = await billing.patch(`/schools/${before['id']}`, {});
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(text);
  });

  test('200: its own name again is no conflict', async () => {
    const body = schoolBody();
    const id = await billing.aSchool(body);
    expect((await billing.patch(`/schools/${id}`, { name: body['name'] })).status).toBe(200);
  });

  test('409: a name that is equal to people; its own in another spelling is no conflict', async () => {
    const [one, two] = [await billing.aSchool({ name: 'Liceo Nº 1' }), await billing.aSchool()];
    expectProblem(await billing.patch(`/schools/${two}`, { name: ' LICEO nº 1' }), 409, 'school_name_taken');
    expect((await billing.patch(`/schools/${one}`, { name: 'LICEO Nº 1 ' })).body).toMatchObject({
      name: 'LICEO Nº 1 ',
    });
    expectProblem(await billing.patch(`/schools/${two}`, { name: 'liceo nº 1' }), 409, 'school_name_taken');
    expect((await billing.patch(`/schools/${one}`, { name: 'Liceo Nº 2' })).status).toBe(200);
    expect((await billing.patch(`/schools/${two}`, { name: 'liceo nº 1' })).status).toBe(200);
  });

  // The migration leaves names alone that were equal before anybody asked.
  test('200: of two schools that were called the same before, each is changed; 409 for a third', async () => {
    const [older, newer] = [await billing.aSchool({ name: 'Gemelo' }), await billing.aSchool()];
    await billing.owner.query("update schools set name = 'GEMELO', name_key = 'gemelo #' || id where id = $1", [newer]);
    for (const id of [older, newer]) {
      expect((await billing.patch(`/schools/${id}`, { timezone: 'America/Tijuana' })).status).toBe(200);
      await billing.delete(`/schools/${id}`);
      expect((await billing.patch(`/schools/${id}/activate`)).status).toBe(200);
    }
    expectProblem(await billing.post('/schools', schoolBody({ name: 'gemelo' })), 409, 'school_name_taken');
    expectProblem(await billing.patch(`/schools/${newer}`, { name: 'gemelo' }), 409, 'school_name_taken');
    // Its key is free now, and the name is still there as it was written.
    expect((await billing.patch(`/schools/${older}`, { name: 'Otro' })).status).toBe(200);
    expectProblem(await billing.post('/schools', schoolBody({ name: 'GEMELO' })), 409, 'school_name_taken');
    expectProblem(await billing.patch(`/schools/${older}`, { name: 'GEMELO' }), 409, 'school_name_taken');
  });

  test('200: the currency of a school without invoices, upper-cased', async () => {
    const id = await billing.aSchool();
    await billing.aStudent({ school_id: id });
    expect((await billing.patch(`/schools/${id}`, { currency: 'usd' })).body).toMatchObject({ currency: 'USD' });
  });

  test.each([
    [{ name: null }, '#/name'],
    [{ country: null }, '#/country'],
    [{ currency: null }, '#/currency'],
    [{ timezone: null }, '#/timezone'],
    [{ name: '' }, '#/name'],
    [{ name: '\u200b \u0301' }, '#/name'],
    [{ is_active: true }, '#/is_active'],
    [{ id: 3 }, '#/id'],
    [{ updated_at: '2026-01-01T00:00:00Z' }, '#/updated_at'],
    [{ extra: null }, '#/extra'],
  ])('422: %j', async (changes, pointer) => {
    const id = await billing.aSchool();
    expectProblem(await billing.patch(`/schools/${id}`, changes), 422, 'request_invalid', [pointer]);
  });

  test('422: a zone that PostgreSQL does not know; a school that has one already can be changed and mended', async () => {
    const id = await billing.aSchool();
    const unknown = { timezone: 'Canada/East-Saskatchewan' };
    expectProblem(await billing.patch(`/schools/${id}`, unknown), 422, 'school_timezone_unknown', ['#/timezone']);

    await billing.owner.query('update schools set timezone = $1 where id = $2', [unknown.timezone, id]);
    expect((await billing.patch(`/schools/${id}`, { name: 'Otro Nombre Aún' })).status).toBe(200);
    expect((await billing.patch(`/schools/${id}`, { timezone: 'America/Regina' })).status).toBe(200);
  });

  test('422: a prefix that the other series has', async () => {
    const id = await billing.aSchool();
    const answer = await billing.patch(`/schools/${id}`, { receipt_prefix: 'F' });
    expectProblem(answer, 422, 'school_prefixes_equal', ['#/receipt_prefix']);
  });

  // Numbers stay when a prefix changes: F-2026-000001 would be an old invoice and a new receipt.
  test('422: a prefix that documents of the other kind were numbered with, long ago too', async () => {
    const id = await billing.aSchool();
    const invoiceId = await billing.anInvoice({ student_id: await billing.aStudent({ school_id: id }) });
    const swapped = await billing.patch(`/schools/${id}`, { invoice_prefix: 'R', receipt_prefix: 'F' });
    expectProblem(swapped, 422, 'school_prefixes_equal', ['#/invoice_prefix']);
    expect(swapped.body['detail']).toMatch(/numbered with F:/);

    await billing.aPayment(invoiceId, '1.00');
    expect((await billing.patch(`/schools/${id}`, { invoice_prefix: 'A', receipt_prefix: 'B' })).status).toBe(200);
    for (const changes of [{ invoice_prefix: 'R' }, { receipt_prefix: 'F' }]) {
      expectProblem(await billing.patch(`/schools/${id}`, changes), 422, 'school_prefixes_equal');
    }
    expect((await billing.patch(`/schools/${id}`, { invoice_prefix: 'F', receipt_prefix: 'R' })).status).toBe(200);

    await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '1.00', reason: 'discount' });
    expect((await billing.patch(`/schools/${id}`, { credit_note_prefix: 'C' })).status).toBe(200);
    for (const changes of [
      { invoice_prefix: 'NC' },
      { receipt_prefix: 'NC' },
      { credit_note_prefix: 'F' },
      { refund_prefix: 'F' },
    ]) {
      expectProblem(await billing.patch(`/schools/${id}`, changes), 422, 'school_prefixes_equal');
    }
  });

  test('409: another school has the name, also when only the country changes', async () => {
    const taken = schoolBody({ country: 'CO' });
    await billing.aSchool(taken);
    const other = await billing.aSchool({ country: 'CO' });
    const elsewhere = await billing.aSchool({ name: taken['name'], country: 'MX' });

    expectProblem(await billing.patch(`/schools/${other}`, { name: taken['name'] }), 409, 'school_name_taken');
    expectProblem(await billing.patch(`/schools/${elsewhere}`, { country: 'CO' }), 409, 'school_name_taken');
  });

  test('400: an inactive school cannot be changed', async () => {
    const id = await billing.aSchool();
    await billing.delete(`/schools/${id}`);
    expectProblem(await billing.patch(`/schools/${id}`, { name: 'Nuevo' }), 400, 'school_inactive');
  });

  test('409 before 400: a taken name is refused before the school being inactive', async () => {
    const taken = schoolBody();
    await billing.aSchool(taken);
    const id = await billing.aSchool();
    await billing.delete(`/schools/${id}`);
    expectProblem(await billing.patch(`/schools/${id}`, { name: taken['name'] }), 409, 'school_name_taken');
  });

  test('400: the currency cannot change once there are invoices, void ones too; the same currency can be sent', async () => {
    const id = await billing.aSchool();
    const invoiceId = await billing.anInvoice({ student_id: await billing.aStudent({ school_id: id }) });
    expectProblem(await billing.patch(`/schools/${id}`, { currency: 'USD' }), 400, 'school_currency_locked');

    await billing.delete(`/invoices/${invoiceId}`);
    expectProblem(await billing.patch(`/schools/${id}`, { currency: 'USD' }), 400, 'school_currency_locked');
    expect((await billing.patch(`/schools/${id}`, { currency: 'MXN', name: 'Igual' })).status).toBe(200);
    expect((await billing.get(`/schools/${id}`)).body).toMatchObject({ currency: 'MXN', name: 'Igual' });
  });

  test('404: no such school, with changes and without', async () => {
    expectProblem(await billing.patch('/schools/999999', { name: 'x' }), 404, 'school_not_found');
    expectProblem(await billing.patch('/schools/999999', {}), 404, 'school_not_found');
  });
});
