import { once } from 'node:events';
import http from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { composeServer } from '../../../../src/compose.ts';
import { Shares } from '../../../../src/infrastructure/concurrency/shares.ts';
import { createLogger } from '../../../../src/infrastructure/observability/logging.ts';
import { startBilling } from '../../../support/billing.ts';

const billing = await startBilling();
const schoolId = await billing.aSchool();
const studentId = await billing.aStudent({ school_id: schoolId });
const invoiceId = await billing.anInvoice({ student_id: studentId });
const runtime = { config: billing.config, log: createLogger({ level: 'silent', isTerminal: false }) };
/** Places are shares as in production, but one each. */
const shares = new Shares({ placesEach: 1, waitMaxMs: 50 });
const narrow = await composeServer({ ...billing.product, longAnswers: shares }, runtime);
const base = await narrow.listen({ host: '127.0.0.1', port: 0 });
afterAll(async () => {
  await narrow.close();
});

const key = { 'x-api-key': billing.config.apiKey };
const statement = `${base}/api/v1/schools/${schoolId}/statement`;

/** All of the answer is read: its place is free when it has been sent. */
async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const answer = await fetch(url, { headers });
  await answer.arrayBuffer();
  return answer.status;
}

describe('long answers', () => {
  test('503: a caller who has their share; others, and short answers, are served', async () => {
    const taken = await shares.enter('127.0.0.1');
    const longOnes = [
      `/schools/${schoolId}/statement`,
      `/schools/${schoolId}/statement?format=csv`,
      `/students/${studentId}/statement?format=csv`,
      `/students/${studentId}/ledger?format=csv`,
      '/schools?format=csv',
      '/invoices?format=csv',
      `/invoices/${invoiceId}/payments?format=csv`,
      `/schools/${schoolId}/aging?format=csv`,
    ];
    for (const path of longOnes) {
      const refused = await fetch(`${base}/api/v1${path}`);
      expect({ path, status: refused.status }).toEqual({ path, status: 503 });
      expect(await refused.json()).toMatchObject({ code: 'overloaded' });
      expect({ path, status: await statusOf(`${base}/api/v1${path}`, key) }).toEqual({ path, status: 200 });
    }
    for (const path of [`/schools/${schoolId}/statement?limit=10`, `/students/${studentId}/statement`, '/invoices']) {
      expect({ path, status: await statusOf(`${base}/api/v1${path}`) }).toEqual({ path, status: 200 });
    }
    taken?.();
    expect(await statusOf(statement)).toBe(200);
  });

  test('whoever leaves before it is their turn opens nothing', async () => {
    const patient = new Shares({ placesEach: 1, waitMaxMs: 60_000 });
    const app = await composeServer({ ...billing.product, longAnswers: patient }, runtime);
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    const sockets: Socket[] = [];
    app.server.on('connection', (socket: Socket) => sockets.push(socket));
    const taken = await patient.enter('127.0.0.1');
    const [entered, opened] = [vi.spyOn(patient, 'enter'), vi.spyOn(billing.product.unitOfWork, 'stream')];
    onTestFinished(() => opened.mockRestore());

    const request = http.get(`${address}/api/v1/schools/${schoolId}/statement`, { agent: false });
    request.on('error', () => undefined);
    while (entered.mock.calls.length === 0) await setImmediate();
    const [socket] = sockets;
    const gone = socket && once(socket, 'close');
    request.destroy();
    await gone;
    taken?.();
    while (patient.size > 0) await setImmediate();
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(opened).not.toHaveBeenCalled();
    await app.close();
  });

  test('a place is given back by whoever leaves, be it before the answer has begun', async () => {
    const holder = await billing.owner.connect();
    await holder.query('begin');
    await holder.query('lock table invoices in access exclusive mode');
    const request = http.get(statement, { agent: false });
    request.on('error', () => undefined);
    await billing.untilWaiting(1);
    expect(shares.size).toBe(1);
    request.destroy();
    await new Promise((resolve) => request.once('close', resolve));
    await holder.query('rollback');
    holder.release();
    while (shares.size > 0) await setImmediate();
    expect(await statusOf(statement)).toBe(200);
  });
});
