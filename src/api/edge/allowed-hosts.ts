import type { FastifyInstance } from 'fastify';
import { isGuardedRead } from './authorization.ts';
import { HttpError } from './problems.ts';

/** Of a name that is none of ours, so much is told back: as long as a name can be. */
const SHOWN_MAX = 253;

/**
 * Answers only requests that were sent to one of these names (`Host`, its port left out). Otherwise a page on the web could
 * read a server that listens on loopback: its own name is made to lead to 127.0.0.1 once it is loaded (DNS rebinding), and
 * then the browser takes our answers for that page's own.
 *
 * Probes are answered under any name, because orchestrators ask by address and learn nothing that is worth hiding; so is
 * what is read with a key alone, which no such page has: Prometheus asks by address too.
 *
 * @param names lower case; null: all
 */
export function checkHost(app: FastifyInstance, names: readonly string[] | null): void {
  if (names === null) return;
  const allowed = new Set(names);
  app.addHook('onRequest', ({ headers, routeOptions }, _reply, done) => {
    const { host } = headers;
    const { isProbe = false } = routeOptions.config;
    // Only HTTP/1.0 may leave it out, which no browser speaks.
    const isAllowed = host === undefined || isProbe || isGuardedRead(routeOptions) || allowed.has(nameOf(host));
    done(isAllowed ? undefined : new HttpError('host_not_allowed', detailOf(host)));
  });
}

/** `[::1]:8000` is [::1], `LOCALHOST:8000` localhost. */
function nameOf(host: string): string {
  const colon = host.lastIndexOf(':');
  const isPort = colon > host.lastIndexOf(']');
  return (isPort ? host.slice(0, colon) : host).toLowerCase();
}

function detailOf(host: string): string {
  return `This server does not answer for ${nameOf(host).slice(0, SHOWN_MAX)}; ALLOWED_HOSTS names those it answers for`;
}
