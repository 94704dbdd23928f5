import type { FastifyInstance } from 'fastify';

/**
 * What every answer carries, refusals and errors too, unless a route has a reason to say something else:
 *
 * - no cache between us and the one who asked keeps it, and nobody's own shows it again without asking: answers hold names
 *   and amounts, also where reads need no key
 * - no browser takes it for something it is not
 * - no browser tells other sites our addresses, which hold ids
 */
export const SAFE_HEADERS = {
  'cache-control': 'private, no-cache',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

/** The same for answers that are written on the bare socket. */
export const SAFE_HEADER_LINES = Object.entries(SAFE_HEADERS).map(([name, value]) => `${name}: ${value}`);

/** Register before every hook that may answer. */
export function sendSafeHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(SAFE_HEADERS);
    done();
  });
}
