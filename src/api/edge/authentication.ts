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

/**
 * What a request's credentials show: a principal, by what it was granted; `nobody` without any; `unknown` with a key that is
 * none.
 */
export type Identity = Readonly<{ grants: readonly [Actor, ...Actor[]] }> | 'nobody' | 'unknown';

/**
 * Says who asks, and refuses nobody. Digests are compared, in constant time, so neither content nor length of the key leaks.
 */
export function authentication({ apiKey }: { apiKey: string }): onRequestHookHandler {
  const expected = digest(apiKey);
  const root: Identity = { grants: [rootActor(principalIdOf(expected))] };

  return (request, _reply, done) => {
    const presented = request.headers['x-api-key'];
    if (isKey(presented, expected)) request.identity = root;
    else request.identity = typeof presented !== 'string' || presented === '' ? 'nobody' : 'unknown';
    done();
  };
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
