import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

export const API_KEY = 'benchmark-key-of-more-than-32-characters';
const START_MAX_MS = 30_000;
const POLL_MS = 2;

export type ServerProcess = Readonly<{
  pid: number;
  port: number;
  /** From the start of the process to the first answer of /health. */
  startMs: number;
  stop(): Promise<void>;
}>;

/** Starts the built server as in production, its log written to a file. */
export async function startServer(
  entry: string,
  logFile: string,
  database: { DATABASE_URL: string } | { DATA_DIR: string },
): Promise<ServerProcess> {
  const port = await freePort();
  const log = openSync(logFile, 'a');
  const { PATH = '', HOME = '' } = process.env;
  const started = performance.now();
  const child = spawn(process.execPath, [entry, 'serve'], {
    env: {
      PATH,
      HOME,
      ...database,
      ENVIRONMENT: 'production',
      API_KEY,
      READ_ACCESS: 'public',
      LOG_LEVEL: 'info',
      PORT: String(port),
    },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  await untilHealthy(child, port, logFile);
  const startMs = performance.now() - started;
  return { pid: child.pid ?? 0, port, startMs, stop: async () => await stop(child) };
}

/** Stands in a request for a text that no request had before; the load generator puts it in. */
export const UNIQUE = '{unique}';

/**
 * A whole HTTP/1.1 request as text.
 *
 * @param key of idempotency
 */
export function requestText(method: 'GET' | 'POST', path: string, body?: object, key?: string): string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n`;
  if (body === undefined) return `${head}\r\n`;
  const text = JSON.stringify(body);
  const idempotency = key === undefined ? '' : `Idempotency-Key: ${key}\r\n`;
  return `${head}X-API-Key: ${API_KEY}\r\n${idempotency}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

async function untilHealthy(child: ChildProcess, port: number, logFile: string): Promise<void> {
  for (let waited = 0; waited < START_MAX_MS; waited += POLL_MS) {
    if (await isHealthy(port)) return;
    if (child.exitCode !== null) throw new Error(`the server did not start: see ${logFile}`);
    await setTimeout(POLL_MS);
  }
  child.kill();
  throw new Error(`the server does not answer: see ${logFile}`);
}

async function isHealthy(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    get({ port, host: '127.0.0.1', path: '/health', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
