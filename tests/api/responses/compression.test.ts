import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();
const GZIP = { 'accept-encoding': 'gzip' };
const LINES = 20_000;
const WAIT_MAX_MS = 10_000;
let studentId: number;
let schoolId: number;
let long: number;

/** The body as bytes, which {@link startBilling}'s own answers do not keep. */
async function get(path: string, headers: Record<string, string> = GZIP, method: 'GET' | 'HEAD' = 'GET') {
  const url = path.startsWith('//') ? path.slice(1) : `${billing.config.prefix}${path}`;
  const answer = await billing.app.inject({ method, url, headers: { 'x-api-key': billing.config.apiKey, ...headers } });
  return { status: answer.statusCode, headers: answer.headers, bytes: answer.rawPayload };
}

beforeAll(async () => {
  schoolId = await billing.aSchool();
  studentId = await billing.aStudent({ school_id: schoolId });
  for (let count = 0; count < 12; count++)
    await billing.anInvoice({ student_id: studentId, description: 'Colegiatura' });
  long = await billing.aStudent();
  await billing.owner.query(
    `insert into invoices (school_id, student_id, number, currency, amount_total, issued_on, booked_on, due_date, description)
     select school_id, id, 'Z-2020-' || n, 'MXN', n, '2026-01-31', '2026-01-31', '2027-01-31', md5(n::text) || repeat('Colegiatura ', 20)
     from students, generate_series(1, $2::int) n where id = $1`,
    [long, LINES],
  );
  await billing.owner.query('call rebuild_school_totals()');
});

const WHOLE = (): string[] => [
  '/invoices',
  `/students/${studentId}/statement`,
  `/schools/${schoolId}/statement?limit=10`,
  `/students/${studentId}/ledger`,
  '//openapi.json',
  '//docs/static/swagger-ui-bundle.js',
  '//docs/static/swagger-ui.css',
  '//metrics',
];
const STREAMED = (): string[] => [
  `/schools/${schoolId}/statement`,
  '/invoices?format=csv',
  `/students/${long}/statement`,
  `/students/${long}/ledger?format=csv`,
];

describe('Accept-Encoding: gzip', () => {
  test('200: the same answer in fewer bytes, its tag a weak one', async () => {
    for (const path of [...WHOLE(), ...STREAMED()]) {
      const plain = await get(path, {});
      const small = await get(path);
      expect(small.headers['content-encoding'], path).toBe('gzip');
      expect(small.bytes.length, path).toBeLessThan(plain.bytes.length / 2);
      // How long the process has run is another with each scrape.
      if (path !== '//metrics') expect(gunzipSync(small.bytes).equals(plain.bytes), path).toBe(true);
      const { etag } = plain.headers;
      expect(small.headers.etag, path).toBe(etag === undefined ? undefined : `W/${String(etag).replace(/^W\//, '')}`);
      for (const { headers } of [plain, small]) expect(String(headers['vary']), path).toMatch(/Accept-Encoding$/);
      expect(plain.headers['content-encoding'], path).toBeUndefined();
    }
  });

  test('200: whole answers have their true length, HEAD the same; streamed ones have none', async () => {
    for (const path of WHOLE()) {
      const { headers, bytes } = await get(path);
      expect(headers['content-length'], path).toBe(String(bytes.length));
      if (path === '//metrics') continue;
      const head = await get(path, GZIP, 'HEAD');
      expect(head.bytes.length, path).toBe(0);
      // The files of /docs are only read for a GET: then no length is told, and not that of other bytes.
      const length = path.startsWith('//docs') ? undefined : headers['content-length'];
      expect(head.headers['content-length'], path).toBe(length);
      for (const name of ['content-encoding', 'etag', 'vary', 'content-type']) {
        expect(`${path} ${head.headers[name]}`).toBe(`${path} ${headers[name]}`);
      }
    }
    for (const path of STREAMED()) {
      for (const method of ['GET', 'HEAD'] as const) {
        const { headers } = await get(path, GZIP, method);
        expect(headers['content-length'], path).toBeUndefined();
        expect(headers['content-encoding'], path).toBe('gzip');
      }
    }
  });

  test('304: to who has the compressed body', async () => {
    for (const path of [
      `/students/${studentId}/statement`,
      `/schools/${schoolId}/statement`,
      '//docs/static/swagger-ui.css',
    ]) {
      const { headers } = await get(path);
      const again = await get(path, { ...GZIP, 'if-none-match': String(headers.etag) });
      expect(again, path).toMatchObject({ status: 304, bytes: Buffer.alloc(0) });
      expect(again.headers['content-encoding'], path).toBeUndefined();
    }
  });

  test('200: what is small, is a PDF, or is not to be compressed is not', async () => {
    for (const [path, headers] of [
      ['/schools?limit=1', GZIP],
      ['/invoices/999999', GZIP],
      [`/students/${studentId}/statement?format=pdf`, GZIP],
      ['/invoices', {}],
      ['/invoices', { 'accept-encoding': 'identity' }],
      ['/invoices', { 'accept-encoding': 'gzip;q=0' }],
      ['/invoices', { 'accept-encoding': 'br' }],
    ] as const) {
      expect((await get(path, headers)).headers['content-encoding'], path).toBeUndefined();
    }
    expect((await get('/invoices', { 'accept-encoding': 'gzip, deflate, br, zstd' })).headers['content-encoding']).toBe(
      'gzip',
    );
  });

  // Without it eight readers who close their browsers would end all exports until the next restart.
  test('a reader that leaves in the middle gives its connection to the database back', async () => {
    await billing.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = billing.app.server.address() as AddressInfo;
    for (const path of STREAMED().slice(2)) {
      const request = http.get({ port, path: `${billing.config.prefix}${path}`, agent: false, headers: GZIP });
      const [response]: http.IncomingMessage[] = await once(request, 'response');
      expect(response?.headers['content-encoding']).toBe('gzip');
      if (response !== undefined) await once(response, 'data');
      expect(await openSnapshots()).toBeGreaterThan(0);
      response?.destroy();
      const deadline = Date.now() + WAIT_MAX_MS;
      while ((await openSnapshots()) > 0) {
        if (Date.now() > deadline) throw new Error('the snapshot stays open');
        await setTimeout(10);
      }
    }
  });
});

async function openSnapshots(): Promise<number> {
  const { rows } = await billing.owner.query<{ open: number }>(`
    select count(*)::int as open from pg_stat_activity
    where datname = current_database() and application_name = 'mattilda-billing' and xact_start is not null`);
  return rows[0]?.open ?? 0;
}
