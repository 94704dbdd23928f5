import { expect, test, vi } from 'vitest';
import { IdempotencyCleaner } from '../../../src/services/shared/idempotency-cleaner.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();

test('cleans again and again, goes on after a run that failed, and ends when it is stopped', async () => {
  const events: object[] = [];
  const cleaner = new IdempotencyCleaner({
    unitOfWork: billing.product.unitOfWork,
    clock: billing.clock,
    log: { info: (facts, event) => events.push({ ...facts, event }) },
    everyMs: 5,
  });
  const clean = vi.spyOn(cleaner, 'clean').mockRejectedValueOnce(new TypeError('once'));
  const running = cleaner.run();
  await vi.waitFor(() => expect(clean.mock.calls.length).toBeGreaterThan(2), 10_000);

  cleaner.stop();
  await running;
  expect(events).toEqual([{ event: 'idempotency_cleaning_failed', reason: 'TypeError' }]);
});
