import { describe, expect, test } from 'vitest';
import { API_KEY } from '../../support/address.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { schoolBody, studentBody } from '../../support/factories.ts';

const billing = await startBilling();

/** What the act logged, the request lines apart. */
async function logged(act: () => Promise<unknown>): Promise<Json[]> {
  const before = billing.logs().length;
  await act();
  return billing
    .logs()
    .slice(before)
    .filter(({ event }) => event !== 'request_completed')
    .map(({ level: _, time: __, ...facts }) => facts);
}

describe('business events', () => {
  test('each by its known name, with ids and decimal text', async () => {
    let schoolId = 0;
    let studentId = 0;
    let invoiceId = 0;
    let paymentId = 0;

    expect(await logged(async () => (schoolId = await billing.aSchool()))).toEqual([
      { event: 'school_created', school_id: schoolId },
    ]);
    expect(await logged(async () => await billing.patch(`/schools/${schoolId}`, { name: 'Otro' }))).toEqual([
      { event: 'school_updated', school_id: schoolId },
    ]);
    expect(await logged(async () => await billing.delete(`/schools/${schoolId}`))).toEqual([
      { event: 'school_deactivated', school_id: schoolId },
    ]);
    expect(await logged(async () => await billing.patch(`/schools/${schoolId}/activate`))).toEqual([
      { event: 'school_activated', school_id: schoolId },
    ]);
    expect(await logged(async () => (studentId = await billing.aStudent({ school_id: schoolId })))).toEqual([
      { event: 'student_created', student_id: studentId, school_id: schoolId },
    ]);
    expect(await logged(async () => await billing.patch(`/students/${studentId}`, { first_name: 'Eva' }))).toEqual([
      { event: 'student_updated', student_id: studentId, school_id: schoolId },
    ]);
    const made = { amount_total: '100.00', student_id: studentId };
    expect(await logged(async () => (invoiceId = await billing.anInvoice(made)))).toEqual([
      { event: 'invoice_created', invoice_id: invoiceId, school_id: schoolId, currency: 'MXN', ...made },
    ]);
    const bigger = { amount_total: '200.00' };
    expect(await logged(async () => await billing.patch(`/invoices/${invoiceId}`, bigger))).toEqual([
      { event: 'invoice_updated', invoice_id: invoiceId, status: 'ISSUED', ...bigger },
    ]);
    expect(
      await logged(async () => (paymentId = await billing.aPayment(invoiceId, '5.00', { method: 'CASH' }))),
    ).toEqual([
      { event: 'payment_processed', payment_id: paymentId, invoice_id: invoiceId, amount: '5.00', method: 'CASH' },
    ]);
    expect(await logged(async () => await billing.post(`/payments/${paymentId}/reversal`, { reason: 'x' }))).toEqual([
      { event: 'payment_reversed', payment_id: paymentId, invoice_id: invoiceId, amount: '5.00' },
    ]);
    const note = { amount: '1.00', reason: 'discount' };
    expect(await logged(async () => await billing.post(`/invoices/${invoiceId}/credit-notes`, note))).toEqual([
      { event: 'credit_note_created', credit_note_id: expect.any(Number), invoice_id: invoiceId, ...note },
    ]);
    expect(await logged(async () => await billing.get(`/students/${studentId}/statement`))).toEqual([
      { event: 'student_statement_generated', student_id: studentId },
    ]);
    expect(await logged(async () => await billing.get(`/schools/${schoolId}/statement`))).toEqual([
      { event: 'school_statement_generated', school_id: schoolId },
    ]);
    for (const [kind, id] of [['student', studentId] as const, ['school', schoolId] as const]) {
      const facts = { [`${kind}_id`]: id };
      // A school's names many people.
      const exported = { event: 'personal_data_exported', of: 'ledger', form: 'csv', filters: facts, ...facts };
      for (const format of ['json', 'csv']) {
        expect(await logged(async () => await billing.get(`/${kind}s/${id}/ledger?format=${format}`))).toEqual([
          { event: `${kind}_ledger_generated`, ...facts },
          ...(kind === 'school' && format === 'csv' ? [exported] : []),
        ]);
      }
      expect(await logged(async () => await billing.get(`/${kind}s/${id}/statement?format=csv`))).toEqual([
        { event: `${kind}_statement_generated`, ...facts },
      ]);
    }
    expect(await logged(async () => await billing.delete(`/invoices/${invoiceId}`))).toEqual([
      { event: 'invoice_voided', invoice_id: invoiceId },
    ]);
    const leaving = await billing.aStudent({ school_id: schoolId });
    expect(await logged(async () => await billing.delete(`/students/${leaving}`))).toEqual([
      { event: 'student_deleted', student_id: leaving },
    ]);
  });

  // A log line is a claim that something happened: refusals, repeats and changes of nothing make none.
  test('none for what did not happen', async () => {
    const schoolId = await billing.aSchool();
    const invoiceId = await billing.anInvoice();
    const key = { 'idempotency-key': 'log-1' };
    await billing.pay(invoiceId, '1.00', key);
    const events = await logged(async () => {
      await billing.pay(invoiceId, '1.00', key);
      await billing.pay(invoiceId, '9999.00');
      await billing.patch(`/schools/${schoolId}`, {});
      await billing.patch(`/invoices/${invoiceId}`, {});
      await billing.patch(`/schools/${schoolId}/activate`);
      await billing.post('/schools', { name: 'x' });
      await billing.delete('/students/999999');
      await billing.get('/students/999999/statement');
    });
    expect(events).toEqual([]);
  });
});

describe('request lines', () => {
  test.each([
    ['GET', '/schools?q=x', '/api/v1/schools', 200],
    ['HEAD', '/schools', '/api/v1/schools', 200],
    ['GET', '/schools/999999', '/api/v1/schools/:id', 404],
    ['POST', '/invoices/999999/payments', '/api/v1/invoices/:id/payments', 422],
    ['GET', '/nothing/at/all', null, 404],
    ['PUT', '/schools', '/api/v1/schools', 405],
    ['GET', '/schools/%zz', null, 400],
    ['GET', '//openapi.json', '/openapi.json', 200],
  ] as const)('one for %s %s: id, route pattern, status, ms', async (method, path, route, status) => {
    const before = billing.logs().length;
    await billing.send(method, path, undefined, { 'x-request-id': 'find-me' });
    const lines = billing
      .logs()
      .slice(before)
      .filter(({ event }) => event === 'request_completed');
    expect(lines).toEqual([
      expect.objectContaining({ level: 'info', request_id: 'find-me', method, route, status, ms: expect.any(Number) }),
    ]);
  });

  test('one for a streamed statement too', async () => {
    const { body } = await billing.get(`/invoices/${await billing.anInvoice()}`);
    const before = billing.logs().length;
    await billing.get(`/schools/${body['school_id']}/statement`);
    const lines = billing
      .logs()
      .slice(before)
      .filter(({ event }) => event === 'request_completed');
    expect(lines).toHaveLength(1);
  });
});

test.each([
  ['info', []],
  ['debug', ['debug']],
])('at level %s a probe that was answered well leaves lines of %s', async (level, levels) => {
  const probed = await startBilling({ LOG_LEVEL: level });
  await probed.send('GET', '//health');
  await probed.send('GET', '//health/ready');
  expect(new Set(probed.logs().map((line) => line['level']))).toEqual(new Set(levels));
});

describe('LOG_LEVEL', () => {
  test.each([
    ['WARN', 0],
    ['error', 0],
    ['Silent', 0],
    ['INFO', 2],
    ['debug', 2],
  ])('%s, in any case', async (level, lines) => {
    const quiet = await startBilling({ LOG_LEVEL: level });
    await quiet.aSchool();
    expect(quiet.logs()).toHaveLength(lines);
  });
});

// Canaries: values that stand for people and secrets, sent through every door there is, must not come out in a log.
test('no name, email, description, reference, reason, body or key anywhere', async () => {
  const canary = (place: string): string => `Canario${place}`;
  const schoolId = await billing.aSchool(schoolBody({ name: canary('Escuela') }));
  await billing.post('/schools', schoolBody({ name: canary('Escuela') }));
  const person = { first_name: canary('Nombre'), last_name: canary('Apellido'), email: 'canario@example.com' };
  const studentId = await billing.aStudent({ school_id: schoolId, ...person });
  await billing.post('/students', studentBody(schoolId, person));
  await billing.post('/students', studentBody(schoolId, { ...person, first_name: '' }));
  await billing.patch(`/students/${studentId}`, { email: 'canario2@example.com' });
  const family = { name: canary('Familia'), external_id: canary('Externo'), tax_name: canary('Fiscal') };
  const familyId = await billing.aFamily({ school_id: schoolId, ...family });
  await billing.post('/families', { school_id: schoolId, ...family });
  const guardian = { full_name: canary('Tutor'), email: 'canario3@example.com', phone: canary('Telefono') };
  const tutor = await billing.post(`/families/${familyId}/guardians`, guardian);
  await billing.patch(`/guardians/${tutor.body['id']}`, { relationship: canary('Tia'), is_principal: true });
  await billing.patch(`/students/${studentId}`, { family_id: familyId, external_id: canary('Matricula') });
  await billing.post('/students', studentBody(schoolId, { external_id: canary('Matricula') }));
  await billing.get(`/families?q=${canary('Tutor')}&external_id=${canary('Externo')}`);
  await billing.delete(`/guardians/${tutor.body['id']}`);
  const invoiceId = await billing.anInvoice({ student_id: studentId, description: canary('Concepto') });
  await billing.aPayment(invoiceId, '1.00', { reference: canary('Referencia') });
  const gone = await billing.aPayment(invoiceId, '1.00');
  await billing.post(
    `/payments/${gone}/reversal`,
    { reason: canary('Motivo') },
    { 'idempotency-key': canary('Llave') },
  );
  await billing.get(`/students?q=${canary('Nombre')}`);
  await billing.get(`/students?q=${canary('Nombre')}%00`);
  await billing.get(`/${canary('Ruta')}`);
  await billing.send('POST', '/schools', `{"name":"${canary('Roto')}`);
  await billing.post('/schools', {}, { 'x-api-key': canary('Clave') });
  await billing.get('/schools', { authorization: canary('Bearer'), cookie: canary('Galleta') });
  await billing.get(`/students/${studentId}/statement`);
  await billing.get(`/schools/${schoolId}/statement`);

  // A fault of the database quotes what it was given: that must stay out too.
  await billing.owner.query(`alter table students add constraint canary check (first_name not like 'CanarioX%')`);
  await billing.post('/students', studentBody(schoolId, { first_name: canary('X') }));
  expect(billing.events()).toContain('request_failed');

  expect(billing.logText()).not.toMatch(/canario/i);
  expect(billing.logText()).not.toContain(API_KEY);
  expect(billing.logText()).not.toContain('@');
});
