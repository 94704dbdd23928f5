import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DomainEvent, Outcome } from '../../services/shared/events.ts';
import type { IdempotencyKey } from '../../services/shared/idempotency.ts';
import { HttpError } from './problems.ts';

/** 1 to 255 visible ASCII characters. */
const KEY = /^[\x21-\x7e]{1,255}$/;

export const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Answers a POST with the reply's status and what was made, or, for a repeat under the same Idempotency-Key, with the bytes of the
 * first answer, and `Location`.
 *
 * @param location an address in which `:name` stands for that member of the body
 * @throws HttpError `request_invalid` for a malformed key
 */
export async function answerCreation(
  request: FastifyRequest,
  reply: FastifyReply,
  location: string,
  create: (key: IdempotencyKey | null) => Promise<Outcome<DomainEvent>>,
): Promise<FastifyReply> {
  const { body, event } = await create(keyOf(request));
  if (event === undefined) reply.header('idempotency-hit', 'true');
  return reply.header('location', fill(location, body)).type(JSON_TYPE).send(body);
}

/** Answers a POST that makes nothing with an address of its own: 200 and what came of it, the same for a repeat. */
export async function answerAction(
  request: FastifyRequest,
  reply: FastifyReply,
  run: (key: IdempotencyKey | null) => Promise<Outcome<DomainEvent>>,
): Promise<FastifyReply> {
  const key = keyOf(request);
  const { body, event } = await run(key);
  if (event === undefined && key !== null) reply.header('idempotency-hit', 'true');
  return reply.code(200).type(JSON_TYPE).send(body);
}

function fill(location: string, body: string): string {
  const made: Readonly<Record<string, unknown>> = JSON.parse(body);
  return location.replace(/:(\w+)/g, (_, name: string) => String(made[name]));
}

function keyOf(request: FastifyRequest): IdempotencyKey | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !KEY.test(key)) {
    const detail = 'must be 1 to 255 visible ASCII characters';
    throw new HttpError('request_invalid', `Idempotency-Key ${detail}`, {
      errors: [{ pointer: '#/idempotency-key', detail }],
    });
  }
  return { key, fingerprint: fingerprintOf(request) };
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
