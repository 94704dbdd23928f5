import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Server } from '../../../src/infrastructure/embedded-postgres/server.ts';
import { supervise } from '../../../src/infrastructure/embedded-postgres/supervisor.ts';
import { aUsedDirectory, query, start } from './embedded-postgres.support.ts';

const MINUTE_MS = 60_000;

/** Time that passes only in pauses, and what happened in it. */
class Rehearsal {
  clock = 0;
  readonly pauses: number[] = [];
  readonly said: string[] = [];
  starts = 0;
  end: (how: string) => void = () => undefined;
  readonly #next: () => Promise<Server>;

  /** @param next of each start: how long the server lives, or why there is none */
  constructor(next: (start: number) => number | Error) {
    this.#next = async () => {
      const lives = next(++this.starts);
      if (lives instanceof Error) throw lives;
      return this.aServer(lives);
    };
  }

  aServer(livesMs: number): Server {
    const ended = new Promise<string>((resolve) => {
      this.end = resolve;
      if (livesMs === Number.POSITIVE_INFINITY) return;
      setImmediate(() => {
        this.clock += livesMs;
        resolve('ended (SIGKILL)');
      });
    });
    return { pid: 1, address: { host: '/', port: 1 }, ended, stop: async () => this.end('ended (0)') };
  }

  run(firstLivesMs = MINUTE_MS) {
    return supervise({
      first: this.aServer(firstLivesMs),
      restart: async () => await this.#next(),
      onProgress: (message) => void this.said.push(message),
      time: {
        now: () => this.clock,
        pause: async (ms) => {
          this.pauses.push(ms);
          this.clock += ms;
          // Tests may look, and stop it, in between.
          await setTimeout(0);
        },
      },
    });
  }

  async untilStarts(count: number): Promise<void> {
    while (this.starts < count) await setTimeout(1);
  }
}

describe('a server that ends', () => {
  test('is started again however often', async () => {
    const deaths = 100;
    const rehearsal = new Rehearsal((start) => (start > deaths ? Number.POSITIVE_INFINITY : MINUTE_MS));
    const supervision = rehearsal.run();
    await rehearsal.untilStarts(deaths + 1);
    await supervision.stop();
    expect(rehearsal.starts).toBe(deaths + 1);
    expect(Math.max(...rehearsal.pauses)).toBeLessThanOrEqual(100);
  });

  test('is tried on with after a failed start, with pauses that grow to a limit and are not the same for all', async () => {
    const fails = 20;
    const rehearsal = new Rehearsal((start) => (start > fails ? Number.POSITIVE_INFINITY : new Error('no space left')));
    const supervision = rehearsal.run();
    await rehearsal.untilStarts(fails + 1);
    await supervision.stop();
    expect(rehearsal.pauses).toHaveLength(fails + 1);
    for (const [at, pause] of rehearsal.pauses.entries()) {
      const full = Math.min(5_000, 100 * 2 ** at);
      expect(pause).toBeGreaterThanOrEqual(full / 2);
      expect(pause).toBeLessThanOrEqual(full);
    }
    expect(new Set(rehearsal.pauses.slice(-5)).size).toBe(5);
    expect(rehearsal.said.at(-1)).toContain('no space left');
  });

  test.each([
    ['cannot be started again', () => new Error('no space left'), 'no space left'],
    ['ends right after each start', () => 10, 'right after its start'],
  ])('is given up, with the reason, when for two minutes it %s', async (_title, next, reason) => {
    const rehearsal = new Rehearsal(next);
    const supervision = rehearsal.run();
    const error = await supervision.failed;
    expect(error.message).toContain(reason);
    expect(error.message).toContain('120 s');
    expect(rehearsal.clock - MINUTE_MS).toBeGreaterThanOrEqual(2 * MINUTE_MS);
    expect(rehearsal.clock - MINUTE_MS).toBeLessThan(2 * MINUTE_MS + 10_000);
    const { starts } = rehearsal;
    await setTimeout(10);
    expect(rehearsal.starts).toBe(starts);
    await supervision.stop();
  });

  test('is not given up for trouble that was over meanwhile', async () => {
    const hours = 100;
    // Every second start fails, the others hold for a minute.
    const rehearsal = new Rehearsal((start) => {
      if (start > hours) return Number.POSITIVE_INFINITY;
      return start % 2 === 0 ? MINUTE_MS : new Error('busy');
    });
    const supervision = rehearsal.run();
    await rehearsal.untilStarts(hours + 1);
    await supervision.stop();
    expect(rehearsal.starts).toBe(hours + 1);
  });

  test('is not started again after a stop that comes in a pause', async () => {
    const rehearsal = new Rehearsal(() => Number.POSITIVE_INFINITY);
    const supervision = rehearsal.run();
    while (rehearsal.pauses.length === 0) await setTimeout(0);
    await supervision.stop();
    expect(rehearsal.starts).toBe(0);
  });
});

test('kill -9 more often than anybody would, and starts that fail: there again at the same address', async () => {
  const dataDir = aUsedDirectory();
  const server = await start({ dataDir, durable: false });
  const cluster = join(dataDir, 'postgres-18', 'data');
  const pid = (): number => Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n', 1)[0]);
  const kill = async (): Promise<void> => {
    const old = pid();
    process.kill(old, 'SIGKILL');
    await expect.poll(() => isThere(server.url), { timeout: 20_000, interval: 5 }).toBe(true);
    expect(pid()).not.toBe(old);
  };
  // The limit that was there once was twenty.
  for (let kills = 0; kills < 2; kills++) await kill();

  // PostgreSQL without its data does not start. A missing disk looks the same.
  const [victim, away] = [pid(), `${cluster}.away`];
  renameSync(cluster, away);
  process.kill(victim, 'SIGKILL');
  await setTimeout(500);
  expect(await isThere(server.url)).toBe(false);
  renameSync(away, cluster);
  await expect.poll(() => isThere(server.url), { timeout: 20_000 }).toBe(true);
});

async function isThere(url: string): Promise<boolean> {
  return (await query(url, 'select 1').catch(() => [])).length === 1;
}
