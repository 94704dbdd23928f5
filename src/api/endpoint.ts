import type { FastifyInstance } from 'fastify';
import { type Static, type TObject, type TProperties, type TSchema, Type } from 'typebox';
import type { Actor } from '../domain/access/actor.ts';
import type { CountMode, PageRequest } from '../domain/shared/page.ts';
import type { FinishedDocument, PrintOrder } from '../services/documents/document-service.ts';
import type { Language } from '../services/documents/locale.ts';
import type { DomainEvent, Outcome } from '../services/shared/events.ts';
import type { IdempotencyKey } from '../services/shared/idempotency.ts';
import type { Listing, Rows } from '../services/shared/listing.ts';
import { answerCreation, JSON_TYPE } from './edge/idempotency-key.ts';
import { leftSignal } from './edge/load/on-closed.ts';
import { creationDocs, LIST_HEADERS, writeDocs } from './openapi.ts';
import { type Answer, type Call, callOf, docsOfRead, type Operation, optionsOf, queryOf } from './operation.ts';
import { exportOf, type PersonalData } from './personal-data.ts';
import { type Format, formatOf, formatParameter, LIST_FORMATS } from './responses/content-negotiation.ts';
import { CSV_PARAMETERS, type CsvQuery, refuseDialect } from './responses/csv.ts';
import { sendTable } from './responses/files.ts';
import {
  type CursorShape,
  PAGE_PARAMETERS,
  type PageQuery,
  placeIn,
  readPageRequest,
  sendListing,
} from './responses/pagination.ts';
import { languageOf, languageParameter, sendPdf } from './responses/pdf.ts';
import { type Column, columnsOf, refusePaging, type Table } from './responses/table.ts';
import { DryRun, NoBody } from './schemas/common.ts';

type ListOf<P extends TSchema, Q extends TProperties, F> = Operation<P> &
  Readonly<{
    /** Who is given its files is kept. */
    personalData?: PersonalData<F>;
    row: TObject;
    /** Query parameters beside those that say which page. */
    query?: Q;
    /** What decides which rows there are, as JSON can hold it: cursors are bound to it. */
    filter: (call: Call<P, Static<TObject<Q>>>) => F;
    /** Types of a cursor's values: those of the columns the list is ordered by, or that name a row. */
    order: CursorShape | ((filter: F) => CursorShape);
    page: (actor: Actor, filter: F, page: PageRequest, count: CountMode) => Promise<Listing>;
    /** All of them, for files. */
    rows: (actor: Actor, filter: F) => Promise<Rows>;
    /** Of those files. Absent: those of `row`. */
    columns?: readonly Column[];
    /** The name of that file without day and ending. */
    fileName: (filter: F) => string;
  }>;

/** GET of a list: a page of it as a bare array, or all of it as a file. */
export function list<P extends TSchema, Q extends TProperties, F>(
  routes: FastifyInstance,
  path: string,
  {
    row,
    query,
    filter,
    order,
    page,
    rows,
    columns = columnsOf(row),
    fileName,
    personalData,
    ...operation
  }: ListOf<P, Q, F>,
): void {
  const answer = { schema: Type.Array(row), description: 'A page.', headers: LIST_HEADERS };
  const parameters = { ...query, ...PAGE_PARAMETERS, format: formatParameter(LIST_FORMATS), ...CSV_PARAMETERS };
  const docs = docsOfRead({ ...operation, personalData }, answer, LIST_FORMATS);

  routes.get(path, optionsOf(operation, { ...docs, ...queryOf(parameters) }), async (request, reply) => {
    const call = callOf<P, Static<TObject<Q>> & PageQuery & CsvQuery & { format?: ListFormat }>(request, reply);
    const asked = filter(call);
    const format = formatOf(request, reply, LIST_FORMATS, call.query.format);
    if (format !== 'json') {
      const table = async () => ({ name: fileName(asked), columns, rows: await rows(call.actor, asked) });
      return await sendTable(
        call,
        format,
        table,
        exportOf(personalData, { request, filter: asked, form: format }, parameters),
      );
    }
    refuseDialect(call.query);
    const place = placeIn(operation.id, asked, typeof order === 'function' ? order(asked) : order);
    const wanted = readPageRequest(call.query, place);
    const { count = 'exact' } = call.query;
    return sendListing(request, reply, await page(call.actor, asked, wanted, count), wanted, place);
  });
}

type ListFormat = (typeof LIST_FORMATS)[number];

type OneOf<P extends TSchema, Q extends TProperties> = Operation<P> &
  Readonly<{
    answer: Answer;
    query?: Q;
    /** Who is given its files is kept. */
    personalData?: PersonalData<undefined>;
    /** Has an ETag, and is 304 to who has that body already. */
    isConditional?: boolean;
    /** JSON as text, as a stream of text, or as an object; undefined when the client has it already. */
    json: (call: Call<P, Static<TObject<Q>>>) => Promise<string | object | undefined>;
    /** As CSV and as XLSX. */
    table?: (call: Call<P, Static<TObject<Q>>>) => Promise<Table>;
    /** Undefined when too many are being made. The language is null if none of ours was asked for. */
    pdf?: (call: Call<P, Static<TObject<Q>>>, order: PrintOrder) => Promise<FinishedDocument | undefined>;
    /** Its PDF shows a page of what there is, as its JSON does. */
    isPdfPaged?: boolean;
    /** It is a PDF unless something else is asked for. */
    isPdfFirst?: boolean;
  }>;

/** GET of one thing: a resource, a statement, a report; in as many forms as it is given for. */
export function one<P extends TSchema, Q extends TProperties>(
  routes: FastifyInstance,
  path: string,
  {
    answer,
    query,
    json,
    table,
    pdf,
    isConditional = false,
    isPdfPaged = false,
    isPdfFirst = false,
    personalData,
    ...operation
  }: OneOf<P, Q>,
): void {
  // The order in which they are liked when `Accept` likes them equally.
  const others: Format[] = [
    ...(table ? (['csv'] as const) : []),
    ...(pdf ? (['pdf'] as const) : []),
    ...(table ? (['xlsx'] as const) : []),
  ];
  const formats: readonly [Format, ...Format[]] = isPdfFirst ? ['pdf', 'json'] : ['json', ...others];
  const parameters = {
    ...query,
    ...(others.length > 0 ? { format: formatParameter(formats) } : {}),
    ...(table ? CSV_PARAMETERS : {}),
    ...(pdf ? { lang: languageParameter } : {}),
  };
  const documented = { ...operation, personalData };
  const docs = docsOfRead(documented, answer, others.length > 0 ? formats : undefined, isConditional);
  const config = { ...operation.config, isConditional };

  routes.get(path, optionsOf({ ...operation, config }, { ...docs, ...queryOf(parameters) }), async (request, reply) => {
    const call = callOf<P, Static<TObject<Q>> & CsvQuery & { format?: Format; lang?: Language }>(request, reply);
    const format = others.length > 0 ? formatOf(request, reply, formats, call.query.format) : 'json';
    const exported = () => exportOf(personalData, { request, filter: undefined, form: format }, parameters);
    if ((format === 'csv' || format === 'xlsx') && table)
      return await sendTable(call, format, async () => await table(call), exported());
    refuseDialect(call.query);
    if (format === 'pdf' && pdf) {
      if (!isPdfPaged) refusePaging(call.query);
      const language = languageOf(request, call.query.lang);
      const order = { caller: request.callerName, language, left: leftSignal(reply.raw) };
      return await sendPdf(call, await pdf(call, order), exported());
    }
    const body = await json(call);
    return body === undefined ? await reply.code(304).send() : await reply.type(JSON_TYPE).send(body);
  });
}

type CreateOf<P extends TSchema, B extends TSchema> = Operation<P> &
  Readonly<{
    answer: Answer;
    body: B;
    run: (call: Call<P, unknown, B>, key: IdempotencyKey | null) => Promise<Outcome<DomainEvent>>;
    /** Where what was made is found, below the prefix: `/payments/:id` with the `id` of the answer. */
    location: string | ((call: Call<P, unknown, B>) => string);
    /** With `?dry_run=true`: what would be made, as JSON text. Writes nothing. */
    preview?: Answer & Readonly<{ json: (call: Call<P, unknown, B>) => Promise<string> }>;
    /** 202 where it goes on after the answer. Absent: 201. */
    status?: 201 | 202;
  }>;

/** POST that makes something: once per `Idempotency-Key`. */
export function create<P extends TSchema, B extends TSchema>(
  routes: FastifyInstance,
  path: string,
  { answer, body, run, location, preview, status = 201, ...operation }: CreateOf<P, B>,
): void {
  const docs = creationDocs({
    ...operation,
    success: { status, ...answer },
    ...(preview === undefined ? {} : { preview }),
  });
  const query = queryOf(preview === undefined ? {} : { dry_run: DryRun });
  routes.post(path, optionsOf(operation, { ...docs, ...query, body }), async (request, reply) => {
    const call = callOf<P, { dry_run?: boolean }, B>(request, reply);
    if (preview !== undefined && call.query.dry_run === true) {
      return await reply.type(JSON_TYPE).send(await preview.json(call));
    }
    const address = `${routes.prefix}${typeof location === 'string' ? location : location(call)}`;
    return await answerCreation(request, reply.code(status), address, async (key) => await run(call, key));
  });
}

type ActOf<P extends TSchema, B extends TSchema> = Operation<P> &
  Readonly<{
    answer: Answer;
    body: B;
    /** JSON as text. */
    run: (call: Call<P, unknown, B>) => Promise<string>;
  }>;

/** POST that makes nothing that could be looked up: 200 and what came of it. */
export function act<P extends TSchema, B extends TSchema>(
  routes: FastifyInstance,
  path: string,
  { answer, body, run, ...operation }: ActOf<P, B>,
): void {
  const docs = writeDocs({ ...operation, success: { status: 200, ...answer } });
  routes.post(path, optionsOf(operation, { ...docs, body }), async (request, reply) => {
    return await reply.type(JSON_TYPE).send(await run(callOf<P, unknown, B>(request, reply)));
  });
}

type ChangeOf<P extends TSchema, B extends TSchema> = Operation<P> &
  Readonly<{
    answer: Answer;
    /** Absent: it takes none. */
    body?: B;
    run: (call: Call<P, unknown, B>) => Promise<Outcome<DomainEvent>>;
  }>;

/** PATCH: 200 and what there is afterwards. */
export function change<P extends TSchema, B extends TSchema>(
  routes: FastifyInstance,
  path: string,
  { answer, body, run, ...operation }: ChangeOf<P, B>,
): void {
  const docs = writeDocs({ ...operation, success: { status: 200, ...answer } });
  routes.patch(path, optionsOf(operation, { ...docs, body: body ?? NoBody }), async (request, reply) => {
    const outcome = await run(callOf<P, unknown, B>(request, reply));
    return await reply.type(JSON_TYPE).send(outcome.body);
  });
}

type RemoveOf<P extends TSchema, Q extends TProperties> = Operation<P> &
  Readonly<{
    /** What 204 means here, such as `Voided.` */
    answer: string;
    query?: Q;
    run: (call: Call<P, Static<TObject<Q>>>) => Promise<unknown>;
  }>;

/** DELETE: 204. */
export function remove<P extends TSchema, Q extends TProperties>(
  routes: FastifyInstance,
  path: string,
  { answer, query, run, ...operation }: RemoveOf<P, Q>,
): void {
  const docs = writeDocs({ ...operation, success: { status: 204, description: answer } });
  routes.delete(
    path,
    optionsOf(operation, { ...docs, ...queryOf({ ...query }), body: NoBody }),
    async (request, reply) => {
      await run(callOf<P, Static<TObject<Q>>>(request, reply));
      return await reply.code(204).send();
    },
  );
}
