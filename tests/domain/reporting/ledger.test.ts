import { expect, test } from 'vitest';
import { lastDay } from '../../../src/domain/reporting/ledger.ts';

test.each([
  [null, null, null],
  ['2026-03-31', null, '2026-03-31'],
  [null, '2026-03-31', '2026-03-31'],
  ['2026-03-31', '2026-04-01', '2026-03-31'],
  ['2026-04-01', '2026-03-31', '2026-03-31'],
  ['2026-03-31', '2026-03-31', '2026-03-31'],
])('the last day of a period to %s as of %s is %s', (to, asOf, last) => {
  expect(lastDay({ from: null, to, asOf })).toBe(last);
});
