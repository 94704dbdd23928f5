import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { isAlive } from '../../../src/infrastructure/embedded-postgres/process.ts';

const GONE_WITHIN_MS = 20_000;
const CHILD = fileURLToPath(new URL('embedded-postgres.child.ts', import.meta.url));
const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const TSX = createRequire(import.meta.url).resolve('tsx');

// Starting PostgreSQL is slow on a busy machine, and no test here is about time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

export const IS_ROOT = process.getuid?.() === 0;

const cleanups: (() => Promise<void> | void)[] = [];

const template = mkdtempSync(join(tmpdir(), 'mattilda-embedded-template-'));

beforeAll(async () => {
  chmodSync(template, 0o755);
  await (await startEmbeddedPostgres({ dataDir: template, durable: false })).stop();
});

afterAll(() => rmSync(template, { recursive: true, force: true }));

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A directory that is removed after the test; `mode` decides whether the server's account may enter it. */
export function aDirectory(mode = 0o755, below = tmpdir()): string {
  const directory = mkdtempSync(join(below, 'mattilda-embedded-'));
  chmodSync(directory, mode);
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A data directory on which a server ran and was stopped: a copy, which takes a tenth of the time of making one. */
export function aUsedDirectory(): string {
  const directory = aDirectory();
  execFileSync('cp', ['-a', join(template, 'postgres-18'), directory]);
  return directory;
}

export async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(options);
  cleanups.push(async () => await server.stop());
  return server;
}

export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

export type Child = Readonly<{
  process: ChildProcess;
  pid: number;
  /** What the server said, or why it did not start. */
  server: Pick<EmbeddedPostgres, 'pid' | 'ownerUrl' | 'url'> & { error?: string };
}>;

/** Another Node process that runs the server on `dataDir`, from the sources at `project`. */
export async function aChild(dataDir: string, project = PROJECT): Promise<Child> {
  const program = join(project, CHILD.slice(PROJECT.length));
  const child = spawn(process.execPath, ['--import', TSX, program, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  // A child that ends without a word closes its output: that must fail here, not wait for the end of time.
  const [line] = await Promise.race([once(lines, 'line'), once(lines, 'close')]);
  if (line === undefined) throw new Error(`The child for ${dataDir} ended before its server was up.`);
  const server = JSON.parse(String(line));
  const { pid = 0 } = child;
  cleanups.push(async () => {
    await kill({ process: child });
    if (server.pid !== undefined) await gone(server.pid);
  });
  return { process: child, pid, server };
}

export async function kill(child: Pick<Child, 'process'>): Promise<void> {
  if (child.process.exitCode !== null || child.process.signalCode !== null) return;
  const exited = once(child.process, 'exit');
  child.process.kill('SIGKILL');
  await exited;
}

export async function gone(pid: number): Promise<void> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  while (isAlive(pid) && Date.now() < deadline) await sleep(10);
  expect(isAlive(pid), `process ${pid} is still there`).toBe(false);
}

/** The watchdog of a server, found by the title it gives itself. */
export async function watchdogOf(serverPid: number): Promise<number> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  while (Date.now() < deadline) {
    const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' }).split('\n');
    const line = lines.find((text) => text.trimEnd().endsWith(`watchdog of PostgreSQL ${serverPid}`));
    if (line !== undefined) return Number.parseInt(line, 10);
    await sleep(10);
  }
  throw new Error(`There is no watchdog of process ${serverPid}.`);
}

/** A copy of the project with packages as `npm ci --ignore-scripts` leaves them: without links among the libraries. */
export function aProjectWithoutLinks(mode: number): { project: string; nativeLib: string } {
  const project = aDirectory(mode);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  cpSync(join(PROJECT, 'src'), join(project, 'src'), { recursive: true });
  cpSync(dirname(CHILD), join(project, 'tests/infrastructure/embedded-postgres'), { recursive: true });
  const modules = join(project, 'node_modules');
  mkdirSync(modules);
  symlinkSync(join(PROJECT, 'node_modules/pg'), join(modules, 'pg'));
  for (const name of ['embedded-postgres', '@embedded-postgres']) {
    cpSync(join(PROJECT, 'node_modules', name), join(modules, name), {
      recursive: true,
      filter: (source) => !/\.(a|so)$/.test(source) || source.includes('postgresql'),
      verbatimSymlinks: true,
    });
  }
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const nativeLib = join(modules, '@embedded-postgres', platform, 'native/lib');
  removeLinks(nativeLib);
  return { project, nativeLib };
}

function removeLinks(nativeLib: string): void {
  execFileSync('find', [nativeLib, '-maxdepth', '1', '-type', 'l', '-delete']);
  expect(existsSync(join(nativeLib, 'libpq.so.5'))).toBe(false);
}

/** A process that only sleeps and that the server's account could signal. */
export function aSleeper(uid: number): number {
  const sleeper = spawn('sleep', ['600'], { ...(IS_ROOT && { uid }), stdio: 'ignore' });
  cleanups.push(() => {
    sleeper.kill('SIGKILL');
  });
  return sleeper.pid ?? 0;
}

/** A process that has ended and whose parent does not collect it. */
export async function aZombie(uid: number): Promise<number> {
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 600'], {
    ...(IS_ROOT && { uid }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(() => {
    parent.kill('SIGKILL');
  });
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  await gone(Number(line));
  return Number(line);
}
