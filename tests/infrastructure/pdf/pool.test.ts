import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import type { PrintedDocument } from '../../../src/domain/shared/ports.ts';
import { PdfPool, RenderFailed, SHORT_LINES_MAX } from '../../../src/infrastructure/pdf/pool.ts';
import { DOCUMENT_LINES_MAX } from '../../../src/services/documents/lines.ts';
import { readPdf } from '../../support/pdf.ts';

let pool = new PdfPool();

const LONG = { caller: 'somebody', lines: SHORT_LINES_MAX + 1 };

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
    body: [],
    instructions: null,
    signature: null,
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

    const drawn = await Promise.all(titles.map(async (title) => await pool.render(LONG, async () => aDocument(title))));

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

    const first = pool.render(LONG, read('first'));
    const second = pool.render(LONG, read('second'));
    expect(await pool.render(LONG, read('third'))).toBeUndefined();
    expect(reads).toEqual(['first']);
    open();

    expect([await titleOf(await first), await titleOf(await second)]).toEqual(['first', 'second']);
    expect(await titleOf(await pool.render(LONG, read('fourth')))).toBe('fourth');
  });

  test('what nobody waits for any more is neither read nor drawn, and a long one is not drawn to its end', async () => {
    pool = new PdfPool({ workersMax: 1 });
    const { opened, open } = gate();
    const reads: string[] = [];
    const left = [new AbortController(), new AbortController(), new AbortController()];
    const order = (place: number) => ({ ...LONG, left: left[place]?.signal });
    const read = (title: string) => async () => {
      reads.push(title);
      await opened;
      return aDocument(title);
    };
    const whileRead = pool.render(order(0), read('while it is read'));
    const inLine = pool.render(order(1), read('in line'));
    left[0]?.abort();
    left[1]?.abort();
    expect(await inLine).toBeUndefined();
    open();
    expect(await whileRead).toBeUndefined();

    // Far longer than this test: it ends because its worker is ended.
    const endless = pool.render(order(2), async () => aDocument('endless', DOCUMENT_LINES_MAX * 20));
    const next = pool.render(LONG, read('next'));
    await new Promise(setImmediate);
    left[2]?.abort();
    expect(await endless).toBeUndefined();
    expect(await titleOf(await next)).toBe('next');
    expect(reads).toEqual(['while it is read', 'next']);
  });

  test('a worker rests after a document while somebody writes, and the next one is drawn all the same', async () => {
    const writes = { areUnderWay: true };
    pool = new PdfPool({ workersMax: 1, writes });
    const reads: string[] = [];
    const read = (title: string) => async () => {
      reads.push(title);
      return aDocument(title);
    };
    const [first, second] = [pool.render(LONG, read('first')), pool.render(LONG, read('second'))];
    expect(await titleOf(await first)).toBe('first');
    // It would have been read before the first was there to be looked at.
    expect(reads).toEqual(['first']);
    expect(await titleOf(await second)).toBe('second');
  });

  test('a short one is not behind long ones, and neither is that of another caller behind all of the first', async () => {
    pool = new PdfPool({ workersMax: 1 });
    const { opened, open } = gate();
    const reads: string[] = [];
    const order = (caller: string, lines: number, title: string) =>
      pool.render({ caller, lines }, async () => {
        reads.push(title);
        if (lines > SHORT_LINES_MAX) await opened;
        return aDocument(title);
      });
    const long = [1_000, 4_000, 3_000, 2_000].map((lines) => order('busy', lines, `busy ${lines}`));
    const other = order('other', 4_000, 'other 4000');

    const drawn = await order('busy', 1, 'short');
    expect(await titleOf(drawn)).toBe('short');
    expect(reads).toEqual(['busy 1000', 'short']);
    open();
    await Promise.all([...long, other]);
    expect(reads.slice(2)).toEqual(['busy 2000', 'other 4000', 'busy 3000', 'busy 4000']);
  });

  test('who has most of the places that wait gives one up for somebody who has fewer, and is told so', async () => {
    pool = new PdfPool({ workersMax: 1, waitingMax: 3 });
    const { opened, open } = gate();
    const order = async (caller: string, lines: number): Promise<string> => {
      const bytes = await pool.render({ caller, lines }, async () => {
        await opened;
        return aDocument(`${caller} ${lines}`);
      });
      return (await titleOf(bytes)) ?? 'refused';
    };
    const all = [1_000, 1_001, 1_002, 1_003].map(async (lines) => await order('busy', lines));
    expect(await order('busy', 1_004)).toBe('refused');
    all.push(order('other', 5_000));
    expect(await all[3]).toBe('refused');
    open();
    expect(await Promise.all(all)).toEqual(['busy 1000', 'busy 1001', 'busy 1002', 'refused', 'other 5000']);
  });

  test('answers others while it draws: a long document keeps the thread free', async () => {
    pool = new PdfPool({ workersMax: 1 });
    await pool.render(LONG, async () => aDocument('warm'));
    let turns = 0;
    let isDrawn = false;

    const drawing = pool
      .render(LONG, async () => aDocument('long', 4_000))
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
    await pool.render(LONG, async () => aDocument('first'));
    const [worker]: Worker[] = await started;
    if (worker === undefined) throw new Error('no worker was started');

    if (worker.threadId !== -1) await once(worker, 'exit');

    expect(await titleOf(await pool.render(LONG, async () => aDocument('second')))).toBe('second');
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

    const drawn = await pool.render(LONG, async () => ({ ...aDocument('long'), tables: [full] }));

    const [, pages] = /\/Count (\d+)/.exec(Buffer.from(drawn ?? []).toString('latin1')) ?? [];
    expect(Number(pages)).toBeGreaterThan(DOCUMENT_LINES_MAX / 40);
  });

  test('throws on what reading throws, and goes on', async () => {
    pool = new PdfPool({ workersMax: 1 });
    const failing = pool.render(LONG, async () => {
      throw new RangeError('no such account');
    });
    await expect(failing).rejects.toThrow('no such account');

    expect(await titleOf(await pool.render(LONG, async () => aDocument('next')))).toBe('next');
  });

  test('survives a document that cannot be drawn: the next one gets a new worker', async () => {
    pool = new PdfPool({ workersMax: 1 });
    const broken: PrintedDocument = JSON.parse('{"title":"x","subtitle":"","issuer":{"name":""},"paper":"NONE"}');

    await expect(pool.render(LONG, async () => broken)).rejects.toThrow(RenderFailed);

    expect(await titleOf(await pool.render(LONG, async () => aDocument('next')))).toBe('next');
  });

  test('closed, it refuses what waits and what comes', async () => {
    pool = new PdfPool({ workersMax: 1 });
    const { opened, open } = gate();
    const first = pool.render(LONG, async () => {
      await opened;
      return aDocument('first');
    });
    const second = pool.render(LONG, async () => aDocument('second'));

    await Promise.all([pool.close(), expect(second).rejects.toThrow(RenderFailed)]);
    await expect(pool.render(LONG, async () => aDocument('third'))).rejects.toThrow(RenderFailed);
    open();
    await expect(first).rejects.toThrow(RenderFailed);
  });
});
