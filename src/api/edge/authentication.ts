import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { type Actor, ANONYMOUS, rootActor } from '../../domain/access/actor.ts';
import type { ClientAddresses } from './load/client-address.ts';
import { HttpError } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Readable without a key even where reads need one: health, docs. */
    isOpen?: boolean;
    /** Needs the key even where reads are public. */
    isGuarded?: boolean;
    /** Answered without a key whatever the method: there is only a refusal to be had. */
    needsNoKey?: boolean;
  }
  interface FastifyRequest {
    /** Who asks, as far as the gate knows. */
    actor: Actor;
    /** Whose turn it is where callers take turns, see {@link callers}. */
    readonly callerName: string;
  }
}

const READS = new Set(['GET', 'HEAD']);
const PRINCIPAL_ID_LENGTH = 32;

/**
 * The one gate, which says who asks: every request that is not a read needs the key, also to addresses that do not exist, so that nothing
 * can be probed without it. Digests are compared, in constant time, so neither content nor length of the key leaks.
 */
export function authentication({ apiKey, readAccess }: { apiKey: string; readAccess: 'public' | 'key' }) {
  const expected = digest(apiKey);
  const root = rootActor(principalIdOf(expected));

  const hook: onRequestHookHandler = (request, _reply, done) => {
    const presented = request.headers['x-api-key'];
    const isRoot = isKey(presented, expected);
    request.actor = isRoot ? root : ANONYMOUS;
    if (isRoot || !needsKey(request, readAccess)) {
      done();
    } else if (typeof presented !== 'string' || presented === '') {
      done(new HttpError('api_key_missing', 'Missing API Key', { headers: { 'www-authenticate': 'ApiKey' } }));
    } else {
      done(new HttpError('api_key_invalid', 'Invalid API Key'));
    }
  };
  return hook;
}

/** Says whether the right key came along, for whoever must know before the gate. */
export function keyCheck({ apiKey }: { apiKey: string }): (headers: IncomingHttpHeaders) => boolean {
  const expected = digest(apiKey);
  return (headers) => isKey(headers['x-api-key'], expected);
}

/** Who is counted. `isKnown`: by the right key. */
export type Caller = Readonly<{ name: string; isKnown: boolean }>;

/**
 * Says who is asking, for whoever counts: the principal if the right key came along, needed or not, else the address. A
 * wrong key names nobody, or everybody could be somebody new with every request.
 */
export function callers(
  { apiKey }: { apiKey: string },
  addresses: ClientAddresses,
): (request: FastifyRequest) => Caller {
  const expected = digest(apiKey);
  const known: Caller = { name: `key ${expected.toString('hex')}`, isKnown: true };
  return ({ headers, raw }) =>
    isKey(headers['x-api-key'], expected) ? known : { name: addresses.of(raw), isKnown: false };
}

/** Lets every request say who asks. */
export function nameCallers(app: FastifyInstance, callerOf: (request: FastifyRequest) => Caller): void {
  app.decorateRequest('callerName', {
    getter(this: FastifyRequest) {
      return callerOf(this).name;
    },
  });
}

/**
 * The first hex digits of the key's digest: they name it without holding it. Idempotency keys are kept under them, so they
 * must not change while those live (docs/decisions/0038).
 */
function principalIdOf(keyDigest: Buffer): string {
  return keyDigest.toString('hex').slice(0, PRINCIPAL_ID_LENGTH);
}

function isKey(presented: string | string[] | undefined, expected: Buffer): boolean {
  return typeof presented === 'string' && timingSafeEqual(digest(presented), expected);
}

function needsKey(request: FastifyRequest, readAccess: 'public' | 'key'): boolean {
  const { isOpen = false, isGuarded = false, needsNoKey = false } = request.routeOptions.config;
  if (!READS.has(request.method)) return !needsNoKey;
  return isGuarded || (readAccess === 'key' && !isOpen);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
