import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, until } from '../cli/support.ts';
import { API_KEY } from '../support/address.ts';
import { startBilling } from '../support/billing.ts';

const CONF = readFileSync(new URL('../../ops/nginx.conf', import.meta.url), 'utf8');
/** From 1.25.1 on; `http2 on`, which takes its place, is unknown to 1.22. */
const KNOWN_WARNING = '"listen ... http2" directive is deprecated';
const isMissing = ['nginx', 'openssl'].some((name) => spawnSync(name, ['version']).error !== undefined);
if (isMissing)
  console.warn('SKIPPED: ops/nginx.conf was NOT tried, because there is no nginx here (apt-get install nginx).');

type Answer = Readonly<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }>;
type Proxy = Readonly<{
  ask(path: string, options?: https.RequestOptions, body?: string): Promise<Answer>;
  plainPort: number;
  metricsPort: number;
}>;

const directory = mkdtempSync(join(tmpdir(), 'mattilda-nginx-'));
const running: ChildProcess[] = [];
afterAll(async () => {
  for (const one of running) {
    one.kill('SIGQUIT');
    if (one.exitCode === null) await once(one, 'exit');
  }
  rmSync(directory, { recursive: true, force: true });
});

/** The file as it is, but for ports, certificate and the place of the key. */
async function startProxy(name: string, upstreamPort: number): Promise<Proxy> {
  const [plainPort, port, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const site = CONF.replace('server 127.0.0.1:8000', `server 127.0.0.1:${upstreamPort}`)
    .replace('listen 80;', `listen 127.0.0.1:${plainPort};`)
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('127.0.0.1:9464', `127.0.0.1:${metricsPort}`)
    .replaceAll('/etc/ssl/mattilda/', `${directory}/`)
    .replace('/etc/nginx/mattilda-api-key', `${directory}/mattilda-api-key`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (one) => `${one}_temp_path ${directory}/${name}-${one};`,
  );
  const file = join(directory, `${name}.conf`);
  writeFileSync(
    file,
    `pid ${directory}/${name}.pid;\nerror_log ${directory}/${name}.log;\nevents {}\nhttp {\naccess_log off;\n${temporary.join('\n')}\n${site}}\n`,
  );
  const tested = spawnSync('nginx', ['-t', '-c', file], { encoding: 'utf8' });
  const warnings = tested.stderr.split('\n').filter((line) => line.includes('[warn]') && !line.includes(KNOWN_WARNING));
  if (tested.status !== 0 || warnings.length > 0) throw new Error(tested.stderr);
  running.push(spawn('nginx', ['-c', file, '-g', 'daemon off;'], { stdio: 'ignore' }));

  const ask: Proxy['ask'] = async (path, options = {}, body = '') => {
    const { headers, ...more } = options;
    const request = https.request({
      ...{ host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: false, servername: 'billing.example.com' },
      headers: { host: 'billing.example.com', 'x-api-key': API_KEY, ...headers },
      ...more,
    });
    request.end(body);
    const [response]: http.IncomingMessage[] = await once(request, 'response');
    if (response === undefined) throw new Error('no answer');
    return { status: response.statusCode ?? 0, headers: response.headers, body: await buffer(response) };
  };
  await until(async () => (await ask('/health').catch(() => undefined)) !== undefined);
  return { ask, plainPort, metricsPort };
}

function problemOf({ body }: Answer): Record<string, unknown> {
  return JSON.parse(body.toString());
}

describe.skipIf(isMissing)('ops/nginx.conf', () => {
  beforeAll(() => {
    const names = ['-keyout', `${directory}/privkey.pem`, '-out', `${directory}/fullchain.pem`];
    spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=billing.example.com',
      ...names,
    ]);
    writeFileSync(join(directory, 'mattilda-api-key'), `proxy_set_header X-API-Key "${API_KEY}";\n`);
  });

  describe('in front of the product', async () => {
    const billing = isMissing
      ? undefined
      : await startBilling({ TRUST_PROXY: '1', ALLOWED_HOSTS: 'billing.example.com,localhost', READ_ACCESS: 'key' });
    let proxy: Proxy;
    let direct = '';
    beforeAll(async () => {
      direct = (await billing?.app.listen({ host: '127.0.0.1', port: 0 })) ?? '';
      proxy = await startProxy('product', Number(new URL(direct).port));
    });

    test('answers over TLS, as the server does', async () => {
      const answer = await proxy.ask('/api/v1/schools', { headers: { 'x-request-id': 'asked-1' } });
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        'strict-transport-security': 'max-age=31536000',
        'cache-control': 'private, no-cache',
        'x-total-count': '0',
        'x-request-id': 'asked-1',
      });
      expect((await proxy.ask('/api/v1/schools', { headers: { 'x-api-key': '' } })).status).toBe(401);
    });

    test('308: plain HTTP is sent to HTTPS', async () => {
      const headers = { host: 'billing.example.com' };
      const request = http.get({ host: '127.0.0.1', port: proxy.plainPort, path: '/api/v1/schools?limit=1', headers });
      const [response]: http.IncomingMessage[] = await once(request, 'response');
      expect([response?.statusCode, response?.headers.location]).toEqual([
        308,
        'https://billing.example.com/api/v1/schools?limit=1',
      ]);
      response?.resume();
    });

    test('whole and compressed answers of any length come through byte for byte', async () => {
      const schoolId = await billing?.aSchool();
      const studentId = await billing?.aStudent({ school_id: Number(schoolId) });
      await billing?.owner.query(
        `insert into invoices (school_id, student_id, number, currency, amount_total, issued_on, booked_on, due_date, description)
         select $1, $2, 'N-2020-' || n, 'MXN', n, '2026-01-31', '2026-01-31', '2027-01-31', md5(n::text) from generate_series(1, 5000) n`,
        [schoolId, studentId],
      );
      await billing?.owner.query('call rebuild_school_totals()');
      for (const path of [
        `/api/v1/schools/${schoolId}/statement`,
        `/api/v1/invoices?school_id=${schoolId}&format=csv`,
      ]) {
        const headers = { 'x-api-key': API_KEY, host: 'billing.example.com' };
        const request = http.get(`${direct}${path}`, { headers });
        const [response]: http.IncomingMessage[] = await once(request, 'response');
        const expected = response === undefined ? Buffer.alloc(0) : await buffer(response);
        expect(expected.length).toBeGreaterThan(500_000);
        expect((await proxy.ask(path)).body.equals(expected), path).toBe(true);
        const small = await proxy.ask(path, { headers: { 'accept-encoding': 'gzip' } });
        expect(small.headers['content-encoding']).toBe('gzip');
        expect(small.body.length).toBeLessThan(expected.length / 2);
      }
    });

    test('413: a body beyond the server’s bound is refused as it does', async () => {
      const headers = { 'content-type': 'application/json' };
      const answer = await proxy.ask('/api/v1/schools', { method: 'POST', headers }, 'x'.repeat(70_000));
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(problemOf(answer)).toMatchObject({ status: 413, code: 'body_too_large' });
    });

    test('metrics for a Prometheus that cannot send the key, and nothing else', async () => {
      const at = `http://127.0.0.1:${proxy.metricsPort}`;
      expect(await (await fetch(`${at}/metrics`)).text()).toContain('http_requests_total');
      expect((await fetch(`${at}/api/v1/schools`)).status).toBe(404);
    });

    test('429: an address that asks too much is told so, in a problem document', async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, async () => await proxy.ask('/health')));
      while (!answers.some(({ status }) => status === 429) && answers.length < 2_000) {
        answers.push(...(await Promise.all(Array.from({ length: 40 }, async () => await proxy.ask('/health')))));
      }
      expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(60);
      const limited = answers.find(({ status }) => status === 429);
      expect(limited?.headers).toMatchObject({ 'retry-after': '1', 'content-type': 'application/problem+json' });
      expect(limited && problemOf(limited)).toMatchObject({ status: 429, code: 'rate_limited' });
    });
  });

  describe('in front of a server that only listens', () => {
    test('one request at a time on a connection, and what the client says of its address is not passed on', async () => {
      const seen: http.IncomingHttpHeaders[] = [];
      const busy = new Map<object, number>();
      let mostAtOnce = 0;
      const stub = http.createServer((request, response) => {
        seen.push(request.headers);
        const { socket } = request;
        busy.set(socket, (busy.get(socket) ?? 0) + 1);
        mostAtOnce = Math.max(mostAtOnce, busy.get(socket) ?? 0);
        setTimeout(() => {
          busy.set(socket, 0);
          response.end('ok');
        }, 20);
      });
      stub.listen(0, '127.0.0.1');
      await once(stub, 'listening');
      const { port } = stub.address() as AddressInfo;
      const proxy = await startProxy('stub', port);

      // Ten requests without a pause on one connection of the client, and ten at once.
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      const headers = { 'x-forwarded-for': '10.9.8.7', 'x-request-id': '"><script>' };
      await Promise.all(Array.from({ length: 10 }, async () => await proxy.ask('/', { agent, headers })));
      await Promise.all(Array.from({ length: 10 }, async () => await proxy.ask('/')));
      agent.destroy();

      expect(mostAtOnce).toBe(1);
      expect(busy.size).toBeLessThan(seen.length);
      expect(new Set(seen.map((one) => one['x-forwarded-for']))).toEqual(new Set(['127.0.0.1']));
      expect(seen.every((one) => /^[\w-]+$/.test(String(one['x-request-id'])))).toBe(true);
      expect(new Set(seen.map(({ host }) => host))).toEqual(new Set(['billing.example.com']));

      stub.closeAllConnections();
      stub.close();
      const answer = await proxy.ask('/');
      expect(answer.headers['retry-after']).toBe('2');
      expect(problemOf(answer)).toMatchObject({ status: 503, code: 'outcome_unknown' });
    });
  });
});
