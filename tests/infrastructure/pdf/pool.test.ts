import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import type { PrintedDocument } from '../../../src/domain/shared/ports.ts';
import { PdfPool, RenderFailed } from '../../../src/infrastructure/pdf/pool.ts';
import { DOCUMENT_LINES_MAX } from '../../../src/services/documents/lines.ts';
import { readPdf } from '../../support/pdf.ts';

let pool = new PdfPool();

afterEach(async () => await pool.close());

function aDocument(title: string, rowCount = 1): PrintedDocument {
  return {
    language: 'es-MX',
    paper: 'LETTER',
    title,
    subtitle: '',
    issuer: { name: 'Colegio', details: [] },
    party: null,
    facts: [],
    mark: null,
    tables: [
      {
        caption: null,
        columns: [{ label: 'Importe', kind: 'amount' }],
        rows: Array.from({ length: rowCount }, (_, index) => [`${index}.00`]),
        sums: null,
        emptyText: '',
      },
    ],
    totals: [],
    notes: [],
    footer: '',
    pageLabel: '{page}/{pages}',
    createdAt: new Date('2026-01-01T00:00:00Z'),
  };
}

async function titleOf(bytes: Uint8Array | undefined): Promise<string | undefined> {
  return bytes && (await readPdf(bytes)).title.trim();
}

/** A promise, and what settles it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('PdfPool', () => {
  test('gives each caller the document it asked for', async () => {
    pool = new PdfPool();
    const titles = Array.from({ length: 12 }, (_, index) => `Documento ${index}`);

    const drawn = await Promise.all(titles.map(async (title) => await pool.render(async () => aDocument(title))));

    expect(await Promise.all(drawn.map(titleOf))).toEqual(titles);
  });

  test('refuses at once when as many wait as may, and reads nothing for those who wait', async () => {
    pool = new PdfPool({ workersMax: 1, waitingMax: 1 });
    const { opened, open } = gate();
    const reads: string[] = [];
    const read = (title: string) => async () => {
      reads.push(title);
      await opened;
      return aDocument(title);
    };

    const first = pool.render(read('first'));
    const second = pool.render(read('second'));
    expect(await pool.render(read('third'))).toBeUndefined();
    expect(reads).toEqual(['first']);
    open();

    expect([await titleOf(await first), await titleOf(await second)]).toEqual(['first', 'second']);
    expect(await titleOf(await pool.render(read('fourth')))).toBe('fourth');
  });

  test('answers others while it draws: a long document keeps the thread free', async () => {
    pool = new PdfPool({ workersMax: 1 });
    await pool.render(async () => aDocument('warm'));
    let turns = 0;
    let isDrawn = false;

    const drawing = pool
      .render(async () => aDocument('long', 4_000))
      .finally(() => {
        isDrawn = true;
      });
    while (!isDrawn) {
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }

    expect((await drawing)?.length).toBeGreaterThan(10_000);
    // Drawn on this thread it would be a handful: one for each promise, and none while a page is drawn.
    expect(turns).toBeGreaterThan(100);
  });

  test('ends a worker that nobody has needed for a while, and starts another when somebody does', async () => {
    pool = new PdfPool({ workersMax: 1, idleMaxMs: 100 });
    const started = once(process, 'worker');
    await pool.render(async () => aDocument('first'));
    const [worker]: Worker[] = await started;
    if (worker === undefined) throw new Error('no worker was started');

    if (worker.threadId !== -1) await once(worker, 'exit');

    expect(await titleOf(await pool.render(async () => aDocument('second')))).toBe('second');
  });

  // Allowed is allowed: with pages kept until all are drawn it took more memory than a worker has.
  test('draws the longest document there may be, every cell of it full', { timeout: 60_000 }, async () => {
    pool = new PdfPool({ workersMax: 1 });
    const [table] = aDocument('').tables;
    if (table === undefined) throw new Error('a document has a table');
    const kinds = ['word', 'word', 'word', 'text', 'text', 'amount', 'amount', 'amount'] as const;
    const full = {
      ...table,
      columns: kinds.map((kind) => ({ label: 'x', kind })),
      rows: Array.from({ length: DOCUMENT_LINES_MAX }, (_, index) =>
        kinds.map((kind) => (kind === 'amount' ? `${9_999_999 - index}.00` : `Colegiatura ${index} `.repeat(40))),
      ),
    };

    const drawn = await pool.render(async () => ({ ...aDocument('long'), tables: [full] }));

    const [, pages] = /\/Count (\d+)/.exec(Buffer.from(drawn ?? []).toString('latin1')) ?? [];
    expect(Number(pages)).toBeGreaterThan(DOCUMENT_LINES_MAX / 40);
  });

  test('throws on what reading throws, and goes on', async () => {
    pool = new PdfPool({ workersMax: 1 });
    const failing = pool.render(async () => {
      throw new RangeError('no such account');
    });
    await expect(failing).rejects.toThrow('no such account');

    expect(await titleOf(await pool.render(async () => aDocument('next')))).toBe('next');
  });

  test('survives a document that cannot be drawn: the next one gets a new worker', async () => {
    pool = new PdfPool({ workersMax: 1 });
    const broken: PrintedDocument = JSON.parse('{"title":"x","subtitle":"","issuer":{"name":""},"paper":"NONE"}');

    await expect(pool.render(async () => broken)).rejects.toThrow(RenderFailed);

    expect(await titleOf(await pool.render(async () => aDocument('next')))).toBe('next');
  });

  test('closed, it refuses what waits and what comes', async () => {
    pool = new PdfPool({ workersMax: 1 });
    const { opened, open } = gate();
    const first = pool.render(async () => {
      await opened;
      return aDocument('first');
    });
    const second = pool.render(async () => aDocument('second'));

    await Promise.all([pool.close(), expect(second).rejects.toThrow(RenderFailed)]);
    await expect(pool.render(async () => aDocument('third'))).rejects.toThrow(RenderFailed);
    open();
    await expect(first).rejects.toThrow(RenderFailed);
  });
});
