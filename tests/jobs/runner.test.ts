import { setTimeout } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { compose, type Product } from '../../src/compose.ts';
import { createLogger } from '../../src/infrastructure/observability/logging.ts';
import { type Job, JobRunner } from '../../src/jobs/runner.ts';
import { JobLeases } from '../../src/services/shared/job-leases.ts';
import { startBilling } from '../support/billing.ts';

const billing = await startBilling();
const { clock } = billing;

const MINUTE_MS = 60_000;
let jobs = 0;

/** A job of its own row: due every 10 minutes, taken over a minute after its holder died. */
function aJob(run: Job['run'], more: Partial<Job> = {}): Job {
  jobs += 1;
  const name = `job_${String.fromCharCode(96 + jobs)}`;
  return { name, intervalMs: 10 * MINUTE_MS, leaseMs: MINUTE_MS, run, ...more };
}

/** The runner of one process: with pools of its own when `product` is another than the test's. */
function aProcess({ unitOfWork }: Product = billing.product, ...of: Job[]) {
  const lines: Record<string, unknown>[] = [];
  const write = (facts: object, event: string): void => void lines.push({ ...facts, event });
  const leases = new JobLeases({ unitOfWork, clock });
  const runner = new JobRunner({ jobs: of, leases, clock, log: { info: write, error: write }, pollMaxMs: 10 });
  return { runner, leases, lines };
}

/** The product once more, with its own connections to the same database: as another process has it. */
async function anotherProduct(): Promise<Product> {
  const log = createLogger({ level: 'silent', isTerminal: false });
  const product = await compose({ config: billing.config, databaseUrl: billing.url, log, clock });
  onTestFinished(async () => await product.close());
  return product;
}

function aGate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

async function rowOf({ name }: Job): Promise<Record<string, unknown> | undefined> {
  const { rows } = await billing.owner.query<Record<string, unknown>>('select * from jobs where name = $1', [name]);
  return rows[0];
}

describe('a job', () => {
  test('is done by one of two processes, once in each interval', async () => {
    clock.travelTo('2026-05-01T12:00:00Z');
    const [began, gate] = [aGate(), aGate()];
    const run = vi.fn(async () => {
      began.open();
      await gate.passed;
      return { done: 1 };
    });
    const job = aJob(run);
    const [one, other] = [aProcess(), aProcess(await anotherProduct())];

    const first = one.runner.runIfDue(job);
    await began.passed;
    expect(await other.runner.runIfDue(job)).toBe(false);
    gate.open();
    expect(await first).toBe(true);
    expect(one.lines).toEqual([{ event: 'job_finished', job: job.name, done: 1, ms: expect.any(Number) }]);

    clock.travelTo('2026-05-01T12:09:59.999Z');
    expect(await other.runner.runIfDue(job)).toBe(false);
    clock.travelTo('2026-05-01T12:10:00Z');
    expect(await other.runner.runIfDue(job)).toBe(true);
    expect(await one.runner.runIfDue(job)).toBe(false);
    expect(run).toHaveBeenCalledTimes(2);
    expect(await rowOf(job)).toMatchObject({ holder: null, leased_until: null, failures: 0 });
  });

  // The other has not committed yet, so nothing of its lease can be seen: only its lock on the row.
  test('that another process is just taking is left to it, without waiting', async () => {
    clock.travelTo('2026-05-02T12:00:00Z');
    const run = vi.fn(async () => undefined);
    const job = aJob(run);
    const { runner, lines } = aProcess();
    await billing.product.unitOfWork.write(async ({ jobs }) => await jobs.insertMissing(job.name, clock.now()));
    const holder = { name: job.name, holder: '00000000-0000-4000-8000-000000000000' };
    const times = { now: clock.now(), leasedUntil: new Date('2026-05-02T12:01:00Z') };
    const believed = { dueAt: new Date('2026-05-02T12:20:00Z'), leasedUntil: new Date('2026-05-02T12:02:00Z') };

    await (await anotherProduct()).unitOfWork.transaction(async ({ jobs }) => {
      expect(await jobs.claim(holder, times, believed)).toBe(true);
      expect(await runner.runIfDue(job)).toBe(false);
    });
    expect(await runner.runIfDue(job)).toBe(false);
    expect(run).not.toHaveBeenCalled();
    // Not one that waited until it was told that it may wait no longer.
    expect(lines).toEqual([]);
  });

  test('whose process was killed is taken over when the lease has run out, and not before', async () => {
    clock.travelTo('2026-05-03T12:00:00Z');
    const run = vi.fn(async () => undefined);
    const job = aJob(run);
    // Killed: it took the lease, and is never heard of again.
    const killed = await aProcess(await anotherProduct()).leases.claim(job);
    const { runner } = aProcess();

    clock.travelTo('2026-05-03T12:00:59.999Z');
    expect(await runner.runIfDue(job)).toBe(false);
    clock.travelTo('2026-05-03T12:01:00Z');
    expect(await runner.runIfDue(job)).toBe(true);
    expect(run).toHaveBeenCalledOnce();

    // It was only asleep: what it says now is about a lease that is not its own any more.
    const after = await rowOf(job);
    expect(await killed?.extend()).toBeUndefined();
    await killed?.release('done');
    expect(await rowOf(job)).toEqual(after);
  });

  test('that takes longer than its lease keeps it, until somebody else has it: then it is told', async () => {
    clock.travelTo('2026-05-04T12:00:00Z');
    const began = aGate();
    const run = vi.fn(async (signal: AbortSignal) => {
      began.open();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { told: true };
    });
    const job = aJob(run, { leaseMs: 300 });
    const { runner, lines } = aProcess();
    const running = runner.runIfDue(job);
    await began.passed;
    clock.travelTo('2026-05-04T12:00:00.299Z');
    const extended = new Date('2026-05-04T12:00:00.599Z');
    await vi.waitFor(async () => expect((await rowOf(job))?.['leased_until']).toEqual(extended), 10_000);

    const thief = '00000000-0000-4000-8000-000000000000';
    await billing.owner.query('update jobs set holder = $2 where name = $1', [job.name, thief]);
    expect(await running).toBe(true);
    expect(lines.map(({ event }) => event)).toEqual(['job_lease_lost', 'job_finished']);
    expect(await rowOf(job)).toMatchObject({ holder: thief, finished_at: null });
  });

  test('whose lease cannot be extended goes on until that has run out: then it is told', async () => {
    clock.travelTo('2026-05-06T12:00:00Z');
    const job = aJob(
      async (signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return undefined;
      },
      { leaseMs: 60 },
    );
    const { runner, leases, lines } = aProcess();
    const until = new Date('2026-05-06T12:00:00.060Z');
    const extend = vi.fn().mockRejectedValue(new Error('no database'));
    vi.spyOn(leases, 'claim').mockResolvedValue({ until, extend, release: async () => undefined });

    const running = runner.runIfDue(job);
    await vi.waitFor(() => expect(extend.mock.calls.length).toBeGreaterThan(1), 10_000);
    expect(lines).toEqual([]);
    clock.travelTo('2026-05-06T12:00:00.060Z');
    await running;
    expect(lines).toEqual([{ event: 'job_lease_lost', job: job.name }]);
  });

  test('that a process did whose clock is a year ahead does not wait for that year', async () => {
    const run = vi.fn(async () => undefined);
    const [done, held] = [aJob(run), aJob(run)];
    const ahead = aProcess(await anotherProduct());
    clock.travelTo('2027-05-07T12:00:00Z');
    expect(await ahead.runner.runIfDue(done)).toBe(true);
    await ahead.leases.claim(held);

    clock.travelTo('2026-05-07T12:00:00Z');
    const { runner } = aProcess();
    for (const job of [done, held]) {
      expect(await runner.runIfDue(job)).toBe(true);
      expect(await runner.runIfDue(job)).toBe(false);
    }
  });

  test('that fails says so and is tried again in its next interval', async () => {
    clock.travelTo('2026-05-05T12:00:00Z');
    const run = vi.fn<Job['run']>().mockRejectedValueOnce(new TypeError('broken')).mockResolvedValue(undefined);
    const job = aJob(run);
    const { runner, lines } = aProcess();

    expect(await runner.runIfDue(job)).toBe(true);
    expect(lines).toEqual([
      { event: 'job_failed', job: job.name, error: expect.objectContaining({ type: 'TypeError', message: 'broken' }) },
    ]);
    expect(await rowOf(job)).toMatchObject({ holder: null, failures: 1, finished_at: null });
    expect(await runner.runIfDue(job)).toBe(false);

    clock.travelTo('2026-05-05T12:10:00Z');
    expect(await runner.runIfDue(job)).toBe(true);
    expect(await rowOf(job)).toMatchObject({ failures: 0, finished_at: clock.now() });
  });
});

describe('a runner', () => {
  test('goes on with the others while one fails and one takes long; stopped, it breaks that off for another process', async () => {
    clock.release();
    const broken = aJob(vi.fn().mockRejectedValue(new TypeError('broken')), { intervalMs: 1 });
    const slow = aJob(
      vi.fn<Job['run']>(async (signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return undefined;
      }),
    );
    const quick = aJob(
      vi.fn(async () => undefined),
      { intervalMs: 1 },
    );
    const { runner } = aProcess(billing.product, broken, slow, quick);
    runner.start();
    await vi.waitFor(() => {
      for (const { run } of [broken, quick]) expect(vi.mocked(run).mock.calls.length).toBeGreaterThan(2);
      expect(slow.run).toHaveBeenCalledOnce();
    }, 20_000);

    await runner.stop();
    const calls = vi.mocked(quick.run).mock.calls.length;
    await setTimeout(100);
    expect(vi.mocked(quick.run).mock.calls.length).toBe(calls);
    vi.mocked(slow.run).mockResolvedValueOnce(undefined);
    expect(await aProcess(await anotherProduct()).runner.runIfDue(slow)).toBe(true);
  });
});
