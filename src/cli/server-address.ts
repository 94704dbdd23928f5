import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';

/** A server on this machine answers this in a few milliseconds, or is too busy to be recommended. */
const ASK_MAX_MS = 1_000;
const FILE = 'server-address';

/**
 * Leaves word beside the embedded database of where its server listens, which other commands cannot know: they may have
 * another `PORT`. Returns how to take it back.
 */
export function publishAddress({ databaseUrl, dataDir }: Config, address: string): () => void {
  if (databaseUrl !== null) return () => undefined;
  const file = join(dataDir, FILE);
  writeFileSync(file, `${address}\n`);
  return () => rmSync(file, { force: true });
}

export type FoundServer = Readonly<{ address: string; isRunning: boolean }>;

/** Where the server of this configuration listens when it runs, and whether it does. */
export async function findServer(config: Config): Promise<FoundServer> {
  const published = publishedAddress(config);
  const address = published ?? configuredAddress(config);
  // Who answers there without having left word beside the embedded database serves other data.
  const isOfThisData = config.databaseUrl !== null || published !== undefined;
  return { address, isRunning: isOfThisData && (await isHealthy(address)) };
}

function publishedAddress({ databaseUrl, dataDir }: Config): string | undefined {
  if (databaseUrl !== null) return undefined;
  try {
    return reachable(readFileSync(join(dataDir, FILE), 'utf8').trim());
  } catch {
    return undefined;
  }
}

function configuredAddress({ host, port }: Config): string {
  return reachable(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
}

/** Every address of a machine is one to listen on, not one to ask. */
function reachable(address: string): string {
  return address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

async function isHealthy(address: string): Promise<boolean> {
  try {
    const answer = await fetch(`${address}/health`, { signal: AbortSignal.timeout(ASK_MAX_MS) });
    return answer.ok && (await answer.text()) === '{"status":"healthy"}';
  } catch {
    return false;
  }
}
