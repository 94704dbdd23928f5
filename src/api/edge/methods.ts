import type { FastifyInstance, HTTPMethods } from 'fastify';
import { HttpError } from './problems.ts';

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * An address that exists answers 405 with what it allows to every other method, instead of pretending not to exist.
 *
 * Call before the routes are registered, and what it returns after them.
 */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    // Of /docs/, which comes with /docs, only HEAD is announced.
    for (const one of [method].flat()) known.add(one === 'HEAD' ? 'GET' : one).add(one);
    methods.set(url, known);
  });
  return () => {
    for (const [url, known] of [...methods]) {
      if (!url.includes('*')) refuseAllBut(app, url, known);
    }
  };
}

function refuseAllBut(app: FastifyInstance, url: string, known: ReadonlySet<string>): void {
  const others = METHODS.filter((method) => !known.has(method));
  if (others.length === 0) return;
  const allow = [...known].join(', ');
  app.route({
    method: others,
    url,
    schema: { hide: true },
    // Before the body is looked at, which may be of any type and size.
    onRequest: (request, _reply, done) => {
      const detail = `${request.method} is not allowed here; allowed: ${allow}`;
      done(new HttpError('method_not_allowed', detail, { headers: { allow } }));
    },
    handler: () => undefined,
  });
}
