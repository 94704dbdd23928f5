import type { FastifyInstance, RouteShorthandOptions } from 'fastify';
import type { Static, TObject, TProperties, TSchema } from 'typebox';
import type { DomainEvent, Outcome } from '../services/shared/events.ts';
import type { IdempotencyKey } from '../services/shared/idempotency.ts';
import { answerAction } from './edge/idempotency-key.ts';
import { compileValidator } from './edge/validation.ts';
import { actionDocs } from './openapi.ts';
import { type Answer, type Call, callOf, type Operation, optionsOf, queryOf } from './operation.ts';
import { NoBody } from './schemas/common.ts';

type ActionOf<P extends TSchema, Q extends TProperties, B extends TSchema> = Operation<P> &
  Readonly<{
    answer: Answer;
    query?: Q;
    body?: B;
    /** What is sent is a file of that type, which the routes' own parser takes, and no JSON. */
    file?: Readonly<{ mediaType: string; bytesMax: number }>;
    run: (call: Call<P, Static<TObject<Q>>, B>, key: IdempotencyKey | null) => Promise<Outcome<DomainEvent>>;
  }>;

/** POST that does something with what is there: 200, once per `Idempotency-Key`. */
export function action<P extends TSchema, Q extends TProperties, B extends TSchema>(
  routes: FastifyInstance,
  path: string,
  { answer, query, body, file, run, ...operation }: ActionOf<P, Q, B>,
): void {
  const docs = actionDocs({ ...operation, success: { status: 200, ...answer } });
  const sent = file === undefined ? { body: body ?? NoBody } : { body: fileBody(file.mediaType) };
  const options = optionsOf(operation, { ...docs, ...queryOf({ ...query }), ...sent });
  routes.post(path, file === undefined ? options : { ...options, ...fileOptions(file) }, async (request, reply) => {
    const call = callOf<P, Static<TObject<Q>>, B>(request, reply);
    return await answerAction(request, reply, async (key) => await run(call, key));
  });
}

function fileBody(mediaType: string): object {
  return { content: { [mediaType]: { schema: { type: 'string' } } } };
}

/** A file is looked at by whoever reads it. */
function fileOptions({ bytesMax }: { bytesMax: number }): RouteShorthandOptions {
  return {
    bodyLimit: bytesMax,
    validatorCompiler: (part) => (part.httpPart === 'body' ? () => true : compileValidator(part)),
  };
}
