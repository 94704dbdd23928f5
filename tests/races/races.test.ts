import { afterAll, describe, expect, test } from 'vitest';
import { type Answer, startBilling } from '../support/billing.ts';
import { invoiceBody, schoolBody, studentBody } from '../support/factories.ts';

const billing = await startBilling();

type Request = () => Promise<Answer>;

/** Status and, of a refusal, its code: what a client of a race sees. */
function outcomeOf({ status, body }: Answer): string {
  return status < 400 ? String(status) : `${status} ${String(body['code'])}`;
}

/**
 * Makes two requests collide, once with the one in front and once with the other.
 *
 * @param prepare makes fresh rows; says what to hold while the requests gather, and what they are
 */
async function race(prepare: () => Promise<{ lock: string; requests: readonly Request[] }>): Promise<string[][]> {
  const rounds: string[][] = [];
  for (const isReversed of [false, true]) {
    const { lock, requests } = await prepare();
    const queue = (isReversed ? [...requests].reverse() : requests).map((request, place) => async () => {
      await billing.untilWaiting(place);
      return await request();
    });
    const answers = await billing.collideOn(lock, queue);
    rounds.push((isReversed ? answers.reverse() : answers).map(outcomeOf));
  }
  return rounds;
}

/** What is answered when the first request is in front, and when the second is; and nothing may have drifted. */
async function expectRounds(rounds: string[][], [first, second]: readonly [string[], string[]]): Promise<void> {
  expect(rounds).toEqual([first, second]);
  expect(await billing.driftedInvoices()).toEqual([]);
}

/** Two of the same: which of them wins is nobody's business. */
async function expectOnce(rounds: string[][], outcome: readonly string[]): Promise<void> {
  for (const round of rounds) expect(round.sort()).toEqual(outcome);
  expect(await billing.driftedInvoices()).toEqual([]);
}

const rowOf = (table: string, id: number): string => `select from ${table} where id = ${id} for update`;
/** Lets everybody look and nobody write: all of them are past their look when it ends. */
const writesTo = (table: string): string => `lock table ${table} in share mode`;

afterAll(() => {
  const failures = billing.logs().filter(({ event, status }) => event === 'request_completed' && Number(status) >= 500);
  expect(failures).toEqual([]);
});

describe('races for an invoice', () => {
  test('pay, void: a payment on a live invoice or a void without payments', async () => {
    const rounds = await race(async () => {
      const id = await billing.anInvoice();
      return {
        lock: rowOf('invoices', id),
        requests: [async () => await billing.pay(id, '10.00'), async () => await billing.delete(`/invoices/${id}`)],
      };
    });
    await expectRounds(rounds, [
      ['201', '400 invoice_has_payments'],
      ['400 invoice_void', '204'],
    ]);
  });

  test('pay, lower the amount: never more paid than billed', async () => {
    const rounds = await race(async () => {
      const id = await billing.anInvoice({ amount_total: '1000.00' });
      return {
        lock: rowOf('invoices', id),
        requests: [
          async () => await billing.pay(id, '800.00'),
          async () => await billing.patch(`/invoices/${id}`, { amount_total: '500.00' }),
        ],
      };
    });
    await expectRounds(rounds, [
      ['201', '400 invoice_amount_below_paid'],
      ['400 payment_exceeds_pending', '200'],
    ]);
  });

  test('pay all of it, change it: a paid invoice is not changed', async () => {
    const rounds = await race(async () => {
      const id = await billing.anInvoice({ amount_total: '1000.00' });
      return {
        lock: rowOf('invoices', id),
        requests: [
          async () => await billing.pay(id, '1000.00'),
          async () => await billing.patch(`/invoices/${id}`, { description: null }),
        ],
      };
    });
    await expectRounds(rounds, [
      ['201', '400 invoice_paid'],
      ['201', '200'],
    ]);
  });

  test('pay through both routes: together never more than is pending', async () => {
    const rounds = await race(async () => {
      const id = await billing.anInvoice({ amount_total: '1000.00' });
      const body = { invoice_id: id, amount: '600.00' };
      return {
        lock: rowOf('invoices', id),
        requests: [async () => await billing.pay(id, '600.00'), async () => await billing.post('/payments', body)],
      };
    });
    await expectRounds(rounds, [
      ['201', '400 payment_exceeds_pending'],
      ['400 payment_exceeds_pending', '201'],
    ]);
  });

  test('credit, pay: together never more than is pending', async () => {
    const rounds = await race(async () => {
      const id = await billing.anInvoice({ amount_total: '1000.00' });
      const note = { amount: '600.00', reason: 'discount' };
      return {
        lock: rowOf('invoices', id),
        requests: [
          async () => await billing.post(`/invoices/${id}/credit-notes`, note),
          async () => await billing.pay(id, '600.00'),
        ],
      };
    });
    await expectRounds(rounds, [
      ['201', '400 payment_exceeds_pending'],
      ['400 credit_exceeds_pending', '201'],
    ]);
  });

  test('void, void: once', async () => {
    const rounds = await race(async () => {
      const id = await billing.anInvoice();
      const request = async (): Promise<Answer> => await billing.delete(`/invoices/${id}`);
      return { lock: rowOf('invoices', id), requests: [request, request] };
    });
    await expectOnce(rounds, ['204', '404 invoice_already_void']);
  });

  test('reverse, reverse: once', async () => {
    const rounds = await race(async () => {
      const id = await billing.anInvoice();
      const paymentId = await billing.aPayment(id, '100.00');
      const request = async (): Promise<Answer> =>
        await billing.post(`/payments/${paymentId}/reversal`, { reason: 'x' });
      return { lock: rowOf('invoices', id), requests: [request, request] };
    });
    await expectOnce(rounds, ['201', '400 payment_already_reversed']);
  });

  test('reverse, void: the void counts live payments', async () => {
    const rounds = await race(async () => {
      const id = await billing.anInvoice();
      const paymentId = await billing.aPayment(id, '100.00');
      return {
        lock: rowOf('invoices', id),
        requests: [
          async () => await billing.post(`/payments/${paymentId}/reversal`, { reason: 'x' }),
          async () => await billing.delete(`/invoices/${id}`),
        ],
      };
    });
    await expectRounds(rounds, [
      ['201', '204'],
      ['201', '400 invoice_has_payments'],
    ]);
  });

  test('ten payments of different invoices of one school: ten receipts in a row', async () => {
    const studentId = await billing.aStudent();
    const ids: number[] = [];
    for (let i = 0; i < 10; i++) ids.push(await billing.anInvoice({ student_id: studentId }));
    await billing.pay(ids[0] ?? 0, '1.00');
    const { body } = await billing.get(`/students/${studentId}`);
    const lock = `select from document_counters where school_id = ${body['school_id']} and kind = 'RECEIPT' for update`;

    // Together they wait for a short while, and then try again without waiting.
    const [answers = []] = await billing.collideOn(lock, [
      async () => await Promise.all(ids.map(async (id) => await billing.pay(id, '1.00'))),
    ]);

    const numbers = answers.map(({ body: made }) => Number(String(made['number']).slice(-6)));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, index) => index + 2));
  });

  test('ten invoices of one school: ten numbers in a row', async () => {
    const studentId = await billing.aStudent();
    await billing.anInvoice({ student_id: studentId });
    const { body } = await billing.get(`/students/${studentId}`);
    const issue = async (): Promise<Answer> => await billing.post('/invoices', invoiceBody(studentId));
    const [answers = []] = await billing.collideOn(
      `select from document_counters where school_id = ${body['school_id']} for update`,
      [async () => await Promise.all(Array.from({ length: 10 }, issue))],
    );
    const numbers = answers.map(({ body: made }) => Number(String(made['number']).slice(-6)));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, index) => index + 2));
  });
});

describe('races for a school', () => {
  test('enrol, deactivate: no student in an inactive school', async () => {
    const rounds = await race(async () => {
      const id = await billing.aSchool();
      return {
        lock: rowOf('schools', id),
        requests: [
          async () => await billing.post('/students', studentBody(id)),
          async () => await billing.delete(`/schools/${id}`),
        ],
      };
    });
    await expectRounds(rounds, [
      ['201', '400 school_has_students'],
      ['404 school_not_active', '204'],
    ]);
  });

  test('change the currency, issue an invoice: no invoice in another currency than its school', async () => {
    const id = await billing.aSchool();
    const studentId = await billing.aStudent({ school_id: id });
    // An invoice does not stand in line for its school, it tries again: so either may be first.
    const [outcomes] = await billing.collideOn(rowOf('schools', id), [
      async () => {
        const issuing = billing.post('/invoices', invoiceBody(studentId, { currency: 'MXN' }));
        const changing = billing.patch(`/schools/${id}`, { currency: 'USD' });
        return [outcomeOf(await changing), outcomeOf(await issuing)];
      },
    ]);
    expect([
      ['200', '400 invoice_currency_mismatch'],
      ['400 school_currency_locked', '201'],
    ]).toContainEqual(outcomes);
    const { rows } = await billing.owner.query(
      'select 1 from invoices i join schools s on s.id = i.school_id where s.id = $1 and i.currency <> s.currency',
      [id],
    );
    expect(rows).toEqual([]);
  });

  test('activate, activate: once', async () => {
    const rounds = await race(async () => {
      const id = await billing.aSchool();
      await billing.delete(`/schools/${id}`);
      const request = async (): Promise<Answer> => await billing.patch(`/schools/${id}/activate`);
      return { lock: rowOf('schools', id), requests: [request, request] };
    });
    await expectOnce(rounds, ['200', '400 school_already_active']);
  });

  test('deactivate, deactivate: once', async () => {
    const rounds = await race(async () => {
      const id = await billing.aSchool();
      const request = async (): Promise<Answer> => await billing.delete(`/schools/${id}`);
      return { lock: rowOf('schools', id), requests: [request, request] };
    });
    await expectOnce(rounds, ['204', '404 school_already_inactive']);
  });

  test('deactivate, change: an inactive school is not changed', async () => {
    const rounds = await race(async () => {
      const id = await billing.aSchool();
      return {
        lock: rowOf('schools', id),
        requests: [
          async () => await billing.delete(`/schools/${id}`),
          async () => await billing.patch(`/schools/${id}`, { timezone: 'America/Tijuana' }),
        ],
      };
    });
    await expectRounds(rounds, [
      ['204', '400 school_inactive'],
      ['204', '200'],
    ]);
  });
});

describe('races for a student', () => {
  test('delete, issue an invoice: no invoice without its student', async () => {
    const rounds = await race(async () => {
      const id = await billing.aStudent();
      return {
        lock: rowOf('students', id),
        requests: [
          async () => await billing.delete(`/students/${id}`),
          async () => await billing.post('/invoices', invoiceBody(id)),
        ],
      };
    });
    await expectRounds(rounds, [
      ['204', '404 student_not_found'],
      ['400 student_has_invoices', '201'],
    ]);
  });

  test('delete, delete: once', async () => {
    const rounds = await race(async () => {
      const id = await billing.aStudent();
      const request = async (): Promise<Answer> => await billing.delete(`/students/${id}`);
      return { lock: rowOf('students', id), requests: [request, request] };
    });
    await expectOnce(rounds, ['204', '404 student_not_found']);
  });

  test('delete, change: changed before it goes, or not there', async () => {
    const rounds = await race(async () => {
      const id = await billing.aStudent();
      return {
        lock: rowOf('students', id),
        requests: [
          async () => await billing.delete(`/students/${id}`),
          async () => await billing.patch(`/students/${id}`, { first_name: 'Eva' }),
        ],
      };
    });
    await expectRounds(rounds, [
      ['204', '404 student_not_found'],
      ['204', '200'],
    ]);
  });
});

describe('races for what is unique', () => {
  test('a school, five times: one', async () => {
    for (const key of [undefined, 'one-key-each']) {
      const body = schoolBody();
      const requests = Array.from({ length: 5 }, (_, index) => async () => {
        const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': `${key}-${index}` };
        return await billing.post('/schools', body, headers);
      });
      const answers = await billing.collideOn(writesTo('schools'), requests);
      expect(answers.map(outcomeOf).sort()).toEqual(['201', ...Array(4).fill('409 school_name_taken')]);
    }
  });

  test('an email, five times: one', async () => {
    const schoolId = await billing.aSchool();
    const body = studentBody(schoolId);
    const request = async (): Promise<Answer> => await billing.post('/students', { ...body });
    const answers = await billing.collideOn(
      writesTo('students'),
      Array.from({ length: 5 }, () => request),
    );
    expect(answers.map(outcomeOf).sort()).toEqual(['201', ...Array(4).fill('409 student_email_taken')]);
  });

  test('two schools take one name: one', async () => {
    const rounds = await race(async () => {
      const name = String(schoolBody()['name']);
      const ids = [await billing.aSchool(), await billing.aSchool()];
      return {
        lock: writesTo('schools'),
        requests: ids.map((id) => async () => await billing.patch(`/schools/${id}`, { name })),
      };
    });
    await expectOnce(rounds, ['200', '409 school_name_taken']);
  });

  test('a new school and a renamed one: one', async () => {
    const rounds = await race(async () => {
      const body = schoolBody();
      const id = await billing.aSchool();
      return {
        lock: writesTo('schools'),
        requests: [
          async () => await billing.post('/schools', body),
          async () => await billing.patch(`/schools/${id}`, { name: body['name'] }),
        ],
      };
    });
    // Writers held by a table's lock are let go together, so that either may be first.
    const either = [
      ['201', '409 school_name_taken'],
      ['409 school_name_taken', '200'],
    ];
    for (const round of rounds) expect(either).toContainEqual(round);
  });

  test('two students take one email: one', async () => {
    const rounds = await race(async () => {
      const schoolId = await billing.aSchool();
      const { email } = studentBody(schoolId);
      const ids = [await billing.aStudent({ school_id: schoolId }), await billing.aStudent({ school_id: schoolId })];
      return {
        lock: writesTo('students'),
        requests: ids.map((id) => async () => await billing.patch(`/students/${id}`, { email })),
      };
    });
    await expectOnce(rounds, ['200', '409 student_email_taken']);
  });

  // Each waits for the other's email: PostgreSQL ends the deadlock by undoing one, which is then repeated.
  test('two students swap their emails: both are refused, and neither hangs or fails', async () => {
    const schoolId = await billing.aSchool();
    const [one, two] = [studentBody(schoolId), studentBody(schoolId)];
    const [a, b] = [await billing.aStudent(one), await billing.aStudent(two)];
    const answers = await billing.collideOn(writesTo('students'), [
      async () => await billing.patch(`/students/${a}`, { email: two['email'] }),
      async () => await billing.patch(`/students/${b}`, { email: one['email'] }),
    ]);
    expect(answers.map(outcomeOf)).toEqual(['409 student_email_taken', '409 student_email_taken']);
  });
});
