import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Created, Creation, IdempotencyClaim } from '../../services/shared/idempotency.ts';
import { HttpError } from './problems.ts';

/** 1 to 255 visible ASCII characters. */
const KEY = /^[\x21-\x7e]{1,255}$/;

export const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Answers a POST with 201 and what was made, or, for a repeat under the same Idempotency-Key, with the bytes of the
 * first answer, and `Location`.
 *
 * @param how.toResponse the answer's body as an object
 * @param how.location an address in which `:name` stands for that member of the body
 * @throws HttpError `request_invalid` for a malformed key
 */
export async function answerCreation<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { toResponse, location }: Readonly<{ toResponse: (made: T) => object; location: string }>,
  create: (creation: Creation<T>) => Promise<Created<T>>,
): Promise<FastifyReply> {
  const created = await create({ claim: claimOf(request), present: (made) => JSON.stringify(toResponse(made)) });
  if (created.made === undefined) reply.header('idempotency-hit', 'true');
  return reply.code(201).header('location', fill(location, created.body)).type(JSON_TYPE).send(created.body);
}

function fill(location: string, body: string): string {
  const made: Readonly<Record<string, unknown>> = JSON.parse(body);
  return location.replace(/:(\w+)/g, (_, name: string) => String(made[name]));
}

function claimOf(request: FastifyRequest): IdempotencyClaim | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !KEY.test(key)) {
    const detail = 'must be 1 to 255 visible ASCII characters';
    throw new HttpError('request_invalid', `Idempotency-Key ${detail}`, {
      errors: [{ pointer: '#/idempotency-key', detail }],
    });
  }
  return { credential: request.credential, key, fingerprint: fingerprintOf(request) };
}

/** Method, route, path and body as parsed: spelling that JSON does not mean anything by (spaces, order) is no difference. */
function fingerprintOf({ method, routeOptions, url, body }: FastifyRequest): string {
  const parts = [method, routeOptions.url, url, sorted(body)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value ?? null;
  const entries = Object.entries(value).map(([name, member]): [string, unknown] => [name, sorted(member)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
