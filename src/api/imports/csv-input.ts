import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import { type CsvError, parse } from 'csv-parse';
import type { ImportLine } from '../../domain/imports/import.ts';

/** Of one record, in characters: more than all columns of a kind can hold. */
const RECORD_LENGTH_MAX = 20_000;
const LINE_FEED = 10;
const HEAD_LENGTH = 4_096;

/**
 * The records of a file as RFC 4180 has it, in UTF-8 with or without a byte order mark, with commas or semicolons, as its
 * first line has them. Records that cannot be read are errors in their place. Can be read again, as a transaction that is
 * repeated has to.
 */
export async function* readCsv(chunks: readonly Buffer[]): AsyncGenerator<ImportLine, void, undefined> {
  const broken = lineThatIsNotUtf8(chunks);
  if (broken !== undefined) {
    yield { line: broken, column: null, code: 'csv_invalid', detail: 'the file must be UTF-8' };
    return;
  }
  // The parser may stumble more than once over one record.
  const skipped = new Set<number>();
  const parser = Readable.from(chunks).pipe(
    parse({
      bom: true,
      delimiter: delimiterOf(chunks),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_error: true,
      max_record_size: RECORD_LENGTH_MAX,
      on_skip: (error) => void (error !== undefined && skipped.add(lineOf(error))),
    }),
  );
  for await (const { record, info } of parser) {
    yield* taken(skipped);
    yield { line: info.lines, cells: record };
  }
  yield* taken(skipped);
}

function taken(skipped: Set<number>): ImportLine[] {
  const errors = [...skipped].map(toError);
  skipped.clear();
  return errors;
}

function lineOf(error: CsvError): number {
  return typeof error['lines'] === 'number' ? error['lines'] : 1;
}

function toError(line: number): ImportLine {
  return { line, column: null, code: 'csv_invalid', detail: 'the quotes of this record are not as RFC 4180 has them' };
}

/** The one that the first line has more of. */
function delimiterOf([first = Buffer.alloc(0)]: readonly Buffer[]): ',' | ';' {
  const [head = ''] = first.toString('utf8', 0, HEAD_LENGTH).split('\n');
  return head.split(';').length > head.split(',').length ? ';' : ',';
}

/** The first line that is not UTF-8, from 1. */
function lineThatIsNotUtf8(chunks: readonly Buffer[]): number | undefined {
  const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  if (isUtf8(bytes)) return undefined;
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(LINE_FEED, from);
    const to = end === -1 ? bytes.length : end + 1;
    if (!isUtf8(bytes.subarray(from, to))) return line;
    from = to;
  }
  return line;
}
