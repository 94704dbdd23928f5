import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { joinOrStartEmbeddedPostgres } from '../../../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { aChild, aDirectory, aUsedDirectory, gone, IS_ROOT, kill, query, start } from './embedded-postgres.support.ts';

/** No account of the machine. */
const STRANGER = 54_321;

const LISTENS = `select current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as directory`;

function directoryOf(url: string): string {
  return decodeURIComponent(new URL(url).hostname);
}

describe('a socket, as is the default', () => {
  test('no port, and a directory that only the account of the server may enter; passwords are asked for', async () => {
    const dataDir = aUsedDirectory();
    const server = await start({ dataDir, durable: false });
    const home = join(realpathSync(dataDir), 'postgres-18');

    expect(await query(server.ownerUrl, LISTENS)).toEqual([{ addresses: '', directory: `"${join(home, 'socket')}"` }]);
    const directory = statSync(directoryOf(server.url));
    expect({ mode: directory.mode & 0o777, uid: directory.uid }).toEqual({
      mode: 0o700,
      uid: statSync(join(home, 'data')).uid,
    });
    const wrong = new URL(server.ownerUrl);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  // A hundred that say nothing would be all the connections there are: nobody may so much as knock.
  test.runIf(IS_ROOT)('another user of the machine cannot connect, nor read where to or with what', async () => {
    const dataDir = aUsedDirectory();
    const server = await start({ dataDir, durable: false });
    const home = join(dataDir, 'postgres-18');
    const socket = join(directoryOf(server.url), '.s.PGSQL.5432');
    const knock = `require('node:net').connect(${JSON.stringify(socket)}).on('connect', () => console.log('in')).on('error', (error) => console.log(error.code)).on('connect', process.exit)`;

    // That of this process may lie where a stranger cannot run it.
    const node = join(mkdtempSync(join(tmpdir(), 'mattilda-node-')), 'node');
    chmodSync(dirname(node), 0o755);
    copyFileSync(process.execPath, node);
    const { stdout } = spawnSync(node, ['-e', knock], { uid: STRANGER, gid: STRANGER, encoding: 'utf8' });
    rmSync(dirname(node), { recursive: true });

    expect(stdout.trim()).toBe('EACCES');
    const open = readdirSync(home).filter((name) => {
      const status = statSync(join(home, name));
      return (status.mode & 0o007) !== 0 && /passwords|settings|log$|socket|data/.test(name);
    });
    expect(open).toEqual([]);
    const log = readFileSync(join(home, 'postgres.log'), 'utf8');
    for (const url of [server.url, server.ownerUrl]) expect(log).not.toContain(new URL(url).password);
  });

  test('a data directory with a path that is long, has blanks, commas and quotes', async () => {
    const dataDir = join(aDirectory(), 'it\'s, "a" \\ long way', 'x'.repeat(60));
    mkdirSync(dataDir, { recursive: true });
    const server = await start({ dataDir, durable: false });
    const directory = directoryOf(server.url);
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(directory.startsWith(join(realpathSync(tmpdir()), 'mattilda-billing-socket-'))).toBe(true);
    expect(statSync(directory).mode & 0o777).toBe(0o700);

    const joined = await joinOrStartEmbeddedPostgres({ dataDir });
    expect(joined).toMatchObject({ owned: false, url: server.url });

    await server.stop();
    expect(existsSync(directory)).toBe(false);
  });

  test('a short path with blanks, commas and quotes', async () => {
    const dataDir = join(aDirectory(), 'a, "b" \'c\' \\d');
    const server = await start({ dataDir, durable: false });
    expect(directoryOf(server.url)).toBe(join(realpathSync(dataDir), 'postgres-18', 'socket'));
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('SIGKILL of everything leaves no directory behind for longer than until the next start', async () => {
    const dataDir = join(aDirectory(), 'x'.repeat(80));
    const child = await aChild(dataDir);
    const left = directoryOf(child.server.url);
    await kill(child);
    await gone(child.server.pid);
    expect(existsSync(left)).toBe(true);

    const next = await start({ dataDir, durable: false });

    expect(existsSync(left)).toBe(false);
    expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('a port, as on Windows', () => {
  test('of the loopback address alone; passwords are asked for, and soon', async () => {
    const server = await start({ dataDir: aUsedDirectory(), durable: false, listen: 'tcp' });

    expect(await query(server.ownerUrl, LISTENS)).toEqual([{ addresses: '127.0.0.1', directory: '' }]);
    expect(await query(server.url, 'show authentication_timeout')).toEqual([{ authentication_timeout: '5s' }]);
    const wrong = new URL(server.ownerUrl);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  test('the same at the next start, another when it is taken', async () => {
    const dataDir = aUsedDirectory();
    const options = { dataDir, durable: false, listen: 'tcp' } as const;
    const first = await start(options);
    await first.stop();
    const second = await start(options);
    expect(second.url).toBe(first.url);
    await second.stop();
    const thief = createServer();
    const port = Number(new URL(first.url).port);
    await new Promise<void>((resolve) => thief.listen(port, '127.0.0.1', resolve));

    const third = await start(options);
    thief.close();

    expect(new URL(third.url).port).not.toBe(String(port));
    expect(await query(third.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});
