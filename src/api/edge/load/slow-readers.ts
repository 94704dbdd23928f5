import type { FastifyInstance } from 'fastify';
import type { ConnectionLimits } from './connection-limits.ts';
import type { Connection, Connections } from './connections.ts';

/** Bytes that were waiting to be taken when it was looked, and until when they have to have been. */
type Due = Readonly<{ takenBytes: number; at: number }>;

/**
 * Ends connections whose client takes its answer more slowly than `answerBytesPerSecondMin`: what is held for the answer
 * (memory, a connection to the database) is held from others. What the operating system takes in for a client counts as
 * taken, so only answers of some size are looked at.
 *
 * A piece of an answer is taken as a whole or not at all, as far as can be seen; so each is given the time that it may
 * take, and `slowGraceMs` more.
 */
export function cutSlowReaders(app: FastifyInstance, connections: Connections, limits: ConnectionLimits): void {
  const due = new WeakMap<Connection, Due>();
  const look = (): void => {
    const now = performance.now();
    for (const connection of connections) {
      const { bytesWritten, writableLength: waiting } = connection.socket;
      const taken = bytesWritten - waiting;
      const last = due.get(connection);
      if (waiting === 0) {
        due.delete(connection);
      } else if (last === undefined || taken >= last.takenBytes) {
        const ms = limits.slowGraceMs + (1_000 * waiting) / limits.answerBytesPerSecondMin;
        due.set(connection, { takenBytes: taken + waiting, at: now + ms });
      } else if (now > last.at) {
        connections.cut(connection, 'slow');
      }
    }
  };
  let timer: NodeJS.Timeout | undefined;
  app.server.once('listening', () => {
    timer = setInterval(look, limits.checkEveryMs).unref();
  });
  app.addHook('onClose', () => clearInterval(timer));
}
