import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { INVOICE_STATUSES, type Invoice } from '../../../src/domain/billing/invoice.ts';
import {
  applyCredit,
  applyPayment,
  assertInvoiceChangeable,
  assertIssuable,
  assertVoidable,
  calculateOwed,
  calculatePending,
  changeTotal,
  deriveInvoiceStatus,
} from '../../../src/domain/billing/invoice-rules.ts';
import { DomainError, UnavailableError } from '../../../src/domain/shared/errors.ts';
import { type Money, parseMoney } from '../../../src/domain/shared/money.ts';
import { refusalOf } from '../refusal.ts';

const AT = new Date('2026-01-15T12:00:00Z');

function money(text: string, currency = 'MXN'): Money {
  return parseMoney(text, currency);
}

/** Amounts as text; the status is the one they derive to unless it is given. */
function anInvoice(of: {
  total?: string;
  paid?: string;
  credited?: string;
  currency?: string;
  status?: Invoice['status'];
}): Invoice {
  const { total = '1000.00', paid = '0.00', credited = '0.00', currency = 'MXN' } = of;
  const amounts = { total: money(total, currency), paid: money(paid, currency), credited: money(credited, currency) };
  return {
    id: 7,
    schoolId: 1,
    familyId: null,
    studentId: 2,
    number: 'F-2026-000007',
    ...amounts,
    writtenOff: money('0.00', currency),
    status: of.status ?? deriveInvoiceStatus(amounts),
    issuedAt: AT,
    issuedOn: '2026-01-15',
    bookedOn: '2026-01-15',
    dueDate: '2026-02-01',
    description: null,
    voidedAt: of.status === 'VOID' ? AT : null,
    voidedOn: of.status === 'VOID' ? '2026-01-15' : null,
    voidReason: null,
    hasLines: false,
  };
}

const anyInvoice = fc
  .tuple(
    fc.bigInt({ min: 1n, max: 999_999_999_999n }),
    fc.bigInt({ min: 0n, max: 10_000n }),
    fc.bigInt({ min: 0n, max: 10_000n }),
  )
  .map(([total, paidShare, creditedShare]): Invoice => {
    const paid = (total * paidShare) / 10_000n;
    const credited = ((total - paid) * creditedShare) / 10_000n;
    const amounts = {
      total: { minor: total, currency: 'MXN' },
      paid: { minor: paid, currency: 'MXN' },
      credited: { minor: credited, currency: 'MXN' },
    };
    return { ...anInvoice({}), ...amounts, status: deriveInvoiceStatus(amounts) };
  });
const anyAmount = fc.bigInt({ min: 1n, max: 999_999_999_999n }).map((minor): Money => ({ minor, currency: 'MXN' }));

/** What must hold of every invoice, whatever happened to it. */
function expectSound(invoice: Invoice): void {
  const { total, paid, credited } = invoice;
  expect(paid.minor >= 0n && credited.minor >= 0n).toBe(true);
  expect(paid.minor + credited.minor <= total.minor).toBe(true);
  expect(calculatePending(invoice).minor).toBe(total.minor - paid.minor - credited.minor);
  expect(invoice.status).toBe(deriveInvoiceStatus(invoice));
}

describe('calculatePending', () => {
  test('is what was billed, less credit, less payments', () => {
    const invoice = anInvoice({ total: '1000.00', paid: '300.10', credited: '99.95' });
    expect(calculatePending(invoice)).toEqual(money('599.95'));
  });
});

describe('calculateOwed', () => {
  test('is what is pending, and nothing on a void invoice', () => {
    const invoice = anInvoice({ total: '1000.00', paid: '0.00', credited: '99.95' });
    expect(calculateOwed(invoice)).toEqual(money('900.05'));
    expect(calculateOwed({ ...invoice, status: 'VOID' })).toEqual(money('0.00'));
  });
});

describe('deriveInvoiceStatus', () => {
  test.each([
    ['0.00', '0.00', 'ISSUED'],
    ['0.01', '0.00', 'PARTIAL'],
    ['999.99', '0.00', 'PARTIAL'],
    ['1000.00', '0.00', 'PAID'],
    ['0.00', '0.01', 'ISSUED'],
    ['0.00', '999.99', 'ISSUED'],
    ['0.00', '1000.00', 'PAID'],
    ['0.01', '999.98', 'PARTIAL'],
    ['0.01', '999.99', 'PAID'],
    ['1000.00', '0.01', 'PAID'],
  ])('paid %s and credited %s of 1000.00 is %s', (paid, credited, status) => {
    expect(deriveInvoiceStatus(anInvoice({ paid, credited }))).toBe(status);
  });
});

describe('applyPayment', () => {
  test.each([
    ['400.00', 'PARTIAL'],
    ['999.99', 'PARTIAL'],
    ['1000.00', 'PAID'],
  ] as const)('%s of 1000.00 leaves it %s', (amount, status) => {
    const after = applyPayment(anInvoice({}), money(amount));
    expect(after).toEqual({ ...anInvoice({}), paid: money(amount), status });
  });

  test('takes exactly what is pending after payments and credit', () => {
    const invoice = anInvoice({ paid: '300.00', credited: '200.00' });
    expect(applyPayment(invoice, money('500.00'))).toMatchObject({ paid: money('800.00'), status: 'PAID' });
  });

  test('refuses one hundredth more than is pending, and says both', () => {
    const invoice = anInvoice({ paid: '300.00', credited: '200.00' });
    expect(refusalOf(() => applyPayment(invoice, money('500.01')))).toEqual({
      code: 'payment_exceeds_pending',
      message: 'Payment amount (500.01) exceeds pending amount (500.00)',
      facts: { amount: '500.01', pending: '500.00' },
    });
  });

  test('refuses a paid invoice by its pending amount of zero', () => {
    expect(refusalOf(() => applyPayment(anInvoice({ paid: '1000.00' }), money('0.01')))).toMatchObject({
      code: 'payment_exceeds_pending',
      facts: { pending: '0.00' },
    });
  });

  test('refuses a void invoice first, whatever the amount', () => {
    const invoice = anInvoice({ status: 'VOID', currency: 'CLP' });
    expect(refusalOf(() => applyPayment(invoice, money('99999.50', 'CLP')))).toEqual({
      code: 'invoice_void',
      message: 'Invoice 7 is void and takes no payments',
      facts: {},
    });
  });

  test('refuses parts of a currency that has none before it looks at what is pending', () => {
    const invoice = anInvoice({ total: '1000.00', currency: 'CLP' });
    expect(refusalOf(() => applyPayment(invoice, money('5000.50', 'CLP')))).toEqual({
      code: 'amount_not_whole',
      message: 'CLP has no decimals: 5000.50 is not whole',
      facts: {},
    });
  });

  test('never overpays', () => {
    fc.assert(
      fc.property(anyInvoice, anyAmount, (invoice, amount) => {
        if (amount.minor > calculatePending(invoice).minor) {
          expect(refusalOf(() => applyPayment(invoice, amount)).code).toBe('payment_exceeds_pending');
          return;
        }
        const after = applyPayment(invoice, amount);
        expectSound(after);
      }),
    );
  });
});

describe('applyCredit', () => {
  test.each([
    ['250.00', 'ISSUED'],
    ['1000.00', 'PAID'],
  ] as const)('%s of 1000.00 leaves it %s, with what was billed unchanged', (amount, status) => {
    const after = applyCredit(anInvoice({}), money(amount), 'other');
    expect(after).toEqual({ ...anInvoice({}), credited: money(amount), status });
  });

  test('adds to earlier credit', () => {
    expect(applyCredit(anInvoice({ credited: '1.10' }), money('2.20'), 'other').credited).toEqual(money('3.30'));
  });

  test('never goes below what is paid', () => {
    const invoice = anInvoice({ paid: '300.00', credited: '200.00' });
    expect(refusalOf(() => applyCredit(invoice, money('500.01'), 'other'))).toEqual({
      code: 'credit_exceeds_pending',
      message: 'Credit amount (500.01) exceeds pending amount (500.00)',
      facts: { amount: '500.01', pending: '500.00' },
    });
    expect(applyCredit(invoice, money('500.00'), 'other').status).toBe('PAID');
  });

  test('refuses a void invoice first', () => {
    const invoice = anInvoice({ status: 'VOID', currency: 'CLP' });
    expect(refusalOf(() => applyCredit(invoice, money('0.50', 'CLP'), 'other'))).toEqual({
      code: 'invoice_void',
      message: 'Invoice 7 is void and takes no credit notes',
      facts: {},
    });
  });

  test('refuses parts of a currency that has none before it looks at what is pending', () => {
    const invoice = anInvoice({ total: '10.00', currency: 'JPY' });
    expect(refusalOf(() => applyCredit(invoice, money('99.50', 'JPY'), 'other'))).toMatchObject({
      code: 'amount_not_whole',
      message: 'JPY has no decimals: 99.50 is not whole',
    });
  });

  test('keeps every invoice sound', () => {
    fc.assert(
      fc.property(anyInvoice, anyAmount, (invoice, amount) => {
        if (amount.minor <= calculatePending(invoice).minor) expectSound(applyCredit(invoice, amount, 'other'));
        else expect(refusalOf(() => applyCredit(invoice, amount, 'other')).code).toBe('credit_exceeds_pending');
      }),
    );
  });
});

describe('changeTotal', () => {
  test.each([
    ['300.00', 'PAID'],
    ['300.01', 'PARTIAL'],
    ['5000.00', 'PARTIAL'],
  ] as const)('to %s with 200.00 paid and 100.00 credited leaves it %s', (total, status) => {
    const invoice = anInvoice({ paid: '200.00', credited: '100.00' });
    expect(changeTotal(invoice, money(total))).toEqual({ ...invoice, total: money(total), status });
  });

  test('refuses less than what is paid and credited', () => {
    const invoice = anInvoice({ paid: '200.00', credited: '100.00' });
    expect(refusalOf(() => changeTotal(invoice, money('299.99')))).toEqual({
      code: 'invoice_amount_below_paid',
      message: 'Amount (299.99) is below what is already paid or credited (300.00)',
      facts: { amount: '299.99', settled: '300.00' },
    });
  });

  test('refuses parts of a currency that has none before it looks at what is paid', () => {
    const invoice = anInvoice({ total: '1000.00', paid: '900.00', currency: 'CLP' });
    expect(refusalOf(() => changeTotal(invoice, money('1.50', 'CLP'))).code).toBe('amount_not_whole');
  });

  test('keeps every invoice sound', () => {
    fc.assert(
      fc.property(anyInvoice, anyAmount, (invoice, total) => {
        if (total.minor >= invoice.paid.minor + invoice.credited.minor) expectSound(changeTotal(invoice, total));
        else expect(refusalOf(() => changeTotal(invoice, total)).code).toBe('invoice_amount_below_paid');
      }),
    );
  });
});

describe('assertInvoiceChangeable', () => {
  test.each(['ISSUED', 'PARTIAL'] as const)('lets a %s invoice be changed', (status) => {
    expect(() => assertInvoiceChangeable(anInvoice({ status }))).not.toThrow();
  });

  test.each([
    ['VOID', 'invoice_void', 'Invoice 7 is void and cannot be changed'],
    ['PAID', 'invoice_paid', 'Invoice 7 is paid and cannot be changed'],
  ] as const)('refuses a %s invoice', (status, code, message) => {
    expect(refusalOf(() => assertInvoiceChangeable(anInvoice({ status })))).toEqual({ code, message, facts: {} });
  });
});

describe('assertVoidable', () => {
  test.each(INVOICE_STATUSES.filter((status) => status !== 'VOID'))(
    'lets a %s invoice without live payments be voided',
    (status) => {
      expect(() => assertVoidable(anInvoice({ status }), [])).not.toThrow();
    },
  );

  test('refuses while there are live payments, names them, and says what to do', () => {
    expect(refusalOf(() => assertVoidable(anInvoice({ paid: '1.00' }), [11, 12]))).toEqual({
      code: 'invoice_has_payments',
      message: 'Invoice 7 has payments (11, 12) and cannot be voided; reverse them first',
      facts: { payment_ids: [11, 12] },
    });
    expect(refusalOf(() => assertVoidable(anInvoice({}), [11])).code).toBe('invoice_has_payments');
  });

  test('refuses a void invoice first', () => {
    expect(refusalOf(() => assertVoidable(anInvoice({ status: 'VOID' }), [11]))).toEqual({
      code: 'invoice_already_void',
      message: 'Invoice 7 is already void',
      facts: {},
    });
  });
});

describe('assertIssuable', () => {
  test.each([null, 'MXN'])('lets an invoice be issued in %s at a school in MXN', (currency) => {
    expect(() => assertIssuable(money('10.50'), currency)).not.toThrow();
  });

  test('refuses another currency than the school’s, before it looks at the amount', () => {
    expect(refusalOf(() => assertIssuable(money('10.50', 'CLP'), 'MXN'))).toEqual({
      code: 'invoice_currency_mismatch',
      message: "Invoice currency (MXN) differs from the school's currency (CLP)",
      facts: {},
    });
  });

  test.each([null, 'CLP'])('refuses parts of a currency that has none (asked for: %s)', (currency) => {
    expect(refusalOf(() => assertIssuable(money('10.50', 'CLP'), currency)).code).toBe('amount_not_whole');
    expect(() => assertIssuable(money('10.00', 'CLP'), currency)).not.toThrow();
  });
});

describe('errors', () => {
  test('a refusal has no facts unless it is given some', () => {
    const error = new DomainError('invoice_void', 'no');
    expect(error).toMatchObject({ name: 'DomainError', code: 'invoice_void', message: 'no', facts: {} });
  });

  test('an UnavailableError keeps what caused it', () => {
    const cause = new Error('socket');
    const error = new UnavailableError('database_busy', 'later', cause);
    expect(error).toMatchObject({ name: 'UnavailableError', code: 'database_busy', message: 'later', cause });
  });
});
