import { expect, test } from 'vitest';
import { COMMAND_LINE } from '../../../src/domain/access/actor.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();

// The service counts students under the row's lock and refuses by its rule; this is the net below it.
test('the constraint keeps a school with students from becoming inactive', async () => {
  const id = await billing.aSchool();
  await billing.aStudent({ school_id: id });

  const change = billing.product.unitOfWork.write(async ({ schools }) => {
    const school = await schools.find(COMMAND_LINE, id);
    if (school === undefined) throw new Error('the school is there');
    return await schools.update(COMMAND_LINE, { ...school, isActive: false }, new Date());
  });

  await expect(change).rejects.toMatchObject({ name: 'DomainError', code: 'school_has_students' });
  expect((await billing.get(`/schools/${id}`)).body['is_active']).toBe(true);
});
