import { Readable } from 'node:stream';
import type { FastifyInstance, onSendHookHandler } from 'fastify';

/**
 * Chunks of text, or of bytes, as the body of an answer. When the client leaves, `source` is closed: not by way of `chunks`, because a
 * generator that was never asked for anything ends without running its `finally`, and what `source` holds would stay held.
 * That ends the statement `source` is waiting for, too.
 *
 * @param source what `chunks` reads from, already started: the rows that hold a database connection
 */
export function streamOf(
  chunks: AsyncIterator<string | Uint8Array, void>,
  source: Readonly<{ return(): Promise<unknown> }>,
  as: 'text' | 'bytes' = 'text',
): Readable {
  return new Readable({
    ...(as === 'text' ? { encoding: 'utf8' } : {}),
    read() {
      chunks.next().then(
        ({ done, value }) => void this.push(done === true ? null : value),
        (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    },
    destroy(error, done) {
      source.return().then(
        () => done(error),
        () => done(error),
      );
    },
  });
}

/** Answers HEAD of a streamed answer without reading it. Fastify would read all of it, and throw it away. */
export function leaveHeadsUnread(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    // Before Fastify's own, which takes the body away.
    if (route.method === 'HEAD') route.onSend = [leaveUnread, ...[route.onSend ?? []].flat()];
  });
}

const leaveUnread: onSendHookHandler = (_request, _reply, payload, done) => {
  if (!(payload instanceof Readable)) {
    done(null, payload);
    return;
  }
  payload.destroy();
  done(null, Readable.from([]));
};
