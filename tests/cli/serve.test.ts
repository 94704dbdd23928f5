import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { FURTHER_CONNECTIONS_MAX } from '../../src/compose.ts';
import { DEVELOPMENT_API_KEY, readConfig } from '../../src/config.ts';
import { JobRunner } from '../../src/jobs/runner.ts';
import { databaseUrl, POOLER_ENV, runOn } from '../support/postgres-server.ts';
import { CliProcess, cli, freePort, Terminal, temporaryDirectory, until } from './support.ts';

const ASK_MAX = 100;
const ASK_EVERY_MS = 100;
/** Processes are compiled and databases made in it. */
const SLOW_MS = 180_000;

const { ownerUrl, appUrl } = inject('postgres');
const name = `serve_cli_${randomBytes(6).toString('hex')}`;
await runOn(ownerUrl, `create database ${name}`);
afterAll(async () => await runOn(ownerUrl, `drop database ${name} with (force)`));

const env = {
  DATABASE_URL: databaseUrl(appUrl, name),
  DATABASE_MIGRATION_URL: databaseUrl(ownerUrl, name),
  LOG_LEVEL: 'silent',
  PORT: '0',
  ...POOLER_ENV,
};

/** Where a server that runs in this process says it listens. */
async function addressOf(terminal: Terminal): Promise<string> {
  let address: string | undefined;
  await until(() => {
    address = /^ {2}API +(http:\/\/[^/\s]+)/m.exec(terminal.err)?.[1];
    return address !== undefined;
  });
  return address ?? '';
}

describe('mattilda-billing serve', () => {
  test('migrates an empty database, says where it is, answers until SIGTERM, ends with 0', async () => {
    const jobsStarted = vi.spyOn(JobRunner.prototype, 'start');
    const terminal = new Terminal(env);
    const serving = run(['serve'], terminal.io);
    const address = await addressOf(terminal);

    expect((await fetch(`${address}/health`)).status).toBe(200);
    expect((await fetch(`${address}/health/ready`)).status).toBe(200);
    expect(jobsStarted).toHaveBeenCalledOnce();
    expect(terminal.err).toContain('applying 0001_billing_schema');
    expect(terminal.err).toContain(`Docs       ${address}/docs`);
    const connections = readConfig(env).database.connectionsMax + FURTHER_CONNECTIONS_MAX;
    expect(terminal.err).toMatch(new RegExp(`^ {2}Database .*, up to ${connections} connections$`, 'm'));
    expect(terminal.err).toContain(`X-API-Key: ${DEVELOPMENT_API_KEY}   (writes; reads are open)`);
    expect(terminal.err).not.toContain(new URL(env.DATABASE_URL).password);

    terminal.signal('SIGTERM');
    expect(await serving).toBe(0);
    expect(terminal.err).toContain('SIGTERM: stopping');
    expect(terminal.exits).toEqual([]);
    await expect(fetch(`${address}/health`)).rejects.toThrow();
  });

  test('serves a schema that is current with a migration role that does not work, and shows no key of its own; WORKER=off does no jobs', async () => {
    const jobsStarted = vi.spyOn(JobRunner.prototype, 'start').mockClear();
    const key = 'a-key-for-production-that-is-long-enough';
    const terminal = new Terminal({
      ...env,
      DATABASE_MIGRATION_URL: 'postgresql://nobody:x@127.0.0.1:1/x',
      API_KEY: key,
      READ_ACCESS: 'key',
      ENVIRONMENT: 'production',
      WORKER: 'off',
    });
    const serving = run(['serve'], terminal.io);
    const address = await addressOf(terminal);

    expect((await fetch(`${address}/api/v1/schools`)).status).toBe(401);
    expect((await fetch(`${address}/api/v1/schools`, { headers: { 'x-api-key': key } })).status).toBe(200);
    expect(terminal.err).toContain('X-API-Key: the value of API_KEY   (reads and writes)');
    expect(terminal.err).not.toContain(key);
    expect(jobsStarted).not.toHaveBeenCalled();
    terminal.signal('SIGINT');
    expect(await serving).toBe(0);
  });

  test('1: a port that is taken, with how to find by whom', async () => {
    const server = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());

    const { code, err } = await cli(['serve'], { ...env, PORT: String(port) });
    expect(code).toBe(1);
    expect(err).toContain(`Port ${port} on 127.0.0.1 is in use by another process`);
    expect(err).toContain(`PORT=${port + 1} npm start`);
    expect(err).not.toContain('    at ');
  });

  test.each(['192.0.2.1', 'nowhere.invalid'])('1: HOST=%s is no address of this machine', async (host) => {
    const { code, err } = await cli(['serve'], { ...env, HOST: host, API_KEY: 'not-the-published-one' });
    expect(code).toBe(1);
    expect(err).toBe(`HOST ${host} is not an address of this machine\n`);
  });
});

describe('a process of its own on the embedded database', { timeout: SLOW_MS }, () => {
  const headers = { 'content-type': 'application/json', 'x-api-key': DEVELOPMENT_API_KEY };
  const invoiceTotal = 1_000_000;

  /** Comes again as long as the server says that it is busy, which a machine with other work can make it. */
  async function ask(url: string, init: RequestInit = {}): Promise<Response> {
    let answer = await fetch(url, init);
    for (let asked = 1; answer.status === 503 && asked < ASK_MAX; asked++) {
      await sleep(ASK_EVERY_MS);
      answer = await fetch(url, init);
    }
    return answer;
  }

  async function bodyOf<T>(answer: Response, status: number): Promise<T> {
    const text = await answer.text();
    if (answer.status !== status) throw new Error(`${answer.url} answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  }

  async function post(url: string, body: object): Promise<Record<string, unknown>> {
    return await bodyOf(await ask(url, { method: 'POST', headers, body: JSON.stringify(body) }), 201);
  }

  async function read<T>(url: string): Promise<T> {
    return await bodyOf(await ask(url), 200);
  }

  async function anInvoice(api: string): Promise<unknown> {
    const school = await post(`${api}/schools`, { name: 'Colegio', country: 'MX', currency: 'MXN' });
    const person = { first_name: 'Ana', last_name: 'Ruiz', email: 'ana@example.com' };
    const student = await post(`${api}/students`, { school_id: school['id'], ...person });
    const bill = { amount_total: `${invoiceTotal}.00`, currency: 'MXN', due_date: '2030-01-01' };
    return (await post(`${api}/invoices`, { student_id: student['id'], ...bill }))['id'];
  }

  test('kill -9 while paying loses nothing that was acknowledged; the next start, seed and check work; SIGTERM ends with 0', async () => {
    const port = await freePort();
    const address = `http://127.0.0.1:${port}`;
    const api = `${address}/api/v1`;
    const own = { DATA_DIR: temporaryDirectory(), PORT: String(port), LOG_LEVEL: 'error' };
    const killed = await CliProcess.start(['serve'], own);
    await killed.untilReady(address);
    const invoice = await anInvoice(api);

    const acknowledged: unknown[] = [];
    const payers = Array.from({ length: 8 }, async () => {
      while (killed.running) {
        const paid = await post(`${api}/invoices/${invoice}/payments`, { amount: '1.00' }).catch(() => undefined);
        if (paid !== undefined) acknowledged.push(paid['id']);
      }
    });
    await until(() => acknowledged.length > 50);
    killed.child.kill('SIGKILL');
    await killed.ended();
    await Promise.all(payers);

    const again = await CliProcess.start(['serve'], own);
    await again.untilReady(address);
    const payments: { id: number }[] = await read(`${api}/invoices/${invoice}/payments?limit=1000`);
    const ids = payments.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(acknowledged));
    expect(new Set(ids).size).toBe(ids.length);
    expect((await read<{ paid: string }>(`${api}/invoices/${invoice}`)).paid).toBe(`${ids.length}.00`);

    expect(await cli(['check'], own)).toMatchObject({ code: 0 });
    // Which port the server has, only it was told.
    const seeded = await cli(['seed'], { DATA_DIR: own.DATA_DIR });
    expect(seeded).toMatchObject({ code: 0, err: '' });
    expect(seeded.out).toContain(`Next, from the server at ${address}\n`);
    expect((await ask(`${api}/schools`)).headers.get('x-total-count')).toBe('5');

    const second = await cli(['serve'], { ...own, PORT: '0' });
    expect(second.code).toBe(1);
    expect(second.err).toContain(`is in use by process ${again.child.pid}`);

    again.child.kill('SIGTERM');
    expect(await again.ended()).toBe(0);
    expect(again.err).toContain('SIGTERM: stopping');
    expect(await cli(['check'], own)).toMatchObject({ code: 0 });
  });

  test('a port that is taken ends the process with 1, its database with it', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const bound = server.address();
    const port = typeof bound === 'object' ? String(bound?.port) : '';
    const own = { DATA_DIR: temporaryDirectory(), PORT: port };

    const refused = await CliProcess.start(['serve'], own);
    expect(await refused.ended()).toBe(1);
    expect(refused.err).toContain(`Port ${port} on 127.0.0.1 is in use`);
    // Nobody holds the directory any more.
    expect(await cli(['check'], own)).toMatchObject({ code: 0, err: '' });
  });
});
