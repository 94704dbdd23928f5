import { PassThrough, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { constants } from 'node:zlib';
import { ZipFile } from 'yazl';
import type { Rows } from '../../services/shared/listing.ts';
import type { Column, Table } from './table.ts';
import { packageParts, SHEET_END, sheetBegin, sheetPath, sheetRow } from './xlsx-parts.ts';

/** A sheet has 1,048,576 rows, the first of which is the head. What there is beyond them stands in the next sheet. */
export const SHEET_ROWS_MAX = 1_048_575;

/** As answers are compressed: the slowest level would save another eighth of the size for three times the time. */
const COMPRESSION = { compressionLevel: constants.Z_BEST_SPEED };

/**
 * A table as XLSX (docs/decisions/0044), in chunks as they are asked for, whatever its size. The first rows are read before
 * anything is written. Leaving the loop early ends the writing, and does not close the rows.
 */
export async function* xlsxChunks(
  { name, columns, rows }: Table,
  rowsMax = SHEET_ROWS_MAX,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new RowReader(rows);
  await reader.hasMore();
  const output = new PassThrough();
  const zip = new ZipFile();
  zip.on('error', (error) => output.destroy(error instanceof Error ? error : new Error(String(error))));
  zip.outputStream.pipe(output);
  const writing = new AbortController();
  const sheets = async function* (): AsyncGenerator<Readable, void, undefined> {
    do yield Readable.from(sheetOf(columns, reader, rowsMax), { signal: writing.signal });
    while (await reader.hasMore());
  };
  fill(zip, { name, sheets: sheets() }).catch((error: unknown) => {
    output.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const chunk of output) yield chunk;
  } finally {
    writing.abort();
  }
}

/** Writes sheet after sheet, and at the end what is known only then: how many there are. */
async function fill(
  zip: ZipFile,
  { name, sheets }: Readonly<{ name: string; sheets: AsyncIterable<Readable> }>,
): Promise<void> {
  let count = 0;
  for await (const sheet of sheets) {
    count++;
    zip.addReadStream(sheet, sheetPath(count), COMPRESSION);
    await finished(sheet);
  }
  for (const [path, text] of packageParts(name, count)) zip.addBuffer(Buffer.from(text), path, COMPRESSION);
  zip.end();
}

async function* sheetOf(
  columns: readonly Column[],
  reader: RowReader,
  rowsMax: number,
): AsyncGenerator<string, void, undefined> {
  yield sheetBegin(columns);
  // The first row is the head.
  let place = 1;
  while (place <= rowsMax && (await reader.hasMore())) {
    const some = reader.take(rowsMax - place + 1);
    yield some.map((json) => sheetRow(columns, JSON.parse(json), ++place)).join('');
  }
  yield SHEET_END;
}

/** Gives rows in pieces of other sizes than they come in. */
class RowReader {
  readonly #batches: Rows['batches'];
  #here: readonly string[] = [];

  constructor({ batches }: Rows) {
    this.#batches = batches;
  }

  async hasMore(): Promise<boolean> {
    while (this.#here.length === 0) {
      const { done, value } = await this.#batches.next();
      if (done === true) return false;
      this.#here = value;
    }
    return true;
  }

  /** Those that are here, at most `max`. */
  take(max: number): readonly string[] {
    const some = this.#here.slice(0, max);
    this.#here = this.#here.slice(max);
    return some;
  }
}
