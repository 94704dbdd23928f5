import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const studentId = await billing.aStudent();
const invoiceId = await billing.anInvoice({ student_id: studentId, amount_total: '9999999999.99' });

/** Every place money comes in, with the JSON text of an amount put into its body. */
const PLACES: [place: string, field: string, send: (json: string) => ReturnType<typeof billing.post>][] = [
  [
    'POST /invoices',
    '#/amount_total',
    async (json) =>
      await billing.post('/invoices', `{"student_id":${studentId},"due_date":"2027-01-01","amount_total":${json}}`),
  ],
  [
    'PATCH /invoices/{id}',
    '#/amount_total',
    async (json) =>
      await billing.patch(
        `/invoices/${await billing.anInvoice({ student_id: studentId })}`,
        `{"amount_total":${json}}`,
      ),
  ],
  [
    'POST /payments',
    '#/amount',
    async (json) => await billing.post('/payments', `{"invoice_id":${invoiceId},"amount":${json}}`),
  ],
  [
    'POST /invoices/{id}/payments',
    '#/amount',
    async (json) => await billing.post(`/invoices/${invoiceId}/payments`, `{"amount":${json}}`),
  ],
  [
    'POST /invoices/{id}/credit-notes',
    '#/amount',
    async (json) => await billing.post(`/invoices/${invoiceId}/credit-notes`, `{"amount":${json},"reason":"other"}`),
  ],
];

const REFUSED = [
  ...['"1e2"', '"1E2"', '"+5"', '" 5"', '"5 "', '"5\\n"', '"\\t5"', '".5"', '"1."', '"1.000"', '"1.001"', '"0.001"'],
  ...['""', '" "', '"-1"', '"-0.01"', '"0"', '"0.0"', '"0.00"', '"-0"', '"00"', '"01"', '"00.01"', '"1,000"', '"1,5"'],
  ...['"1_000"', '"1 000"', '"0x10"', '"0b1"', '"1n"', '"$5"', '"5 MXN"', '"NaN"', '"Infinity"', '"-Infinity"'],
  ...[
    '"١٢"',
    '"５"',
    '"1.0.0"',
    '"1..0"',
    '"."',
    '"true"',
    '"null"',
    '"5\\u0000"',
    '"10000000000"',
    '"10000000000.00"',
  ],
  ...['"9999999999.999"', '"99999999999999999999"', '0', '-0', '0.0', '-1', '-0.01', '0.001', '1.001', '0.015', '1e-7'],
  ...[
    '1e400',
    '-1e400',
    '1e21',
    '1e10',
    '10000000000',
    '9999999999.999',
    '0.30000000000000004',
    '1.00000000000000000001',
    '100000000000000000001e-20',
    // Looked at digit by digit up to here only: 60,000 zeros and a one kept the process busy for seconds.
    `1.${'0'.repeat(31)}`,
    `1.${'0'.repeat(60_000)}1`,
    `"${'9'.repeat(60_000)}"`,
    '9999999999.990000001',
    '0.99999999999999999999',
    '123456789012345680000',
  ],
  ...['true', 'false', 'null', '[]', '[5]', '["5"]', '{}', '{"amount":5}'],
];

const ACCEPTED: [json: string, shown: string][] = [
  ['"0.01"', '0.01'],
  ['0.01', '0.01'],
  ['"0.1"', '0.10'],
  ['"1"', '1.00'],
  ['"1.0"', '1.00'],
  ['1.00000000000000000000', '1.00'],
  [`1.${'0'.repeat(30)}`, '1.00'],
  ['"1.5"', '1.50'],
  ['"1.55"', '1.55'],
  ['1', '1.00'],
  ['1.0', '1.00'],
  ['1.50', '1.50'],
  ['10.1', '10.10'],
  ['0.29', '0.29'],
  ['1.005e1', '10.05'],
  ['1e2', '100.00'],
  ['"1000"', '1000.00'],
  ['4503599627.37', '4503599627.37'],
];

describe.each(PLACES)('%s', (_, field, send) => {
  test.each(REFUSED)('422: %s is refused, never coerced', async (json) => {
    expectProblem(await send(json), 422, 'request_invalid', [field]);
  });

  test('the refusal says what is taken', async () => {
    expect((await send('"1e2"')).body['errors']).toEqual([
      { pointer: field, detail: 'must be an amount from 0.01 to 9999999999.99 with at most two decimals' },
    ]);
  });
});

describe('POST /invoices', () => {
  const [, , issue] = PLACES[0] ?? [];
  const amountOf = async (json: string): Promise<unknown> => {
    const answer = await issue?.(json);
    return answer?.status === 201 ? answer.body['amount_total'] : answer?.status;
  };

  test.each(ACCEPTED)('201: %s is %s', async (json, shown) => {
    expect(await amountOf(json)).toBe(shown);
  });

  test.each([
    ['"0.01"', '0.01'],
    ['0.01', '0.01'],
    ['"9999999999.99"', '9999999999.99'],
    ['9999999999.99', '9999999999.99'],
  ])('201: the boundary %s', async (json, shown) => {
    expect(await amountOf(json)).toBe(shown);
  });

  // Guards that money out is money in to the cent, as text and as a number, anywhere in the range.
  test('201: every amount comes out as it came in, through a payment and its invoice', async () => {
    const cents = fc.bigInt({ min: 1n, max: 999_999_999_999n });
    await fc.assert(
      fc.asyncProperty(cents, fc.constantFrom('text', 'number'), async (amount, kind) => {
        const decimal = `${amount / 100n}.${String(amount % 100n).padStart(2, '0')}`;
        const json = kind === 'text' ? `"${decimal}"` : decimal;
        const made = await issue?.(json);
        expect(made?.body).toMatchObject({ amount_total: decimal, pending: decimal, paid: '0.00' });
        const paid = await billing.post('/payments', `{"invoice_id":${made?.body['id']},"amount":${json}}`);
        expect(paid.body).toMatchObject({ amount: decimal });
        const id = Number(made?.body['id']);
        expect(await billing.invoice(id)).toMatchObject({ status: 'PAID', paid: decimal, pending: '0.00' });
      }),
      { numRuns: 60 },
    );
    expect(await billing.driftedInvoices()).toEqual([]);
  });

  // The grammar, written a second time and differently: whatever JSON holds, taken or refused as the contract says.
  test('201 or 422: texts of digits, signs, points and exponents by the grammar', async () => {
    const text = fc.string({ unit: fc.constantFrom(...'0123456789.-+eE ,'), maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(text, async (amount) => {
        const [whole = '', fraction, ...rest] = amount.split('.');
        const isWhole = whole === '0' || (/^\d{1,10}$/.test(whole) && !whole.startsWith('0'));
        const isFraction = fraction === undefined || /^\d\d?$/.test(fraction);
        const isZero = !/[1-9]/.test(amount);
        const taken = isWhole && isFraction && rest.length === 0 && !isZero;
        expect(typeof (await amountOf(JSON.stringify(amount)))).toBe(taken ? 'string' : 'number');
      }),
      { numRuns: 300 },
    );
  });
});
