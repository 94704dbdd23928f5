import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from './server.ts';

/** A server that ends again and again has a reason that starting it once more does not mend. */
const RESTARTS_MAX = 20;
const RESTART_DELAY_MS = 100;

/**
 * Starts the server again when it ends without being asked to (killed, or out of memory): whoever uses its address
 * sees a pause instead of an end.
 *
 * @param restart starts a server on the same port
 * @returns how to stop it for good
 */
export function supervise(
  first: Server,
  restart: () => Promise<Server>,
  onProgress: (message: string) => void,
): { stop(): Promise<void> } {
  let current: Promise<Server> = Promise.resolve(first);
  let isStopping = false;
  let restarts = 0;

  function watch(server: Server): void {
    void server.ended.then((how) => {
      if (isStopping) return;
      restarts += 1;
      if (restarts > RESTARTS_MAX) {
        onProgress(`PostgreSQL ${how} unexpectedly ${RESTARTS_MAX} times and is not started again`);
        return;
      }
      onProgress(`PostgreSQL ${how} unexpectedly; starting it again`);
      current = again(server);
    });
  }

  async function again(ended: Server): Promise<Server> {
    await sleep(RESTART_DELAY_MS);
    if (isStopping) return ended;
    try {
      const server = await restart();
      watch(server);
      return server;
    } catch (error) {
      onProgress(`PostgreSQL could not be started again: ${error instanceof Error ? error.message : 'unknown error'}`);
      return ended;
    }
  }

  watch(first);
  return {
    stop: async () => {
      isStopping = true;
      await (await current).stop();
    },
  };
}
