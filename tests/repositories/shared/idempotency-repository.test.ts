import { expect, test } from 'vitest';
import { IdempotencyRepository } from '../../../src/repositories/shared/idempotency-repository.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();
const CLAIM = { credential: '0'.repeat(32), key: 'a-month-old', fingerprint: '0'.repeat(64) };

// A repeat after 30 days can meet the removal of its key: the key is a new one then, and no fault of ours.
test('a key that is forgotten between the conflict and the look at its answer is free', async () => {
  await billing.owner.query(
    "insert into idempotency_keys (credential, key, fingerprint, status, body) values ($1, $2, $3, 201, '{}')",
    [CLAIM.credential, CLAIM.key, CLAIM.fingerprint],
  );

  const claimed = await billing.product.pool.transaction({}, async (sql) => {
    const meetsRemoval = new IdempotencyRepository({
      ...sql,
      first: async (statement) => {
        await billing.owner.query('delete from idempotency_keys');
        return await sql.first(statement);
      },
    });
    return await meetsRemoval.claim(CLAIM, new Date());
  });

  expect(claimed).toBe('claimed');
  const { rows } = await billing.owner.query('select key from idempotency_keys');
  expect(rows).toEqual([{ key: CLAIM.key }]);
});
