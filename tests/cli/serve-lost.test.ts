import { randomBytes } from 'node:crypto';
import { afterAll, expect, inject, test, vi } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { databaseUrl, POOLER_ENV, runOn } from '../support/postgres-server.ts';
import { Terminal, until } from './support.ts';

const lost = vi.hoisted(() => {
  let lose: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    lose = resolve;
  });
  return { failed, lose: (error: Error) => lose(error), lines: [] as unknown[] };
});

vi.mock('../../src/cli/database.ts', async (original) => {
  const real = await original<typeof import('../../src/cli/database.ts')>();
  const openDatabase: typeof real.openDatabase = async (...args) => ({
    ...(await real.openDatabase(...args)),
    failed: lost.failed,
  });
  return { ...real, openDatabase };
});

vi.mock('../../src/infrastructure/observability/logging.ts', async (original) => {
  const real = await original<typeof import('../../src/infrastructure/observability/logging.ts')>();
  const createLogger: typeof real.createLogger = (options) =>
    real.createLogger({ ...options, stream: { write: (line) => void lost.lines.push(JSON.parse(line)) } });
  return { ...real, createLogger };
});

const { ownerUrl, appUrl, template } = inject('postgres');
const name = `serve_lost_${randomBytes(6).toString('hex')}`;
await runOn(ownerUrl, `create database ${name} template ${template}`);
afterAll(async () => await runOn(ownerUrl, `drop database ${name} with (force)`));

test('an embedded database that is lost for good ends the process with 1, and a line in the log says why', async () => {
  const terminal = new Terminal({ DATABASE_URL: databaseUrl(appUrl, name), PORT: '0', ...POOLER_ENV });
  const serving = run(['serve'], terminal.io);
  await until(() => terminal.err.includes('Mattilda Billing API'));

  const error = Object.assign(new Error('PostgreSQL could not be started again for 120 s'), {
    name: 'EmbeddedPostgresError',
  });
  lost.lose(error);

  expect(await serving).toBe(1);
  expect(terminal.err.trimEnd().split('\n').at(-1)).toBe(error.message);
  expect(lost.lines).toContainEqual(
    expect.objectContaining({ level: 'fatal', event: 'embedded_postgres_lost', reason: error.message }),
  );
  expect(lost.lines.at(-1)).toMatchObject({ event: 'server_stopped' });
});
