import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { type Actor, rootActor } from '../../domain/access/actor.ts';
import type { ClientAddresses } from './load/client-address.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, whatever the request is for. */
    identity: Identity;
    /** Whose turn it is where callers take turns, see {@link callers}. */
    readonly callerName: string;
  }
}

const PRINCIPAL_ID_LENGTH = 32;

/** A principal by what it was granted, and what people call it. */
export type Principal = Readonly<{ name: string; grants: readonly [Actor, ...Actor[]] }>;

/**
 * What a request's credentials show: a principal; `nobody` without any; `unknown` with a key that is none; `invalid` with one
 * that was or claims to be one of ours, and is none now.
 */
export type Identity = Principal | 'nobody' | 'unknown' | 'invalid';

/** Keys that are rows. */
export interface ApiKeys {
  /** At once where it is known. Undefined for what is no key, or none any more. */
  verify(text: string): VerifiedKey | undefined | Promise<VerifiedKey | undefined>;
  /** The key as far as it is known without asking. */
  known(text: string): VerifiedKey | undefined;
}

type VerifiedKey = Readonly<{ name: string; actor: Actor }>;

/** How keys that are rows begin. */
const KEY_PREFIX = 'mtl_';

/**
 * Says who asks, and refuses nobody. Digests are compared, in constant time, so neither content nor length of the key of the
 * environment leaks. Nothing is looked up for what is open to everybody.
 */
export function authentication({ apiKey }: { apiKey: string }, apiKeys: ApiKeys): onRequestHookHandler {
  const expected = digest(apiKey);
  const root: Identity = { name: 'API_KEY', grants: [rootActor(principalIdOf(expected))] };

  return (request, _reply, done) => {
    const presented = request.headers['x-api-key'];
    const { scope } = request.routeOptions.config;
    const identify = (identity: Identity): void => {
      request.identity = identity;
      done();
    };
    if (typeof presented !== 'string' || presented === '') identify('nobody');
    else if (isKey(presented, expected)) identify(root);
    else if (!presented.startsWith(KEY_PREFIX) || scope === 'open') identify('unknown');
    else {
      const verified = apiKeys.verify(presented);
      if (!(verified instanceof Promise)) identify(toIdentity(verified));
      else verified.then((key) => identify(toIdentity(key)), done);
    }
  };
}

function toIdentity(key: VerifiedKey | undefined): Identity {
  return key === undefined ? 'invalid' : { name: key.name, grants: [key.actor] };
}

/** Says whether a right key came along, as far as that is known at once: for whoever must know before the gate. */
export function keyCheck({ apiKey }: { apiKey: string }, apiKeys: ApiKeys): (headers: IncomingHttpHeaders) => boolean {
  const expected = digest(apiKey);
  return ({ 'x-api-key': presented }) =>
    isKey(presented, expected) ||
    (typeof presented === 'string' && presented.startsWith(KEY_PREFIX) && apiKeys.known(presented) !== undefined);
}

/** Who is counted. `isKnown`: by the right key. */
export type Caller = Readonly<{ name: string; isKnown: boolean }>;

/**
 * Says who is asking, for whoever counts: the principal if the right key came along, needed or not, else the address. A
 * wrong key names nobody, or everybody could be somebody new with every request.
 */
export function callers(addresses: ClientAddresses): (request: FastifyRequest) => Caller {
  return ({ identity, raw }) =>
    typeof identity === 'object'
      ? { name: `principal ${identity.grants[0].principalId}`, isKnown: true }
      : { name: addresses.of(raw), isKnown: false };
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

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
