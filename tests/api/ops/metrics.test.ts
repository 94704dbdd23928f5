import { readFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { COMMAND_LINE } from '../../../src/domain/access/actor.ts';
import { PREFIX } from '../../support/address.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();
/** Of a route: durations, and classes of status. Beside routes: pools, the process, payments and the like. */
const SERIES_OF_ROUTE_MAX = 11;
const SERIES_BESIDE_MAX = 100;
/** More addresses than there may be series besides those there are, and some that a series would show by its name. */
const [CRAWLED, NAMED] = [600, 50];

/** Series and their values, as Prometheus would read them. */
async function series(): Promise<Map<string, number>> {
  const { status, text } = await billing.get('//metrics');
  expect(status).toBe(200);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line): [string, number] => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

/** How much each series grew while `work` ran. */
async function growth(work: () => Promise<unknown>): Promise<(name: string) => number> {
  const before = await series();
  await work();
  const after = await series();
  return (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
}

describe('GET /metrics', () => {
  test('401 and 403: behind the key even where reads are public', async () => {
    expect((await billing.get('//metrics', { 'x-api-key': '' })).body).toMatchObject({ code: 'api_key_missing' });
    expect((await billing.get('//metrics', { 'x-api-key': 'wrong' })).body).toMatchObject({ code: 'api_key_invalid' });
  });

  test('200: requests under their route pattern, by method, duration and status', async () => {
    const invoiceId = await billing.anInvoice();
    const grown = await growth(async () => {
      await billing.get(`/invoices/${invoiceId}`);
      await billing.send('HEAD', `/invoices/${invoiceId}`);
      await billing.get('/invoices/999999');
    });

    const labels = `method="GET",route="${PREFIX}/invoices/:id"`;
    expect(grown(`http_request_duration_seconds_count{${labels}}`)).toBe(3);
    expect(grown(`http_request_duration_seconds_bucket{le="+Inf",${labels}}`)).toBe(3);
    expect(grown(`http_request_duration_seconds_sum{${labels}}`)).toBeGreaterThan(0);
    expect(grown(`http_requests_total{${labels},status="2xx"}`)).toBe(2);
    expect(grown(`http_requests_total{${labels},status="4xx"}`)).toBe(1);
    expect(grown('http_responses_total{status="404"}')).toBe(1);
  });

  test('200: buckets are cumulative and end in the count', async () => {
    await billing.get('/schools');
    const all = await series();
    const labels = `method="GET",route="${PREFIX}/schools"`;
    const buckets = [...all].filter(
      ([name]) => name.startsWith('http_request_duration_seconds_bucket{') && name.includes(labels),
    );
    const values = buckets.map(([, value]) => value);
    expect(values).toHaveLength(5);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(values.at(-1)).toBe(all.get(`http_request_duration_seconds_count{${labels}}`));
  });

  test('200: payments by method and result', async () => {
    const invoiceId = await billing.anInvoice({ amount_total: '100.00' });
    const key = { 'idempotency-key': `metrics-${invoiceId}` };
    const grown = await growth(async () => {
      await billing.pay(invoiceId, '60.00', key);
      await billing.pay(invoiceId, '60.00', key);
      await billing.pay(invoiceId, '60.00');
      await billing.post('/payments', { invoice_id: invoiceId, amount: '1.00' });
      await billing.post('/payments', { invoice_id: invoiceId, amount: '1.00', method: 'BARTER' });
    });

    expect(grown('billing_payments_total{method="CARD",result="recorded"}')).toBe(1);
    expect(grown('billing_payments_total{method="CARD",result="replayed"}')).toBe(1);
    expect(grown('billing_payments_total{method="CARD",result="refused"}')).toBe(1);
    expect(grown('billing_payments_total{method="none",result="recorded"}')).toBe(1);
    expect(grown('billing_payments_total{method="invalid",result="refused"}')).toBe(1);
  });

  test('200: clients that leave before they have their answer, and a line in the log of each', async () => {
    const base = await billing.app.listen({ host: '127.0.0.1', port: 0 });
    const invoiceId = await billing.anInvoice();
    const path = `${PREFIX}/invoices/${invoiceId}/payments`;
    const grown = await growth(async () => {
      // The payment waits for the row, so its client can leave before the answer.
      const holder = await billing.owner.connect();
      await holder.query('begin');
      await holder.query(`select from invoices where id = ${invoiceId} for update`);
      const headers = {
        'x-api-key': billing.config.apiKey,
        'content-type': 'application/json',
        'x-request-id': 'left-1',
      };
      const request = http.request(`${base}${path}`, { method: 'POST', headers, agent: false });
      request.on('error', () => undefined).end(JSON.stringify({ amount: '1.00' }));
      await billing.untilWaiting(1);
      request.destroy();
      while (!billing.events().includes('request_aborted')) await setTimeout(10);
      await holder.query('rollback');
      holder.release();
    });

    expect(grown('http_requests_aborted_total{what="writes"}')).toBe(1);
    expect(grown('http_requests_aborted_total{what="reads"}')).toBe(0);
    const [line] = billing.logs().filter(({ event }) => event === 'request_aborted');
    expect(line).toMatchObject({ request_id: 'left-1', method: 'POST', route: `${PREFIX}/invoices/:id/payments` });
  });

  test('200: repeated work by SQLSTATE', async () => {
    const grown = await growth(async () => {
      let isFirst = true;
      await billing.product.unitOfWork.transaction(async ({ schools }) => {
        await schools.find(COMMAND_LINE, 1);
        if (!isFirst) return;
        isFirst = false;
        throw Object.assign(new Error('made up'), { code: '40001', severity: 'ERROR' });
      });
    });
    expect(grown('database_retries_total{reason="40001"}')).toBe(1);
  });

  test('200: pools, event loop and process', async () => {
    const all = await series();
    expect(all.get('database_pool_connections_max{pool="main"}')).toBe(billing.config.database.connectionsMax);
    for (const name of [
      'database_pool_connections{pool="main"}',
      'database_pool_connections_idle{pool="streams"}',
      'database_pool_waiting{pool="main"}',
      'nodejs_eventloop_lag_seconds{of="p99"}',
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_start_time_seconds',
    ]) {
      expect(all.get(name), name).toBeGreaterThanOrEqual(0);
    }
  });

  // The alert on server errors subtracts what was shed: without a zero to subtract it would never fire.
  test('200: what alerts look at is there before it first happens', async () => {
    const all = await series();
    for (const name of [
      'http_requests_shed_total{what="lists"}',
      'http_requests_shed_total{what="rows"}',
      'http_requests_shed_total{what="writes"}',
      'http_requests_limited_total',
      'http_requests_aborted_total{what="reads"}',
      'billing_payments_total{method="CHECK",result="failed"}',
    ]) {
      expect(all.get(name), name).toBe(0);
    }
  });

  test('200: every route of the API has figures of its own', async () => {
    type Document = { paths: Record<string, Record<string, unknown>> };
    const { paths } = (await billing.get<Document>('//openapi.json')).body;
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => ({ method: method.toUpperCase(), path })),
    );
    const ofTheApi = operations.filter(({ path }) => path.startsWith(PREFIX));
    const routes: { method: string; route: string }[] = [];
    for (const { method, path } of ofTheApi) {
      const address = `/${path.replace(/\{\w+\}/g, '1')}`;
      const route = path.replace(/\{(\w+)\}/g, ':$1');
      await billing.app.inject({ method: method as 'GET', url: address.slice(1) });
      routes.push({ method, route });
    }
    const all = await series();
    for (const { method, route } of routes) {
      const name = `http_request_duration_seconds_count{method="${method}",route="${route}"}`;
      expect(all.get(name), name).toBeGreaterThan(0);
    }
    expect(ofTheApi.length).toBeGreaterThan(20);
  });

  test('the dashboard and the alerts ask for what there is, and every alert has its runbook', async () => {
    const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');
    const shown = (await billing.get('//metrics')).text;
    const known = new Set([...shown.matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name));
    for (const file of ['ops/alerts.yml', 'ops/grafana-dashboard.json']) {
      const expressions = read(file).replace(/^ *#.*$/gm, '');
      const asked = [...expressions.matchAll(/\b(?:http|database|billing|nodejs|process)_[a-z_]+(?=[{[\s()])/g)];
      const names = new Set(asked.map(([name]) => name.replace(/_(bucket|count|sum)$/, '')));
      expect(names.size, file).toBeGreaterThan(5);
      expect(
        [...names].filter((name) => !known.has(name)),
        file,
      ).toEqual([]);
    }
    const alerts = [...read('ops/alerts.yml').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    const provoked = [...read('ops/alerts.test.yml').matchAll(/alertname: (\w+)\n.*\n +exp_alerts:\n/g)];
    expect(new Set(provoked.map(([, name]) => name))).toEqual(new Set(alerts));
    const headings = [...read('docs/operations.md').matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text.toLowerCase());
    const runbooks = [...read('ops/alerts.yml').matchAll(/runbook: "docs\/operations\.md#([^"]+)"/g)];
    expect(runbooks.length).toBeGreaterThan(5);
    for (const [, anchor = ''] of runbooks) expect(headings).toContain(anchor);
  });

  test('200: a bounded number of series for each route, whatever is crawled', async () => {
    const { paths } = (await billing.get<{ paths: Record<string, object> }>('//openapi.json')).body;
    const routes = Object.keys(paths);
    const operationsCount = Object.values(paths).flatMap((item) => Object.keys(item)).length;
    const methods = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'] as const;
    for (const route of routes) {
      for (const method of methods) {
        const addresses = new Set(['1', '999999'].map((id) => `/${route.replace(/\{\w+\}/g, id)}`));
        for (const address of addresses) {
          await billing.send(method, address, method === 'GET' || method === 'HEAD' ? undefined : {});
        }
        await billing.send(method, `/${route}`, undefined, { 'x-api-key': 'wrong' });
      }
    }
    for (let id = 0; id < CRAWLED; id++) await billing.get(`/invoices/${id}`);
    for (let id = 0; id < 30; id++) billing.product.telemetry.metrics.paymentAnswered(`method-${id}`, 'recorded');
    const grown = await growth(async () => {
      for (let id = 0; id < NAMED; id++) {
        await billing.get(`//crawled/${id}`);
        await billing.get(`/crawled-${id}`);
      }
    });

    const all = await series();
    expect(all.size).toBeLessThanOrEqual(operationsCount * SERIES_OF_ROUTE_MAX + SERIES_BESIDE_MAX);
    expect([...all.keys()].filter((name) => /999999|crawled|method-/.test(name))).toEqual([]);
    expect(grown('http_requests_total{method="other",route="other",status="4xx"}')).toBe(2 * NAMED);
  }, 120_000);
});
