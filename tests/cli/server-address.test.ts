import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findServer, publishAddress } from '../../src/cli/server-address.ts';
import { readConfig } from '../../src/config.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'mattilda-address-'));
const server = createServer((_request, response) => response.end('{"status":"healthy"}'));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
const address = `http://127.0.0.1:${port}`;

afterAll(() => {
  server.close();
  rmSync(dataDir, { recursive: true, force: true });
});

// The sample of one data directory is not to be looked for at the server of another.
test('of a server on the configured port, only one that left word beside the data serves them', async () => {
  const config = readConfig({ DATA_DIR: dataDir, PORT: String(port) });
  expect(await findServer(config)).toEqual({ address, isRunning: false });
  const takeBack = publishAddress(config, address);
  expect(await findServer(readConfig({ DATA_DIR: dataDir }))).toEqual({ address, isRunning: true });
  takeBack();
  const elsewhere = readConfig({ DATABASE_URL: 'postgresql://127.0.0.1/x', PORT: String(port) });
  expect(await findServer(elsewhere)).toEqual({ address, isRunning: true });
});
