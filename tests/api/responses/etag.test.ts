import { beforeAll, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
let schoolId: number;
let studentId: number;
let invoiceId: number;
let paymentId: number;

beforeAll(async () => {
  schoolId = await billing.aSchool();
  studentId = await billing.aStudent({ school_id: schoolId });
  invoiceId = await billing.anInvoice({ student_id: studentId });
  paymentId = await billing.aPayment(invoiceId, '10.00');
});

const addresses = (): string[] => [
  `/schools/${schoolId}`,
  `/students/${studentId}`,
  `/invoices/${invoiceId}`,
  `/payments/${paymentId}`,
  `/students/${studentId}/statement`,
  `/schools/${schoolId}/statement?limit=10`,
  `/schools/${schoolId}/statement`,
];

describe('ETag and If-None-Match', () => {
  test('200: single resources and statements carry a strong tag that stays while they do', async () => {
    for (const address of addresses()) {
      const first = await billing.get(address);
      const second = await billing.get(address);
      expect(first.headers['etag'], address).toMatch(/^"[\w-]{43}"$/);
      expect(second.headers['etag'], address).toBe(first.headers['etag']);
      expect(first.headers['cache-control'], address).toBe('private, no-cache');
    }
  });

  test('304: who has the body already gets none, only its tag', async () => {
    for (const address of addresses()) {
      const etag = String((await billing.get(address)).headers['etag']);
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*', ' * ']) {
        const answer = await billing.get(address, { 'if-none-match': known });
        expect(answer, `${address} ${known}`).toMatchObject({ status: 304, text: '' });
        expect(answer.headers['etag'], address).toBe(etag);
        expect(answer.headers['content-type'], address).toBeUndefined();
        expect(answer.headers['x-request-id'], address).toBeDefined();
      }
    }
  });

  test('200: another tag, or one that only begins like it, is no match', async () => {
    const etag = String((await billing.get(`/invoices/${invoiceId}`)).headers['etag']);
    for (const known of ['"other"', etag.slice(0, -2), '', '"*"']) {
      expect((await billing.get(`/invoices/${invoiceId}`, { 'if-none-match': known })).status, known).toBe(200);
    }
  });

  test('200: a payment changes the tags of its invoice and of both statements', async () => {
    const changing = [
      `/invoices/${invoiceId}`,
      `/students/${studentId}/statement`,
      `/schools/${schoolId}/statement?limit=10`,
    ];
    const before = await Promise.all(changing.map(async (address) => (await billing.get(address)).headers['etag']));
    await billing.aPayment(invoiceId, '1.00');
    for (const [index, address] of changing.entries()) {
      expect((await billing.get(address, { 'if-none-match': String(before[index]) })).status, address).toBe(200);
    }
  });

  describe('a school’s statement has another tag after', () => {
    const changes: [string, () => Promise<unknown>][] = [
      ['an invoice', async () => await billing.anInvoice({ student_id: studentId })],
      ['a new description', async () => await billing.patch(`/invoices/${invoiceId}`, { description: 'Otra' })],
      ['a new amount', async () => await billing.patch(`/invoices/${invoiceId}`, { amount_total: '1000.01' })],
      ['a payment', async () => await billing.aPayment(invoiceId, '1.00')],
      ['a reversal', async () => await billing.post(`/payments/${paymentId}/reversal`, { reason: 'x' })],
      [
        'a credit note',
        async () => await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '1.00', reason: 'other' }),
      ],
      [
        'a voided invoice',
        async () => await billing.delete(`/invoices/${await billing.anInvoice({ student_id: studentId })}`),
      ],
      ['a student', async () => await billing.aStudent({ school_id: schoolId })],
      ['another name of the school', async () => await billing.patch(`/schools/${schoolId}`, { name: 'Otra' })],
      ['midnight', async () => billing.clock.travelTo('2027-03-01T12:00:00Z')],
    ];

    test.each(changes)('%s', async (_, change) => {
      const address = `/schools/${schoolId}/statement`;
      const before = String((await billing.get(address)).headers['etag']);
      expect((await billing.get(address, { 'if-none-match': before })).status).toBe(304);

      await change();

      const after = await billing.get(address, { 'if-none-match': before });
      expect(after.status).toBe(200);
      expect(after.headers['etag']).not.toBe(before);
      billing.clock.release();
    });
  });

  // Its header is read on a connection for long answers; of these there are few.
  test('304: a whole statement of a school keeps no connection', async () => {
    const address = `/schools/${schoolId}/statement`;
    const etag = String((await billing.get(address)).headers['etag']);
    for (let n = 0; n < 2; n++) {
      expect((await billing.get(address, { 'if-none-match': etag })).status).toBe(304);
      expect((await billing.send('HEAD', address, undefined, { 'if-none-match': etag })).status).toBe(304);
    }
    const busy = async (): Promise<number> => {
      const metrics = await billing.product.telemetry.metrics.expose();
      const gauge = (name: string): number =>
        Number(new RegExp(`^${name}\\{pool="streams"\\} (\\d+)$`, 'm').exec(metrics)?.[1]);
      return gauge('database_pool_connections') - gauge('database_pool_connections_idle');
    };
    await expect.poll(busy).toBe(0);
  });

  test('a change that is not committed yet is in neither the statement nor its tag', async () => {
    const address = `/schools/${schoolId}/statement`;
    const before = await billing.get(address);
    const writer = await billing.owner.connect();
    try {
      await writer.query('begin');
      await writer.query(`update invoices set description = 'En camino' where id = ${invoiceId}`);
      await writer.query(`update school_totals set paid = paid where school_id = ${schoolId}`);
      const meanwhile = await billing.get(address);
      await writer.query('commit');
      const after = await billing.get(address, { 'if-none-match': String(meanwhile.headers['etag']) });

      expect(meanwhile).toMatchObject({ text: before.text, headers: { etag: before.headers['etag'] } });
      expect(after.status).toBe(200);
      expect(after.text).toContain('En camino');
    } finally {
      writer.release();
    }
  });

  test('404: the statement of a school that is not there, whatever is known of it', async () => {
    const answer = await billing.get('/schools/999999/statement', { 'if-none-match': '*' });
    expectProblem(answer, 404, 'school_not_found');
  });

  test('200: HEAD carries the tag of GET', async () => {
    const { headers } = await billing.get(`/invoices/${invoiceId}`);
    const head = await billing.send('HEAD', `/invoices/${invoiceId}`);
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers['etag']).toBe(headers['etag']);
  });

  // RFC 9110, section 13.1.2: the same condition decides on HEAD.
  test('304: HEAD of what the client has already, with no length but that of GET', async () => {
    for (const address of addresses()) {
      const etag = String((await billing.get(address)).headers['etag']);
      const head = await billing.send('HEAD', address, undefined, { 'if-none-match': etag });
      expect(head, address).toMatchObject({ status: 304, text: '' });
      expect(head.headers['etag'], address).toBe(etag);
      expect(head.headers['content-length'], address).toBeUndefined();
      expect(head.headers['content-type'], address).toBeUndefined();
      expect((await billing.send('HEAD', address, undefined, { 'if-none-match': '"other"' })).status, address).toBe(
        200,
      );
    }
  });

  // A PDF says when it was made: a tag would promise a 304 that nobody ever gets.
  test('200: a PDF and a CSV have no tag, whatever the client knows, and neither has their HEAD', async () => {
    const files = [
      ...[`/invoices/${invoiceId}`, `/payments/${paymentId}`].map((address) => [address, 'application/pdf'] as const),
      ...['statement', 'ledger'].flatMap((account) =>
        [`/students/${studentId}/${account}`, `/schools/${schoolId}/${account}`].flatMap((address) => [
          [address, 'application/pdf'] as const,
          [address, 'text/csv'] as const,
        ]),
      ),
    ];
    for (const [address, accept] of files) {
      for (const method of ['GET', 'HEAD'] as const) {
        const answer = await billing.send(method, address, undefined, { accept, 'if-none-match': '*' });
        expect({ status: answer.status, etag: answer.headers['etag'] }, `${method} ${accept} ${address}`).toEqual({
          status: 200,
          etag: undefined,
        });
        expect(answer.headers['content-type'], `${method} ${address}`).toContain(accept);
      }
      const { headers } = await billing.get(address, { accept });
      if (accept === 'application/pdf') expect(headers['cache-control'], address).toBe('private, no-cache');
    }
  });

  test('404 and lists: no tag', async () => {
    for (const address of ['/invoices/999999', '/invoices', `/invoices/${invoiceId}/payments`]) {
      expect((await billing.get(address, { 'if-none-match': '*' })).headers['etag'], address).toBeUndefined();
    }
  });
});
