import type { FastifyInstance } from 'fastify';
import { addVary } from '../responses/vary.ts';

/** What a page may read of an answer beside its body and the few headers that browsers always show. */
const EXPOSED = [
  'Content-Disposition',
  'ETag',
  'Idempotency-Hit',
  'Link',
  'Location',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'Retry-After',
  'X-Request-Id',
  'X-Total-Count',
].join(', ');
const PREFLIGHT = {
  'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE',
  'access-control-allow-headers': 'Content-Type, Idempotency-Key, If-None-Match, X-API-Key, X-Request-Id',
  // For ten minutes a browser does not ask again before each request.
  'access-control-max-age': '600',
};

/**
 * Lets pages of these origins use the API in a browser; those of others get no answer that they may read. Cookies play no
 * part: who may do what is said by the key that the page sends. Register before the gate, because a browser asks whether it
 * may send the key without sending it.
 */
export function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const allowed = new Set(origins);
  app.addHook('onRequest', ({ method, headers }, reply, done) => {
    addVary(reply, 'Origin');
    const { origin } = headers;
    if (origin === undefined || !allowed.has(origin)) {
      done();
      return;
    }
    reply.header('access-control-allow-origin', origin);
    if (method === 'OPTIONS' && headers['access-control-request-method'] !== undefined) {
      reply.headers(PREFLIGHT).code(204).send();
      return;
    }
    reply.header('access-control-expose-headers', EXPOSED);
    done();
  });
}
