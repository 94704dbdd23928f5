import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { studentBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();

describe('GET /students/{id}', () => {
  test('200: what was created, without a key', async () => {
    const created = await billing.post('/students', studentBody(await billing.aSchool()));
    const read = await billing.get(`/students/${created.body['id']}`, { 'x-api-key': '' });
    expect(read.status).toBe(200);
    expect(read.text).toBe(created.text);
  });

  test('404: no such student', async () => {
    const answer = await billing.get('/students/7777777');
    expectProblem(answer, 404, 'student_not_found');
    expect(answer.body['detail']).toBe('Student with id 7777777 not found');
  });
});
