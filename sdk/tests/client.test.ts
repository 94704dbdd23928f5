import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { connect, problemOf } from '../src/index.ts';

type Sent = Readonly<{ method: string; key: string | undefined; at: number }>;

/** Answers one call after the other as told, and remembers what was sent; an Error is a connection that broke. */
function scripted(...answers: (Response | Error)[]): { fetch: typeof fetch; sent: Sent[] } {
  const sent: Sent[] = [];
  return {
    sent,
    fetch: async (_input, init) => {
      const headers = new Headers(init?.headers);
      sent.push({ method: init?.method ?? 'GET', key: headers.get('idempotency-key') ?? undefined, at: Date.now() });
      const answer = answers.shift();
      if (answer === undefined) throw new Error('more was sent than the test expects');
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

function made(): Response {
  return Response.json({ id: 1 }, { status: 201 });
}

function problem(status: number, code: string, retryAfter?: number): Response {
  const headers = { 'content-type': 'application/problem+json' };
  return new Response(JSON.stringify({ code, status, detail: 'No.' }), {
    status,
    headers: retryAfter === undefined ? headers : { ...headers, 'retry-after': String(retryAfter) },
  });
}

/** An answer whose body breaks off. */
function brokenOff(): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"id":'));
      controller.error(new TypeError('terminated'));
    },
  });
  return new Response(body, { status: 201, headers: { 'content-type': 'application/json' } });
}

const LOST = new TypeError('fetch failed');

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Runs a call to its end, however long it waits between attempts. */
async function settled<T>(call: Promise<T>): Promise<PromiseSettledResult<T> | undefined> {
  const [result] = await Promise.all([Promise.allSettled([call]), vi.runAllTimersAsync()]);
  return result[0];
}

describe('a POST', () => {
  test('is sent again under the key it had, and the next one under another', async () => {
    const { fetch, sent } = scripted(LOST, brokenOff(), problem(503, 'outcome_unknown', 1), made(), made());
    const billing = connect({ server: 'http://billing.test', fetch });
    const first = await settled(billing.createInvoicePayment({ id: 1, amount: '1.00' }));
    await settled(billing.createInvoicePayment({ id: 1, amount: '1.00' }));

    expect(first).toEqual({ status: 'fulfilled', value: { id: 1 } });
    const keys = sent.map(({ key }) => key);
    expect(keys[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(keys).toEqual([keys[0], keys[0], keys[0], keys[0], expect.not.stringMatching(String(keys[0]))]);
  });

  test('waits as long as the server says, also while the first one is being worked on', async () => {
    const { fetch, sent } = scripted(
      problem(409, 'idempotency_in_flight', 7),
      problem(429, 'rate_limited', 30),
      made(),
    );
    await settled(connect({ server: 'http://billing.test', fetch }).createPayment({ invoice_id: 1, amount: '1.00' }));
    const [first = 0, second = 0, third = 0] = sent.map(({ at }) => at);
    expect([second - first, third - second]).toEqual([7_000, 30_000]);
  });

  test('is given up after as many repeats as it may have', async () => {
    const { fetch, sent } = scripted(LOST, LOST, LOST);
    const billing = connect({ server: 'http://billing.test', fetch, retries: 2 });
    const result = await settled(billing.createSchool({ name: 'x', country: 'MX', currency: 'MXN' }));
    expect(result).toEqual({ status: 'rejected', reason: LOST });
    expect(sent.length).toBe(3);
  });

  test('that is refused is not sent again, and its problem can be read', async () => {
    const { fetch, sent } = scripted(problem(400, 'payment_exceeds_pending'));
    const billing = connect({ server: 'http://billing.test', fetch });
    const result = await settled(billing.createInvoicePayment({ id: 1, amount: '1.00' }));
    expect(sent.length).toBe(1);
    const error = result?.status === 'rejected' ? result.reason : undefined;
    expect(problemOf(error)?.code).toBe('payment_exceeds_pending');
    expect([problemOf(LOST), problemOf(undefined)]).toEqual([undefined, undefined]);
  });
});

describe('a PATCH or DELETE carries no key, and is sent again only when nothing was done:', () => {
  test.each([
    ['a lost answer', LOST, 1],
    ['an answer that breaks off', brokenOff(), 1],
    ['a proxy without a server', new Response('', { status: 502 }), 1],
    ['an unknown outcome', problem(503, 'outcome_unknown', 2), 1],
    ['a busy database', problem(503, 'database_busy', 1), 2],
    ['an overloaded server', problem(503, 'overloaded', 1), 2],
    ['too many requests', problem(429, 'rate_limited', 1), 2],
  ] as const)('%s', async (_name, answer, attempts) => {
    const { fetch, sent } = scripted(answer, Response.json({ id: 1 }));
    await settled(connect({ server: 'http://billing.test', fetch }).activateSchool({ id: 1 }));
    expect(sent.map(({ key }) => key)).toEqual(Array(attempts).fill(undefined));
  });
});

test.each([
  ['lost', LOST, 2],
  ['broken off', brokenOff(), 2],
  ['502', new Response('', { status: 502 }), 2],
  ['503', problem(503, 'database_unavailable', 2), 2],
  ['500', problem(500, 'internal_error'), 1],
  ['404', problem(404, 'invoice_not_found'), 1],
] as const)('a read whose answer is %s is sent again when that is worth it', async (_name, answer, attempts) => {
  const { fetch, sent } = scripted(answer, Response.json({ id: 1 }));
  await settled(connect({ server: 'http://billing.test', fetch }).getInvoice({ id: 1 }));
  expect(sent.length).toBe(attempts);
});
