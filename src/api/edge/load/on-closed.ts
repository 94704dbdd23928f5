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
  if (response.destroyed) release();
  else response.once('close', release);
}

/** Aborted when the response is over, like {@link onClosed}: for work that nobody wants when its client has left. */
export function leftSignal(response: ServerResponse): AbortSignal {
  const left = new AbortController();
  onClosed(response, () => left.abort());
  return left.signal;
}
