import http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { leaveHeadsUnread, streamOf } from '../../../src/api/responses/streaming.ts';
import { startBilling } from '../../support/billing.ts';

/** Nothing here ends by a limit of time. */
const billing = await startBilling({ DATABASE_LOCK_TIMEOUT_MS: '600000', DATABASE_STATEMENT_TIMEOUT_MS: '600000' });

test('200: HEAD of a streamed answer reads none of it, and lets go of what it reads from', async () => {
  const seen = { read: 0, closed: 0 };
  async function* rows(): AsyncGenerator<string, void, undefined> {
    try {
      yield 'opened';
      for (; seen.read < 1_000; seen.read++) yield 'row';
    } finally {
      seen.closed += 1;
    }
  }
  const app = Fastify();
  leaveHeadsUnread(app);
  app.get('/', async (_request, reply) => {
    const source = rows();
    await source.next();
    return await reply.type('text/plain').send(streamOf(source, source));
  });

  const { statusCode, headers, body } = await app.inject({ method: 'HEAD', url: '/' });
  expect({ statusCode, body, type: headers['content-type'] }).toEqual({
    statusCode: 200,
    body: '',
    type: 'text/plain',
  });
  expect(headers).not.toHaveProperty('content-length');
  expect(seen).toEqual({ read: 0, closed: 1 });
  expect((await app.inject('/')).body).toBe('row'.repeat(1_000));
  await app.close();
});

test('200: HEAD of the statement of a school', async () => {
  const schoolId = await billing.aSchool();
  const { status, headers, text } = await billing.send('HEAD', `/schools/${schoolId}/statement`);
  expect({ status, text }).toEqual({ status: 200, text: '' });
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
  expect((await billing.send('HEAD', '/schools/999999/statement')).status).toBe(404);
});

// The first rows of a file are those a query takes longest for, and there is no stream yet that could be left.
test('a client that leaves before the first row of a file ends the query', async () => {
  const base = await billing.app.listen({ host: '127.0.0.1', port: 0 });
  const holder = await billing.owner.connect();
  await holder.query('begin');
  await holder.query('lock table schools in access exclusive mode');
  const request = http.get(`${base}${billing.config.prefix}/schools?format=csv`, { agent: false });
  request.on('error', () => undefined);
  await billing.untilWaiting(1);
  request.destroy();
  const waiting = async (): Promise<number | null> => {
    const { rowCount } = await billing.owner.query(`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`);
    return rowCount;
  };
  while ((await waiting()) !== 0) await setTimeout(10);
  await holder.query('rollback');
  holder.release();
  await setTimeout(50);
  expect(billing.events()).not.toContain('request_failed');
});
