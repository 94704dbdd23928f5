import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();

describe('DELETE /students/{id}', () => {
  test('204: deletes for good, and the email is free again', async () => {
    const schoolId = await billing.aSchool();
    const id = await billing.aStudent({ school_id: schoolId, email: 'libre@example.com' });
    expect(await billing.delete(`/students/${id}`)).toMatchObject({ status: 204, text: '' });
    expectProblem(await billing.get(`/students/${id}`), 404, 'student_not_found');
    await billing.aStudent({ school_id: schoolId, email: 'libre@example.com' });
  });

  test('400: a student with invoices, void ones too', async () => {
    const id = await billing.aStudent();
    const invoiceId = await billing.anInvoice({ student_id: id });
    expectProblem(await billing.delete(`/students/${id}`), 400, 'student_has_invoices');
    await billing.delete(`/invoices/${invoiceId}`);
    expectProblem(await billing.delete(`/students/${id}`), 400, 'student_has_invoices');
    expect((await billing.get(`/students/${id}`)).status).toBe(200);
  });

  test('404: no such student, and one that was deleted', async () => {
    expectProblem(await billing.delete('/students/999999'), 404, 'student_not_found');
    const id = await billing.aStudent();
    await billing.delete(`/students/${id}`);
    expectProblem(await billing.delete(`/students/${id}`), 404, 'student_not_found');
  });
});
