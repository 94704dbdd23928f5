import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/run.ts';
import { builtProgram } from '../support/build.ts';

export type Ran = Readonly<{ code: number; out: string; err: string }>;

type Env = Readonly<Record<string, string>>;

const POLL_MS = 50;
const UNTIL_MAX_MS = 60_000;

/** A command's runtime that remember what it says; the signal is given by hand. */
export class Terminal {
  out = '';
  /** What was written byte for byte. */
  bytes: Uint8Array = new Uint8Array();
  err = '';
  exits: number[] = [];
  readonly io: Io;
  #signal: (name: string) => void = () => undefined;

  constructor(env: Env, isTerminal = { out: false, say: false }) {
    const signalled = new Promise<string>((resolve) => {
      this.#signal = resolve;
    });
    this.io = {
      env,
      out: (text) => {
        this.out += `${text}\n`;
      },
      write: async (chunk) => {
        this.bytes = Buffer.concat([this.bytes, Buffer.from(chunk)]);
        return true;
      },
      say: (text) => {
        this.err += `${text}\n`;
      },
      isTerminal,
      signalled: async () => await signalled,
      exit: (code) => void this.exits.push(code),
    };
  }

  signal(name: string): void {
    this.#signal(name);
  }
}

/** Runs a command in this process, where its lines count for coverage. */
export async function cli(argv: readonly string[], env: Env = {}): Promise<Ran> {
  const terminal = new Terminal(env);
  const code = await run(argv, terminal.io);
  return { code, out: terminal.out, err: terminal.err };
}

/** A process of its own, ended with the test. */
export class CliProcess {
  readonly child: ChildProcess;
  out = '';
  err = '';

  static async start(argv: readonly string[], env: Env): Promise<CliProcess> {
    return new CliProcess([await builtProgram(), ...argv], env);
  }

  private constructor(argv: readonly string[], env: Env) {
    const { PATH = '', HOME = '' } = process.env;
    this.child = spawn(process.execPath, argv, {
      env: { PATH, HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    onTestFinished(async () => {
      if (this.running) this.child.kill('SIGKILL');
      await this.ended();
    });
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async ended(): Promise<number | null> {
    if (this.running) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  /** Resolves once the server at `address` is ready. @throws Error with its output when it ended instead */
  async untilReady(address: string): Promise<void> {
    await until(async () => {
      if (!this.running) throw new Error(`it ended with ${this.child.exitCode}:\n${this.err}`);
      return (await fetch(`${address}/health/ready`).catch(() => undefined))?.status === 200;
    });
  }
}

export async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + UNTIL_MAX_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not so within ${UNTIL_MAX_MS} ms`);
    await sleep(POLL_MS);
  }
}

/** A directory that the account of an embedded PostgreSQL can enter; removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mattilda-cli-'));
  chmodSync(directory, 0o755);
  onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));
  return directory;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}
