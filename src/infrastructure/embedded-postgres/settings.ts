import { chmodSync, chownSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerHome } from './account.ts';
import { type Address, isSocket, type Listen } from './address.ts';
import type { PostgresVersion } from './binaries.ts';
import { readOrUndefined } from './process.ts';

/** Lies beside the cluster, not in it: the server's account may read it but not change it. */
export const SETTINGS_FILE = 'settings.conf';

export const CONNECTIONS_MAX_DEFAULT = 100;

export type ServerSettings = Readonly<{
  version: PostgresVersion;
  isDurable: boolean;
  listen: Listen;
  connectionsMax: number;
  extra: Readonly<Record<string, string>>;
}>;

/** Meant for 2 to 8 cores shared with our own process, and for tables that are mostly inserted into. */
const COMMON: Readonly<Record<string, string>> = {
  unix_socket_permissions: '0700',
  // Whoever has come in and not said who he is holds a place. Ours say so in milliseconds.
  authentication_timeout: '5s',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',

  // Enough for the indexes of a few hundred thousand invoices; only what is used is ever taken.
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '8MB',
  maintenance_work_mem: '64MB',
  random_page_cost: '1.1',
  // Our statements take milliseconds; compiling them takes longer than running them.
  jit: 'off',

  // Off: the binaries compress with pglz alone, which made a payment right after a checkpoint take 1.7 ms instead of 1.0.
  wal_compression: 'off',
  min_wal_size: '128MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',

  autovacuum_naptime: '30s',
  autovacuum_vacuum_scale_factor: '0.05',
  autovacuum_vacuum_insert_scale_factor: '0.05',
  autovacuum_analyze_scale_factor: '0.02',

  log_min_messages: 'warning',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
  // A refused duplicate shows the email it refused in the detail of the message and in the statement.
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
};

/** For servers that are thrown away: nothing survives a crash of the machine. */
const THROWAWAY: Readonly<Record<string, string>> = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum_naptime: '1min',
};

export function writeSettings(home: ServerHome, address: Address, settings: ServerSettings): void {
  const values: Readonly<Record<string, string>> = {
    ...COMMON,
    ...(settings.isDurable ? {} : THROWAWAY),
    // Its worker processes buy nothing here: the data is in memory or soon will be.
    ...(settings.version >= 18 && !settings.isDurable ? { io_method: 'sync' } : {}),
    max_connections: String(settings.connectionsMax),
    ...settings.extra,
    listen_addresses: isSocket(address) ? '' : address.host,
    // A list, in which the quotes let a path have commas.
    unix_socket_directories: isSocket(address) ? `"${address.host.replaceAll('"', '""')}"` : '',
    port: String(address.port),
  };
  const lines = Object.entries(values).map(([name, value]) => `${name} = '${quoted(value)}'`);
  const path = join(home.directory, SETTINGS_FILE);
  const draft = `${path}.draft`;
  writeFileSync(draft, `# Written at every start.\n${lines.join('\n')}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  // Under root the server's account may read it, as one of its group, but not change it.
  if (home.account !== undefined) {
    chownSync(draft, 0, home.account.gid);
    chmodSync(draft, 0o640);
  }
  renameSync(draft, path);
}

function quoted(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll("'", "''");
}

/** Where the last start made the server listen. */
export function lastAddress(home: ServerHome): Address | undefined {
  const text = readOrUndefined(join(home.directory, SETTINGS_FILE)) ?? '';
  const port = valueIn(text, 'port');
  if (port === undefined) return undefined;
  const directory = valueIn(text, 'unix_socket_directories')?.replace(/^"|"$/g, '').replaceAll('""', '"');
  return { host: directory || (valueIn(text, 'listen_addresses') ?? ''), port: Number(port) };
}

function valueIn(text: string, name: string): string | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${name} = '`));
  return line?.slice(`${name} = '`.length, -1).replaceAll("''", "'").replaceAll('\\\\', '\\');
}
