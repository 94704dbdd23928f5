import type { ServerResponse } from 'node:http';

/**
 * Calls `release` once when the response is over: the client has it all, or has left; at once when that was before. For
 * whoever holds something for an answer (a connection, a place, a count): `finish` and Fastify's `onResponse` are never
 * told of a client that left.
 *
 * A response that still waits behind another of its connection is told like any other, which is `pipelining.ts`'s doing:
 * Node forgets those.
 */
export function onClosed(response: ServerResponse, release: () => void): void {
  const others = releases.get(response);
  if (response.destroyed) {
    release();
  } else if (others === undefined) {
    const all = [release];
    releases.set(response, all);
    response.once('close', () => {
      for (const one of all) one();
    });
  } else {
    others.push(release);
  }
}

/**
 * What is released when a response is over. One listener for all of it: a streamed statement is counted, admitted, given a
 * place and a signal, and Fastify listens as well, so that Node would take one listener each for a leak.
 */
const releases = new WeakMap<ServerResponse, (() => void)[]>();

/** Aborted when the response is over, like {@link onClosed}: for work that nobody wants when its client has left. */
export function leftSignal(response: ServerResponse): AbortSignal {
  const left = new AbortController();
  onClosed(response, () => left.abort());
  return left.signal;
}
