import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { vi } from 'vitest';
import { API_KEY } from '../../support/address.ts';
import { builtProgram } from '../../support/build.ts';
import { POOLER_ENV } from '../../support/postgres-server.ts';
import { scale } from './scale.ts';

// Starting servers is slow on a busy machine, and no test here fails by being slow.
vi.setConfig({ testTimeout: scale(120_000, 3_600_000), hookTimeout: 120_000 });

const START_MAX_MS = 60_000;

export type Databases = Readonly<{ url: string; ownerUrl: string }>;

/** One server in a process of its own, as `npm start` would run it on a database that exists. */
export class ServerProcess {
  readonly base: string;
  readonly #child: ChildProcess;
  readonly #said: string[];

  static async start({ url, ownerUrl }: Databases, env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const said: string[] = [];
    const child = spawn(process.execPath, [await builtProgram(), 'serve'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        ENVIRONMENT: 'test',
        API_KEY,
        LOG_LEVEL: 'warn',
        PORT: '0',
        DATABASE_URL: url,
        DATABASE_MIGRATION_URL: ownerUrl,
        ...POOLER_ENV,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // A test that fails or runs out of time stops nothing: no server outlives the process that started it.
    const orphaned = (): void => void child.kill('SIGKILL');
    process.once('exit', orphaned);
    child.once('exit', () => process.off('exit', orphaned));
    const base = await new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the server did not start:\n${said.join('')}`)), START_MAX_MS);
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (chunk: Buffer) => {
          said.push(chunk.toString('utf8'));
          const address = /^ {2}API +(http:\/\/[^/\s]+)/m.exec(said.join(''))?.[1];
          if (address === undefined) return;
          clearTimeout(late);
          resolve(address);
        });
      }
      child.once('exit', () => reject(new Error(`the server ended at its start:\n${said.join('')}`)));
    });
    return new ServerProcess(base, child, said);
  }

  private constructor(base: string, child: ChildProcess, said: string[]) {
    this.base = base;
    this.#child = child;
    this.#said = said;
  }

  get port(): string {
    return new URL(this.base).port;
  }

  /** Memory of the process in the machine, in MB. Linux only: undefined elsewhere. */
  residentMb(): number | undefined {
    const status = `/proc/${this.#child.pid}/status`;
    const kb = existsSync(status) ? /^VmRSS:\s+(\d+)/m.exec(readFileSync(status, 'utf8'))?.[1] : undefined;
    return kb === undefined ? undefined : Number(kb) / 1_024;
  }

  /** Everything it wrote to its standard output and error so far. */
  output(): string {
    return this.#said.join('');
  }

  /** Whether the process still runs: a fault must be survived, not answered and died of. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isAlive) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }
}
