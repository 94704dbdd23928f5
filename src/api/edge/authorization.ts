import type { FastifyContextConfig, FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify';
import { type Actor, ANONYMOUS, actorFor, hasScope } from '../../domain/access/actor.ts';
import { isScope, type Scope } from '../../domain/access/scopes.ts';
import type { ClientAddresses } from './load/client-address.ts';
import { HttpError } from './problems.ts';
import { RateWindows } from './rate-limit.ts';
import type { KnownAddresses } from './unknown-addresses.ts';

/**
 * What somebody needs to use a route: a scope; `principal`, to be somebody, whatever they may do; `root`, the API key of
 * the environment; `open`, nothing.
 */
export type Access = Scope | 'principal' | 'root' | 'open';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Absent where there is only a refusal to be had: an address that does not exist, a method that is not allowed. */
    scope?: Access;
    /** The scope is needed for all schools, those to come too. */
    needsAllSchools?: boolean;
    /** A family's link may use it. Absent: it may not, whatever its scopes are. */
    isForLinks?: boolean;
    /** Nothing but a refusal, of whatever is asked. */
    isRefusal?: boolean;
    /** The same for who has no key, whatever the method. */
    needsNoKey?: boolean;
  }
  interface FastifyRequest {
    /** Who asks, as far as it concerns the route: with the schools in which they have its scope. */
    actor: Actor;
  }
}

/** In a minute, of one address. */
const WRONG_KEYS_MAX = 49;

type AuthorizationOptions = Readonly<{
  readAccess: 'public' | 'key';
  addresses: ClientAddresses;
  onLimited(): void;
}>;

const READS: ReadonlySet<unknown> = new Set(['GET', 'HEAD']);

/**
 * The gate, behind whatever says who asks: decides from the declaration of the route alone whether they may use it, before
 * anything is looked up. Every request that is not a read needs a key, also to addresses that do not exist, so that nothing
 * can be probed without it.
 */
export function authorization({ readAccess, addresses, onLimited }: AuthorizationOptions): onRequestHookHandler {
  const wrongKeys = new RateWindows();
  /** Counts the keys that are none, so that nobody can try many: a right one never waits. */
  const wrongKey = ({ raw }: FastifyRequest): HttpError => {
    const { count, resetInMs } = wrongKeys.count(addresses.of(raw), performance.now());
    if (count <= WRONG_KEYS_MAX) return new HttpError('api_key_invalid', 'Invalid API Key');
    onLimited();
    const headers = { 'retry-after': String(Math.ceil(resetInMs / 1_000)) };
    return new HttpError('rate_limited', 'Too many wrong keys from this address in a minute', { headers });
  };
  return (request, _reply, done) => {
    const { config } = request.routeOptions;
    const asks = (actor: Actor): void => {
      request.actor = { ...actor, requestId: request.id };
    };
    if (isOpen(request)) {
      asks(ANONYMOUS);
      done();
    } else if (typeof request.identity === 'string') {
      // One that is revoked must not see more than it did before.
      const mayRead =
        request.identity !== 'invalid' && readAccess === 'public' && READS.has(request.method) && isForAnybody(config);
      asks(ANONYMOUS);
      done(mayRead ? undefined : request.identity === 'nobody' ? keyMissing() : wrongKey(request));
    } else {
      const actor = actorOf(request.identity.grants, config);
      if (actor === undefined) done(scopeMissing(config));
      else {
        asks(actor);
        done();
      }
    }
  };
}

/** Whether a read of the route needs a key whatever READ_ACCESS says: health, documentation and most of the API do not. */
export function isGuardedRead({ method, config }: Pick<RouteOptions, 'method' | 'config'>): boolean {
  return READS.has(method) && config?.scope !== 'open' && !isForAnybody(config ?? {});
}

/**
 * A route that does not say what it needs would be open to whoever has any key at all, so there is none.
 *
 * @throws Error that names the route
 */
export function requireScopes(addresses: KnownAddresses): void {
  for (const { method, url, config } of [...addresses.values()].flat()) {
    if (config?.scope === undefined && config?.isRefusal !== true) {
      throw new Error(`${String(method)} ${url} does not say what is needed to use it: config.scope`);
    }
  }
}

function isOpen({ method, routeOptions: { config } }: FastifyRequest): boolean {
  return config.scope === 'open' || (config.needsNoKey === true && !READS.has(method));
}

function isForAnybody({ scope }: FastifyContextConfig): boolean {
  return scope === undefined || (isScope(scope) && hasScope(ANONYMOUS, scope));
}

function keyMissing(): HttpError {
  return new HttpError('api_key_missing', 'Missing API Key', { headers: { 'www-authenticate': 'ApiKey' } });
}

function actorOf(
  grants: readonly [Actor, ...Actor[]],
  { scope, needsAllSchools = false, isForLinks = false }: FastifyContextConfig,
): Actor | undefined {
  const [first] = grants;
  // Where there is nothing but a refusal to be had, it is the same one for all.
  if (first.kind === 'link' && !isForLinks && scope !== undefined) return undefined;
  if (scope === 'root') return first.kind === 'root' ? first : undefined;
  if (scope === undefined || !isScope(scope)) return first;
  return actorFor(needsAllSchools ? grants.filter(({ schools }) => schools === 'all') : grants, scope);
}

function scopeMissing({ scope = 'root', needsAllSchools = false }: FastifyContextConfig): HttpError {
  if (scope === 'root') return new HttpError('scope_missing', 'This needs the API key of the environment');
  const where = needsAllSchools ? ' for all schools' : '';
  return new HttpError('scope_missing', `This needs the scope ${scope}${where}, which the key does not have`);
}
