import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { startBilling } from '../support/billing.ts';
import { POOLER_ENV } from '../support/postgres-server.ts';
import { freePort, until } from './support.ts';

const billing = await startBilling();

async function isServing(address: string): Promise<boolean> {
  return (await fetch(`${address}/health`).catch(() => undefined))?.status === 200;
}

// An editor or a process manager ends what it started, and that is npm: nobody else would end what npm left behind.
test.each(['SIGTERM', 'SIGINT'] as const)(
  'npm run dev ends the server with itself on %s',
  { timeout: 60_000 },
  async (signal) => {
    const port = await freePort();
    const address = `http://127.0.0.1:${port}`;
    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH, HOME, DATABASE_URL: billing.url, PORT: String(port), LOG_LEVEL: 'error', ...POOLER_ENV };
    const npm = spawn('npm', ['run', 'dev'], { env, stdio: 'ignore', detached: true });
    onTestFinished(() => {
      // Its whole group: what is left of it, if something is.
      try {
        if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGKILL');
      } catch {
        // Nothing is.
      }
    });
    await until(async () => await isServing(address));

    npm.kill(signal);

    if (npm.exitCode === null) await once(npm, 'exit');
    expect(npm.exitCode).toBe(0);
    expect(await isServing(address)).toBe(false);
  },
);
