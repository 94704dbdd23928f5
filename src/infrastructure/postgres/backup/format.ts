import { createHash, type Hash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { quoted, type Sequence } from './catalogue.ts';
import { BackupError } from './errors.ts';

/**
 * A backup is a gzip file of lines that psql understands too:
 *
 *     -- mattilda-billing backup 1
 *     -- {"made_at":…,"version":…,"postgres":18,"migrations":[{"name":…,"digest":…},…],"tables":[{"name":…,"columns":[…]},…]}
 *     COPY "schools" ("id","name",…) FROM stdin;
 *     1	Colegio	…
 *     \.
 *     …
 *     SELECT setval('"schools_id_seq"', 50, true);
 *     …
 *     -- end {"rows":{"schools":50,…},"sha256":…}
 *
 * The digest is of every byte before the last line. Two numbers say what can be read: that of the format in the first
 * line, and the migrations in the second.
 */
export const FORMAT = 1;

const TITLE = '-- mattilda-billing backup ';
const END = '-- end ';
const ROWS_END = Buffer.from('\\.\n');
const NEWLINE = 0x0a;
/** The head names every column of every table; it is the longest line. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

export type Head = Readonly<{
  /** ISO 8601: the rows are those of this moment. */
  made_at: string;
  /** Of the product. */
  version: string;
  /** Major version of PostgreSQL. */
  postgres: number;
  /** In the order they are applied in. */
  migrations: readonly Readonly<{ name: string; digest: string }>[];
  /** In the order they are filled in. */
  tables: readonly Readonly<{ name: string; columns: readonly string[] }>[];
}>;

export type End = Readonly<{ rows: Readonly<Record<string, number>>; sha256: string }>;

export function headLines(head: Head): string {
  return `${TITLE}${FORMAT}\n-- ${JSON.stringify(head)}\n`;
}

export function copyLine({ name, columns }: Head['tables'][number]): string {
  return `COPY ${quoted(name)} (${columns.map(quoted).join(', ')}) FROM stdin;\n`;
}

export function rowsEnd(): Buffer {
  return ROWS_END;
}

export function sequenceLine({ name, value, isCalled }: Sequence): string {
  return `SELECT setval('${quoted(name)}', ${value}, ${isCalled});\n`;
}

export function endLine(end: End): string {
  return `${END}${JSON.stringify(end)}\n`;
}

/** How many rows lie in a piece of COPY's text: a newline within a value is written as \n there. */
export function countRows(piece: Buffer): number {
  let rows = 0;
  for (let at = piece.indexOf(NEWLINE); at !== -1; at = piece.indexOf(NEWLINE, at + 1)) rows += 1;
  return rows;
}

/** Reads a backup from its beginning to its end, no more of it in memory than a few pieces. */
export class BackupReader {
  readonly head: Head;
  readonly #lines: LineReader;

  static async open(path: string): Promise<BackupReader> {
    const lines = new LineReader(path);
    try {
      const title = await lines.next();
      const format = title.startsWith(TITLE) ? title.slice(TITLE.length) : undefined;
      if (format === undefined) throw new BackupError(`${path} is no backup of mattilda-billing.`);
      if (format !== String(FORMAT)) {
        throw new BackupError(
          `${path} has format ${format}, and this version reads ${FORMAT}: it was made by a newer one. Restore it with that.`,
        );
      }
      return new BackupReader(toHead(path, parse(path, await lines.next(), '-- ')), lines);
    } catch (error) {
      lines.close();
      throw error;
    }
  }

  private constructor(head: Head, lines: LineReader) {
    this.head = head;
    this.#lines = lines;
  }

  /** Bytes of the file read so far. */
  get bytesRead(): number {
    return this.#lines.bytesRead;
  }

  /** The rows of the next table, as COPY takes them; whole lines in each piece. @throws BackupError when another is next */
  async *rows(table: Head['tables'][number]): AsyncGenerator<Buffer, void, undefined> {
    if (`${await this.#lines.next()}\n` !== copyLine(table)) throw this.#lines.damaged();
    yield* this.#lines.rows();
  }

  /** What follows the last table. @throws BackupError when a byte of the file is another than was written */
  async sequences(): Promise<readonly Sequence[]> {
    const sequences: Sequence[] = [];
    for (;;) {
      const digest = this.#lines.digest();
      const line = await this.#lines.next();
      if (!line.startsWith(END)) {
        const [, name, value, isCalled] = /^SELECT setval\('"(\w+)"', (\d+), (true|false)\);$/.exec(line) ?? [];
        if (name === undefined || value === undefined) throw this.#lines.damaged();
        sequences.push({ name, value, isCalled: isCalled === 'true' });
        continue;
      }
      const end = parse(this.#lines.path, line, END);
      if (end['sha256'] !== digest || !(await this.#lines.isAtEnd())) throw this.#lines.damaged();
      return sequences;
    }
  }

  close(): void {
    this.#lines.close();
  }
}

function parse(path: string, line: string, prefix: string): Record<string, unknown> {
  try {
    if (!line.startsWith(prefix)) throw new SyntaxError('another line was expected');
    return Object(JSON.parse(line.slice(prefix.length)));
  } catch (error) {
    throw new BackupError(`${path} is damaged.`, { cause: error });
  }
}

/** What it names is compared with what there is before anything is made of it. */
function toHead(path: string, said: Record<string, unknown>): Head {
  const isText = (value: unknown): value is string => typeof value === 'string';
  const objects = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map(Object) : []);
  const migrations = objects(said['migrations']).map(({ name, digest }) => ({ name, digest }));
  const tables = objects(said['tables']).map(({ name, columns }) => ({ name, columns }));
  const { made_at, version, postgres } = said;
  if (
    isText(made_at) &&
    isText(version) &&
    typeof postgres === 'number' &&
    migrations.length > 0 &&
    migrations.every((one): one is Head['migrations'][number] => isText(one.name) && isText(one.digest)) &&
    tables.every(
      (one): one is Head['tables'][number] =>
        isText(one.name) && Array.isArray(one.columns) && one.columns.every((column) => isText(column)),
    )
  ) {
    return { made_at, version, postgres, migrations, tables };
  }
  throw new BackupError(`${path} is damaged.`);
}

class LineReader {
  readonly path: string;
  readonly #file: ReadStream;
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #hash: Hash = createHash('sha256');
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.path = path;
    this.#file = createReadStream(path);
    const text = createGunzip();
    // Whoever reads `text` is told of what goes wrong in either.
    pipeline(this.#file, text, () => undefined);
    this.#pieces = text[Symbol.asyncIterator]();
  }

  get bytesRead(): number {
    return this.#file.bytesRead;
  }

  /** SHA-256, in hex, of what was taken so far. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  async next(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(NEWLINE);
      if (end !== -1) return this.#take(end + 1).toString('utf8', 0, end);
      if (this.#rest.length > LINE_BYTES_MAX || !(await this.#more())) throw this.damaged();
    }
  }

  async *rows(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      // Between two pieces there is always the beginning of a line.
      if (this.#rest.subarray(0, ROWS_END.length).equals(ROWS_END)) {
        this.#take(ROWS_END.length);
        return;
      }
      const end = this.#rest.indexOf('\n\\.\n');
      const length = end === -1 ? this.#rest.lastIndexOf(NEWLINE) + 1 : end + 1;
      if (length > 0) yield this.#take(length);
      else if (!(await this.#more())) throw this.damaged();
    }
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && !(await this.#more());
  }

  close(): void {
    this.#file.destroy();
  }

  damaged(cause?: unknown): BackupError {
    return new BackupError(`${this.path} is damaged, or was cut short. Nothing was restored from it.`, { cause });
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    this.#hash.update(taken);
    return taken;
  }

  async #more(): Promise<boolean> {
    try {
      const { value, done } = await this.#pieces.next();
      if (done === true) return false;
      this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
      return true;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (/^Z_|^ERR_/.test(code)) throw this.damaged(error);
      throw new BackupError(`${this.path} cannot be read: ${error instanceof Error ? error.message : code}`, {
        cause: error,
      });
    }
  }
}
