import type { FastifyContextConfig, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify';
import { type Static, type TProperties, type TSchema, Type } from 'typebox';
import type { Actor } from '../domain/access/actor.ts';
import { type Access, isGuardedRead } from './edge/authorization.ts';
import type { ProblemCode } from './edge/problems.ts';
import { guardedReadDocs, readDocs } from './openapi.ts';
import type { PersonalData } from './personal-data.ts';
import type { Format } from './responses/content-negotiation.ts';
import { STRICT } from './schemas/common.ts';

/** A request that its schemas have let through, so its parts are what these say, and the answer that is being made. */
export type Call<P extends TSchema, Query, B extends TSchema = TSchema> = Readonly<{
  actor: Actor;
  params: Static<P>;
  query: Query;
  body: Static<B>;
  request: FastifyRequest;
  reply: FastifyReply;
}>;

export type Operation<P extends TSchema> = Readonly<{
  tag: string;
  /** `operationId`, which generated clients name their function after. Never changes. */
  id: string;
  summary: string;
  description?: string;
  /** What is needed to use it, see {@link Access}. */
  scope: Access;
  /** That scope is needed for all schools, those to come too: what it makes belongs to none of those there are. */
  needsAllSchools?: boolean;
  /** A family's link may use it, and sees of it what is the family's. */
  isForLinks?: boolean;
  /** Codes of the business it can refuse with. */
  refusals?: readonly ProblemCode[];
  /** Schema of what the path names. */
  params?: P;
  /** What the edge has to know of it, such as who may use it. */
  config?: FastifyContextConfig;
}>;

export type Answer = Readonly<{ schema: TSchema; description: string; headers?: object }>;

/** Documents a GET, which is behind a key or not by its scope. */
export function docsOfRead(
  operation: Operation<TSchema> & Readonly<{ personalData?: PersonalData<never> | undefined }>,
  answer: Answer,
  formats: readonly Format[] | undefined,
  isConditional = false,
) {
  const documented = {
    ...operation,
    ...(formats === undefined ? {} : { formats }),
    isConditional,
    success: { status: 200, ...answer },
  };
  const isGuarded = isGuardedRead({ method: 'GET', config: { scope: operation.scope } });
  return isGuarded ? guardedReadDocs(documented) : readDocs(documented);
}

export function queryOf(parameters: TProperties): { querystring?: TSchema } {
  return Object.keys(parameters).length === 0 ? {} : { querystring: Type.Object(parameters, STRICT) };
}

export function optionsOf(
  { config, params, scope, needsAllSchools = false, isForLinks = false }: Operation<TSchema>,
  schema: object,
): RouteShorthandOptions {
  return {
    schema: { ...schema, ...(params === undefined ? {} : { params }) },
    config: { ...config, scope, needsAllSchools, isForLinks },
  };
}

/** The one place that takes the validator's word for what a request holds. */
export function callOf<P extends TSchema, Query, B extends TSchema = TSchema>(
  request: FastifyRequest,
  reply: FastifyReply,
): Call<P, Query, B> {
  const { params, query, body } = request as Pick<Call<P, Query, B>, 'params' | 'query' | 'body'>;
  return { actor: request.actor, params, query, body, request, reply };
}
