import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compose, composeServer } from '../../../src/compose.ts';
import { readConfig } from '../../../src/config.ts';
import { createLogger } from '../../../src/infrastructure/observability/logging.ts';
import { API_KEY } from '../../support/address.ts';
import { startBilling } from '../../support/billing.ts';

type Attribute = { key: string; value: { stringValue?: string; intValue?: number } };
type Span = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  attributes: Attribute[];
  status: { code?: number };
};
type Export = { resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: Span[] }[] }[] };

const SERVER = 2;
const CLIENT = 3;

/** A collector that only remembers. */
const exported: Export[] = [];
const collector = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url === '/v1/traces') exported.push(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
});
await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;

const disabled = await startBilling({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'true' });
const plain = await startBilling();
const traced = await startTraced(endpoint);

/** A second server on the same database, whose spans go to `to`. */
async function startTraced(to: string) {
  const { tracing } = readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: to, OTEL_SERVICE_NAME: 'billing-under-test' });
  const config = { ...plain.config, tracing };
  const log = createLogger({ level: 'silent', isTerminal: false });
  const product = await compose({ config, databaseUrl: plain.url, log });
  const app = await composeServer(product, { config, log });
  return {
    product,
    ask: async (method: 'GET' | 'POST', url: string, headers: Record<string, string> = {}, payload?: object) =>
      await app.inject({ method, url, headers: { 'x-api-key': API_KEY, ...headers }, ...(payload && { payload }) }),
    stop: async () => {
      await app.close();
      await product.close();
    },
  };
}

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT_ID = '00f067aa0ba902b7';
let spans: Span[];
let paymentRequestId: unknown;

const attribute = ({ attributes }: Span, key: string): string | number | undefined => {
  const value = attributes.find((one) => one.key === key)?.value;
  return value?.stringValue ?? value?.intValue;
};
const childrenOf = ({ spanId }: Span): Span[] => spans.filter(({ parentSpanId }) => parentSpanId === spanId);
const serverSpan = (name: string): Span => {
  const found = spans.filter((span) => span.kind === SERVER && span.name === name).at(-1);
  if (found === undefined) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
  return found;
};

beforeAll(async () => {
  const invoiceId = await plain.anInvoice({ amount_total: '10.00', description: 'canary-of-a-description' });
  const paid = await traced.ask(
    'POST',
    `/api/v1/invoices/${invoiceId}/payments`,
    { traceparent: `00-${TRACE_ID}-${PARENT_ID}-01`, 'idempotency-key': 'tracing' },
    { amount: '1.00', reference: 'canary-of-a-reference' },
  );
  paymentRequestId = paid.headers['x-request-id'];
  await traced.ask(
    'POST',
    `/api/v1/invoices/${invoiceId}/credit-notes`,
    { 'idempotency-key': 'tracing-a-transaction' },
    { amount: '1.00', reason: 'discount' },
  );
  await traced.ask('GET', `/api/v1/invoices/${invoiceId}`, { traceparent: 'nonsense' });
  await traced.ask('GET', '/api/v1/students/1/statement', { traceparent: `00-${'0'.repeat(32)}-${PARENT_ID}-01` });
  await traced.ask('GET', '/api/v1/schools', { traceparent: `00-${TRACE_ID}-${PARENT_ID}-00` });
  await traced.ask('GET', '/no-such-address');
  await disabled.get('/schools');
  await plain.get('/schools');
  // Sends what has not left yet.
  await traced.stop();
  spans = exported.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );
});
afterAll(() => {
  collector.close();
});

describe('tracing', () => {
  test('a server span per request: route pattern, status, request id', () => {
    const span = serverSpan('POST /api/v1/invoices/:id/payments');
    expect(attribute(span, 'http.request.method')).toBe('POST');
    expect(attribute(span, 'http.route')).toBe('/api/v1/invoices/:id/payments');
    expect(attribute(span, 'http.response.status_code')).toBe(201);
    expect(attribute(span, 'http.request.id')).toBe(paymentRequestId);
    expect(attribute(serverSpan('GET unknown'), 'http.response.status_code')).toBe(404);
  });

  test('the trace of a sane traceparent is continued, any other is not', () => {
    expect(serverSpan('POST /api/v1/invoices/:id/payments')).toMatchObject({
      traceId: TRACE_ID,
      parentSpanId: PARENT_ID,
    });
    for (const name of ['GET /api/v1/invoices/:id', 'GET /api/v1/students/:id/statement']) {
      const span = serverSpan(name);
      expect(span.parentSpanId ?? '', name).toBe('');
      expect(span.traceId, name).not.toBe(TRACE_ID);
    }
  });

  test('who sends a trace that is not sampled gets no spans', () => {
    expect(spans.filter(({ name }) => name === 'GET /api/v1/schools')).toEqual([]);
  });

  test('a child span per statement, below its transaction; text only, never a value', () => {
    const [transaction, ...others] = childrenOf(serverSpan('POST /api/v1/invoices/:id/credit-notes'));
    expect(others).toEqual([]);
    expect(transaction).toMatchObject({ name: 'transaction', kind: CLIENT });
    if (transaction === undefined) return;
    const statements = childrenOf(transaction);
    expect(statements.length).toBeGreaterThan(1);
    for (const statement of statements) {
      expect(statement.kind).toBe(CLIENT);
      expect(attribute(statement, 'db.query.text')).toMatch(/\$1/);
    }

    // A payment under a key is one statement.
    const made = childrenOf(serverSpan('POST /api/v1/invoices/:id/payments'));
    expect(made).toEqual([expect.objectContaining({ name: 'with', kind: CLIENT })]);
    const [read] = childrenOf(serverSpan('GET /api/v1/invoices/:id'));
    expect(read).toMatchObject({ name: 'select', kind: CLIENT });
    expect(JSON.stringify(exported)).not.toMatch(/canary|alumno\.|test-key-of/);
  });

  test('the service is named as the environment says', () => {
    const attributes = exported[0]?.resourceSpans[0]?.resource.attributes ?? [];
    expect(attributes.find(({ key }) => key === 'service.name')?.value.stringValue).toBe('billing-under-test');
  });

  test('off without an endpoint, or with OTEL_SDK_DISABLED: no hooks, no spans', () => {
    expect(plain.product.telemetry.tracing).toBeNull();
    expect(disabled.product.telemetry.tracing).toBeNull();
    expect(traced.product.telemetry.tracing).not.toBeNull();
  });

  test('a collector that is away disturbs nobody', async () => {
    const away = await startTraced('http://127.0.0.1:1');
    expect((await away.ask('GET', '/api/v1/schools')).statusCode).toBe(200);
    await away.stop();
  });
});

test('a traced product answers as an untraced one: writes, streams and transactions too', async () => {
  const traced = await startBilling({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
  const schoolId = await traced.aSchool();
  const invoiceId = await traced.anInvoice({ student_id: await traced.aStudent({ school_id: schoolId }) });
  const paid = await traced.post(
    '/payments',
    { invoice_id: invoiceId, amount: '5.00' },
    { 'idempotency-key': 'traced-1' },
  );
  expect(paid.status).toBe(201);
  expect((await traced.patch(`/invoices/${invoiceId}`, { description: 'x' })).status).toBe(200);
  const { body } = await traced.get(`/schools/${schoolId}/statement`);
  expect(body['totals']).toMatchObject({ paid: '5.00', pending: '995.00' });
  expect((await traced.delete(`/students/${await traced.aStudent({ school_id: schoolId })}`)).status).toBe(204);
});
