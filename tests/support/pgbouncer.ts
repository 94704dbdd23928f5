import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** Per database and role: more than any test lets wait for a lock at once, because each of those holds one. */
const SERVER_CONNECTIONS_MAX = 60;
const CLIENT_CONNECTIONS_MAX = 2_000;
/** Databases are dropped after their file's tests; connections to them should not stay long. */
const IDLE_MAX_SECONDS = 5;
const START_MAX_MS = 10_000;
/** Started by root it goes on as this account. */
const UNPRIVILEGED = 'nobody';

const MISSING = `
  ####################################################################################
  pgbouncer is not installed, and these tests are nothing without it.

      Debian, Ubuntu     apt-get update && apt-get install -y pgbouncer
      macOS              brew install pgbouncer
  ####################################################################################
`;

/**
 * A pgbouncer in transaction mode on the loopback address, in front of the server and role of `url`. It takes the same
 * databases, role and password.
 *
 * @throws Error that says what to install
 */
export async function startPgbouncer(url: string): Promise<{ url: string; stop(): Promise<void> }> {
  const binary = findBinary();
  const directory = mkdtempSync(join(tmpdir(), 'mattilda-pgbouncer-'));
  chmodSync(directory, 0o755);
  const port = await freePort();
  writeFileSync(join(directory, 'pgbouncer.ini'), settings(new URL(url), port, directory));
  writeFileSync(join(directory, 'users.txt'), userLine(new URL(url)));
  const asRoot = process.getuid?.() === 0 ? ['-u', UNPRIVILEGED] : [];
  const child = spawn(binary, [...asRoot, join(directory, 'pgbouncer.ini')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + String(chunk)).slice(-4_000);
  });
  await untilListening(child, port, () => said);
  // Every test after that fails with a database that cannot be reached: here is why.
  const tell = (code: number | null, signal: string | null): void => {
    console.error(`pgbouncer ended before the tests did (${signal ?? code}). Its last words:\n${said}`);
  };
  child.once('exit', tell);
  const pooled = new URL(url);
  pooled.host = `127.0.0.1:${port}`;
  return {
    url: pooled.href,
    stop: async () => {
      child.off('exit', tell);
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      if (child.exitCode === null)
        await Promise.race([ended, setTimeout(START_MAX_MS).then(() => child.kill('SIGKILL'))]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function findBinary(): string {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const found = directories.map((directory) => join(directory, 'pgbouncer')).find((path) => existsSync(path));
  if (found === undefined) throw new Error(MISSING);
  return found;
}

/** Nothing is ignored at startup: a client that sends session settings is refused, as it should be. */
function settings({ hostname, port: serverPort }: URL, port: number, directory: string): string {
  return `[databases]
* = host=${hostname} port=${serverPort || 5432}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${join(directory, 'users.txt')}
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS_MAX}
max_client_conn = ${CLIENT_CONNECTIONS_MAX}
server_idle_timeout = ${IDLE_MAX_SECONDS}
server_login_retry = 0
log_connections = 0
log_disconnections = 0
`;
}

function userLine({ username, password }: URL): string {
  return `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilListening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const deadline = Date.now() + START_MAX_MS;
  for (;;) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`pgbouncer did not start:\n${said()}`);
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await setTimeout(20);
  }
}
