import { CellReader, type Columns, type Header, readHeader } from '../../domain/imports/cells.ts';
import { type ImportError, type ImportLine, type ImportResult, isError } from '../../domain/imports/import.ts';
import { DomainError } from '../../domain/shared/errors.ts';

/** Rows that are looked up and written together. */
const BATCH_ROWS = 500;
/** Errors that are told; how many there are in all is in the text. Who mends so many has made the file wrongly. */
const ERRORS_MAX = 10_000;

/** Lines of a file; called again when a transaction is. */
export type ImportSource = () => AsyncIterable<ImportLine>;

/** What came of a row. */
export type RowOutcome = 'created' | 'updated' | 'unchanged';

/** Of one run over a file: what is found wrong, and what comes of each row. */
export class ImportRun {
  readonly #errors: ImportError[] = [];
  readonly #wrongLines = new Set<number>();
  readonly #counts = { created: 0, updated: 0, unchanged: 0 };
  readonly #onProgress: (rows: number) => void;
  #errorCount = 0;
  #rows = 0;

  /** @param onProgress told how many rows were read, after each batch */
  constructor(onProgress: (rows: number) => void = () => undefined) {
    this.#onProgress = onProgress;
  }

  refuse(error: ImportError): void {
    this.#errorCount += 1;
    this.#wrongLines.add(error.line);
    if (this.#errors.length < ERRORS_MAX) this.#errors.push(error);
  }

  count(outcome: RowOutcome, rows = 1): void {
    this.#counts[outcome] += rows;
  }

  isWrong({ line }: { line: number }): boolean {
    return this.#wrongLines.has(line);
  }

  /**
   * Reads a file in batches of rows that have their right form.
   *
   * @param read what a row says; undefined where it says nothing that could be looked up
   * @param write looks a batch up and writes it
   */
  async over<Row extends { line: number }>(
    source: ImportSource,
    columns: Columns,
    read: (cells: CellReader) => Row | undefined,
    write: (rows: readonly Row[]) => Promise<void>,
  ): Promise<void> {
    let header: Header | undefined;
    let batch: Row[] = [];
    for await (const line of source()) {
      if (isError(line)) {
        if (header !== undefined) this.#rows += 1;
        this.refuse(line);
        continue;
      }
      if (header === undefined) {
        const found = readHeader(line, columns);
        if (Array.isArray(found)) {
          for (const error of found) this.refuse(error);
          return;
        }
        header = found;
        continue;
      }
      this.#rows += 1;
      const cells = new CellReader(header, line);
      const row = read(cells);
      for (const error of cells.errors) this.refuse(error);
      if (row !== undefined && cells.errors.length === 0) batch.push(row);
      if (batch.length < BATCH_ROWS) continue;
      await write(batch);
      batch = [];
      this.#onProgress(this.#rows);
    }
    if (header === undefined && this.#errorCount === 0) {
      this.refuse({ line: 1, column: null, code: 'csv_invalid', detail: 'the file is empty: it begins with a header' });
    }
    if (batch.length > 0) await write(batch);
  }

  result(): ImportResult {
    const errors = this.#errors.toSorted((a, b) => a.line - b.line);
    return { rows: this.#rows, ...this.#counts, errors };
  }

  /** @throws DomainError `import_invalid` when anything is wrong */
  assertRight(): void {
    if (this.#errorCount === 0) return;
    const { errors } = this.result();
    const told = errors.length < this.#errorCount ? `, of which ${errors.length} are told` : '';
    throw new DomainError(
      'import_invalid',
      `Nothing was written: the file has ${this.#errorCount} ${this.#errorCount === 1 ? 'error' : 'errors'}${told}`,
      // Places of their own: a pointer into the file would say no more.
      { errors: errors.map((error) => ({ pointer: '#', ...error })) },
    );
  }
}
