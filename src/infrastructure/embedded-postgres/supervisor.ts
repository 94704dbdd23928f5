import { setTimeout } from 'node:timers/promises';
import { EmbeddedPostgresError, reasonOf } from './errors.ts';
import type { Server } from './server.ts';

/**
 * A server that cannot be had for so long will not come back by itself. Whoever supervises this process should know:
 * another disk, another machine, or somebody who looks.
 */
const GIVE_UP_AFTER_MS = 120_000;
/** The pause before a start doubles with each that fails, up to the second. */
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 5_000;
/** A server that ended sooner had not really started. */
const STEADY_AFTER_MS = 1_000;

export type Supervision = Readonly<{
  /** Resolves, if ever, when the server could not be started again for {@link GIVE_UP_AFTER_MS}; it is not tried again. */
  failed: Promise<EmbeddedPostgresError>;
  /** Stops the server for good. */
  stop(): Promise<void>;
}>;

/** Time, as tests need to have it in their hands. */
type Time = Readonly<{
  /** Milliseconds, of a clock that nobody sets. */
  now(): number;
  /** Resolves early when the signal is given. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}>;

const REAL_TIME: Time = {
  now: () => performance.now(),
  // A process that has nothing else to do may end meanwhile.
  pause: async (ms, signal) => await setTimeout(ms, undefined, { signal, ref: false }).catch(() => undefined),
};

/**
 * Starts the server again however often it ends without being asked to (killed, or out of memory), and however often
 * that fails (a full disk, a port that is taken): whoever uses its address sees a pause instead of an end.
 *
 * @param of.restart starts a server at the same address
 */
export function supervise(of: {
  first: Server;
  restart: () => Promise<Server>;
  onProgress: (message: string) => void;
  time?: Time;
}): Supervision {
  const { restart, onProgress, time = REAL_TIME } = of;
  const stopping = new AbortController();
  let giveUp: (error: EmbeddedPostgresError) => void = () => undefined;
  const failed = new Promise<EmbeddedPostgresError>((resolve) => {
    giveUp = resolve;
  });
  let current = of.first;
  /** Starts in a row that led to nothing, and when the trouble began. */
  let failures = 0;
  let since: number | undefined;

  async function watch(): Promise<void> {
    for (;;) {
      const started = time.now();
      const how = await current.ended;
      if (stopping.signal.aborted) return;
      if (time.now() - started >= STEADY_AFTER_MS) {
        failures = 0;
        since = undefined;
      } else failures += 1;
      onProgress(`PostgreSQL ${how} unexpectedly; starting it again`);
      const next = await again(`it ${how} right after its start`);
      if (next === undefined) return;
      current = next;
    }
  }

  /** Resolves to `undefined` when it was stopped or has given up. */
  async function again(before: string): Promise<Server | undefined> {
    since ??= time.now();
    for (let reason = before; ; ) {
      if (failures > 0 && time.now() - since >= GIVE_UP_AFTER_MS) {
        giveUp(
          new EmbeddedPostgresError(
            `PostgreSQL could not be started again for ${GIVE_UP_AFTER_MS / 1_000} s, in ${failures} attempts: ${reason}`,
          ),
        );
        return undefined;
      }
      await time.pause(pauseAfter(failures), stopping.signal);
      if (stopping.signal.aborted) return undefined;
      try {
        return await restart();
      } catch (error) {
        failures += 1;
        reason = reasonOf(error);
        onProgress(`PostgreSQL could not be started again (attempt ${failures}): ${reason}; trying on`);
      }
    }
  }

  const watching = watch();
  return {
    failed,
    stop: async () => {
      stopping.abort();
      await current.stop();
      await watching;
      // One that was being started when the stop came.
      await current.stop();
    },
  };
}

/** Between half of it and all: servers of several processes that ran out of the same disk do not come back together. */
function pauseAfter(failures: number): number {
  return Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** failures) * (0.5 + Math.random() / 2);
}
