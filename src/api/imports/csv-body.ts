import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { onClosed } from '../edge/load/on-closed.ts';
import { HttpError } from '../edge/problems.ts';

export const FILE_BYTES_MAX = 20 * 1024 * 1024;
/** Files that are held at once. More would need more memory than a process has for them. */
const FILES_MAX = 2;

/** A file as it was sent. What it holds is read again when a transaction is. */
export class CsvFile {
  /** Stands for the whole file wherever requests are compared. */
  readonly digest: string;
  readonly #chunks: readonly Buffer[];

  constructor(chunks: readonly Buffer[]) {
    const hash = createHash('sha256');
    for (const chunk of chunks) hash.update(chunk);
    this.digest = hash.digest('hex');
    this.#chunks = chunks;
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }
}

/**
 * Takes files of CSV, and nothing else, on the routes of `scoped`. A file is here as a whole before any of it is written:
 * a client that sends slowly holds no transaction open.
 */
export function acceptCsvOnly(scoped: FastifyInstance): void {
  let held = 0;
  scoped.addHook('preParsing', ({ headers }, reply, payload, done) => {
    // What is no file is refused without being read.
    if (!/^text\/csv\b/i.test(headers['content-type'] ?? '')) {
      done(null, payload);
      return;
    }
    if (held >= FILES_MAX) {
      done(new HttpError('overloaded', 'Other files are being imported'));
      return;
    }
    held += 1;
    onClosed(reply.raw, () => void held--);
    done(null, payload);
  });
  scoped.removeAllContentTypeParsers();
  scoped.addContentTypeParser('text/csv', async ({ headers }: FastifyRequest, payload: AsyncIterable<Buffer>) => {
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding.trim().toLowerCase() !== 'identity') {
      const more = { headers: { 'accept-encoding': 'identity' } };
      throw new HttpError('media_type_unsupported', 'The file must not be compressed (Content-Encoding)', more);
    }
    return await collect(payload, Number(headers['content-length'] ?? 0));
  });
  scoped.addContentTypeParser('*', (_request: FastifyRequest, _payload: unknown, done) =>
    done(new HttpError('media_type_unsupported', 'The body must be text/csv')),
  );
}

async function collect(payload: AsyncIterable<Buffer>, announced: number): Promise<CsvFile> {
  if (announced > FILE_BYTES_MAX) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of payload) {
    size += chunk.length;
    if (size > FILE_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return new CsvFile(chunks);
}

function tooLarge(): HttpError {
  return new HttpError('body_too_large', 'The file is larger than 20 MiB');
}

/** The file of a request; an empty one where none was sent. */
export function fileOf({ body }: FastifyRequest): CsvFile {
  return body instanceof CsvFile ? body : new CsvFile([]);
}
