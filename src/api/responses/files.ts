import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ExportedFile } from '../../services/access/export-service.ts';
import { onClosed } from '../edge/load/on-closed.ts';
import { MEDIA_TYPES } from './content-negotiation.ts';
import { CSV_TYPE, type CsvQuery, csvChunks, dialectOf, refuseDialect } from './csv.ts';
import { streamOf } from './streaming.ts';
import { fileName, refusePaging, type Table } from './table.ts';
import { xlsxChunks } from './xlsx.ts';

/** A table as a stream of what its file holds. The first chunk comes once the first rows are read. */
type Form = Readonly<{
  type: string;
  ending: string;
  body: 'text' | 'bytes';
  chunks: (table: Table) => AsyncGenerator<string | Uint8Array, void, undefined>;
}>;

/**
 * Sends all rows as a file to save.
 *
 * @param exported what is kept of it before it is sent, if it is an export of personal data
 * @throws HttpError `request_invalid` when a part of the rows is asked for, or something that is of another form
 * @throws HttpError `overloaded` when the caller has as many long answers as they may
 */
export async function sendTable(
  { request, reply, query }: Readonly<{ request: FastifyRequest; reply: FastifyReply; query: CsvQuery }>,
  format: 'csv' | 'xlsx',
  open: () => Promise<Table>,
  exported?: ExportedFile,
): Promise<FastifyReply> {
  refusePaging(query);
  if (format === 'xlsx') refuseDialect(query);
  const form: Form =
    format === 'csv'
      ? { type: CSV_TYPE, ending: 'csv', body: 'text', chunks: (table) => csvChunks(table, dialectOf(query)) }
      : { type: MEDIA_TYPES.xlsx, ending: 'xlsx', body: 'bytes', chunks: xlsxChunks };
  return await sendFile(request, reply, form, { open, exported });
}

/**
 * Streams rows as a file to save. The first rows are read before anything is sent, so that what goes wrong with the
 * query is still a problem document; what goes wrong later cuts the answer off, which no client takes for its end.
 */
async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, ending, body, chunks: write }: Form,
  { open, exported }: Readonly<{ open: () => Promise<Table>; exported: ExportedFile | undefined }>,
): Promise<FastifyReply> {
  await request.beginLongAnswer(reply);
  const table = await open();
  const chunks = write(table);
  // Whoever leaves before there is a stream must end the query too: the first rows are those that take longest.
  const leave = (): void => void table.rows.batches.return().catch(() => undefined);
  onClosed(reply.raw, leave);
  const first = await chunks.next().catch((error: unknown) => {
    if (reply.raw.destroyed) return undefined;
    throw error;
  });
  if (first === undefined) return reply.hijack();
  // Where it cannot be, the rows end with the answer.
  if (exported !== undefined) await request.keepExport(exported);
  if (table.headers !== undefined) reply.headers(table.headers);
  reply.type(type).header('content-disposition', `attachment; filename="${fileName(table, ending)}"`);
  if (request.method === 'HEAD') {
    await Promise.all([table.rows.batches.return(), chunks.return()]);
    // A stream, so that no length is told: nobody knows it before the rows were read.
    return await reply.send(Readable.from([]));
  }
  const source = {
    async return(): Promise<unknown> {
      // Not waited for: what it waits for itself ends with the rows.
      chunks.return().catch(() => undefined);
      return await table.rows.batches.return();
    },
  };
  return await reply.send(streamOf(resumed(first, chunks), source, body));
}

async function* resumed<T>(
  first: IteratorResult<T, void>,
  rest: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  if (first.done !== true) yield first.value;
  yield* rest;
}
