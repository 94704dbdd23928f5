import type { FastifyInstance, FastifyRequest, HTTPMethods, RouteOptions } from 'fastify';
import { HttpError, sendProblem } from './problems.ts';

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Every pattern of an address there is, such as /schools/:id, and its routes. */
export type KnownAddresses = ReadonlyMap<string, readonly RouteOptions[]>;

/** Fills as routes are registered. Call before. */
export function collectAddresses(app: FastifyInstance): KnownAddresses {
  const addresses = new Map<string, RouteOptions[]>();
  app.addHook('onRoute', (route) => {
    addresses.set(route.url, [...(addresses.get(route.url) ?? []), route]);
  });
  return addresses;
}

/** An address that exists answers 405 with what it allows to every other method, instead of pretending not to exist. */
export function refuseOtherMethods(app: FastifyInstance, addresses: KnownAddresses): void {
  for (const [url, routes] of [...addresses]) {
    // Of /docs/, which comes with /docs, only HEAD is announced.
    const methods = new Set(routes.flatMap(({ method }) => (method === 'HEAD' ? ['GET', method] : method)));
    const others = METHODS.filter((method) => !methods.has(method));
    if (url.includes('*') || others.length === 0) continue;
    const allow = [...methods].join(', ');
    app.route({
      method: [...others],
      url,
      schema: { hide: true },
      // Where nothing needs a key, none has to be shown to be told that the method is wrong.
      config: { isRefusal: true, needsNoKey: routes.every(({ config }) => config?.scope === 'open') },
      // Before the body is looked at, which may be of any type and size.
      onRequest: (request, _reply, done) => {
        const detail = `${request.method} is not allowed here; allowed: ${allow}`;
        done(new HttpError('method_not_allowed', detail, { headers: { allow } }));
      },
      handler: () => undefined,
    });
  }
}

/** Before the body is looked at: what was sent to an address that does not exist is not worth reading. */
export function refuseUnknownAddresses(app: FastifyInstance, addresses: KnownAddresses): void {
  app.addHook('onRequest', (request, _reply, done) => {
    done(request.is404 || isSlashIgnored(request) ? notFound(request, addresses) : undefined);
  });
  app.setNotFoundHandler((request, reply) => {
    sendProblem(notFound(request, addresses), request, reply);
  });
}

/** To the router `/schools/` is a school with an empty id, which would be told that it is no number. */
function isSlashIgnored({ url, routeOptions }: FastifyRequest): boolean {
  return pathOf(url).endsWith('/') && !/[*/]$/.test(routeOptions.url ?? '/');
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function notFound({ url }: FastifyRequest, addresses: KnownAddresses): HttpError {
  const path = pathOf(url);
  const right = path.slice(0, -1);
  const isSlashTooMany = path.endsWith('/') && isKnown(right, addresses);
  const hint = isSlashTooMany ? `; there is at ${right}, without the slash at the end` : '';
  return new HttpError('route_not_found', `There is nothing at this address${hint}`);
}

function isKnown(path: string, addresses: KnownAddresses): boolean {
  const segments = path.split('/');
  return [...addresses.keys()].some((pattern) => {
    const parts = pattern.split('/');
    const fits = (part: string, index: number): boolean =>
      part === segments[index] || (part.startsWith(':') && segments[index] !== '');
    return parts.length === segments.length && parts.every(fits);
  });
}
