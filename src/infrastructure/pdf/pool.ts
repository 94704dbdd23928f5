import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { DocumentOrder, DocumentRenderer, PrintedDocument } from '../../domain/shared/ports.ts';
import { FairQueue } from '../concurrency/fair-queue.ts';

export type Job = Readonly<{ document: PrintedDocument }>;
export type Outcome = Readonly<{ bytes: Uint8Array<ArrayBuffer> } | { failure: string }>;

/** One thread beside the server's and PostgreSQL on two cores; never so many that a heap of PDFs slows payments down. */
const WORKERS_MAX = availableParallelism() > 2 ? 2 : 1;
/** A worker more, for documents of at most so many lines: they are not behind one that takes seconds. */
export const SHORT_LINES_MAX = 200;
/** Documents that wait for a worker. Whoever comes then, or has most of them, is told to come back. */
export const WAITING_MAX = 32;
/** Far beyond the longest document allowed. A worker that takes longer is ended. */
const RENDER_MAX_MS = 60_000;
/** After a document a worker rests as long as that took while somebody writes, at most so long. */
const REST_MAX_MS = 2_000;
/** A worker takes 40 MB, most of it for the library that draws, and a third of a second to start. */
const IDLE_MAX_MS = 5_000;
/** The longest document that is allowed, its cells full of text, is drawn in 64. */
const HEAP_MAX_MB = { old: 96, young: 6 };

/** The document could not be drawn; what was asked for may be all right. */
export class RenderFailed extends Error {
  override readonly name = 'RenderFailed';
}

type Waiting = DocumentOrder & Readonly<{ size: number; start: (slot: Slot | undefined) => void }>;

/**
 * Draws PDFs in worker threads: started when the first document is asked for, ended when none has been for a while.
 *
 * A document is read from the database only once a worker is free to draw it, so what waits costs no memory. Callers take
 * turns, and of one caller the shortest comes first, see {@link FairQueue}. What nobody waits for any more is neither read
 * nor drawn, and a long one is not drawn to its end.
 */
export class PdfPool implements DocumentRenderer {
  readonly #slots: Slot[] = [];
  readonly #waiting: FairQueue<Waiting>;
  readonly #workersMax: number;
  readonly #idleMaxMs: number;
  readonly #writes: Readonly<{ areUnderWay: boolean }>;
  #isClosed = false;

  /**
   * @param of.workersMax besides the one for short documents
   * @param of.writes to which drawing gives way
   */
  constructor(
    of: {
      workersMax?: number;
      waitingMax?: number;
      idleMaxMs?: number;
      writes?: Readonly<{ areUnderWay: boolean }>;
    } = {},
  ) {
    const { waitingMax = WAITING_MAX } = of;
    this.#workersMax = of.workersMax ?? WORKERS_MAX;
    this.#waiting = new FairQueue({ placesMax: waitingMax, onGivenUp: ({ start }) => start(undefined) });
    this.#idleMaxMs = of.idleMaxMs ?? IDLE_MAX_MS;
    this.#writes = of.writes ?? { areUnderWay: false };
  }

  /**
   * @param read makes the document, once it is its turn; what it throws is thrown on
   * @returns undefined when too many are waiting, or nobody wants it any more
   * @throws RenderFailed
   */
  async render(order: DocumentOrder, read: () => Promise<PrintedDocument>): Promise<Uint8Array | undefined> {
    const { left, lines } = order;
    const slot = this.#free(order) ?? (await this.#wait(order));
    if (this.#isClosed) throw new RenderFailed('the server stops');
    if (slot === undefined) return undefined;
    slot.isBusy = true;
    const begunAt = performance.now();
    const end = (): void => void slot.end();
    try {
      const document = left?.aborted === true ? undefined : await read();
      if (this.#isClosed) throw new RenderFailed('the server stops');
      if (document === undefined || left?.aborted === true) return undefined;
      // To draw the rest of a short one takes less than to start a worker.
      if (lines > SHORT_LINES_MAX) left?.addEventListener('abort', end, { once: true });
      return await slot.render(document);
    } catch (error) {
      if (left?.aborted === true && error instanceof RenderFailed) return undefined;
      throw error;
    } finally {
      left?.removeEventListener('abort', end);
      const restMs = this.#writes.areUnderWay ? Math.min(performance.now() - begunAt, REST_MAX_MS) : 0;
      if (restMs === 0) this.#release(slot);
      else setTimeout(() => this.#release(slot), restMs).unref();
    }
  }

  /** Ends the workers; what waits is refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { start } of this.#waiting.takeAll()) start(undefined);
    await Promise.all(this.#slots.map(async (slot) => await slot.end()));
  }

  #free({ lines }: DocumentOrder): Slot | undefined {
    if (this.#isClosed) throw new RenderFailed('the server stops');
    const idle = this.#slots.find(({ isBusy, linesMax }) => !isBusy && lines <= linesMax);
    if (idle !== undefined) return idle;
    const ofAny = this.#slots.filter(({ linesMax }) => linesMax > SHORT_LINES_MAX).length;
    if (ofAny < this.#workersMax) return this.#addSlot(Number.POSITIVE_INFINITY);
    const hasShort = this.#slots.length > ofAny;
    return lines <= SHORT_LINES_MAX && !hasShort ? this.#addSlot(SHORT_LINES_MAX) : undefined;
  }

  #addSlot(linesMax: number): Slot {
    const slot = new Slot(this.#idleMaxMs, linesMax);
    this.#slots.push(slot);
    return slot;
  }

  async #wait(order: DocumentOrder): Promise<Slot | undefined> {
    const { left } = order;
    return await new Promise((resolve) => {
      const giveUp = (): void => {
        this.#waiting.remove(waiting);
        waiting.start(undefined);
      };
      const start = (slot: Slot | undefined): void => {
        left?.removeEventListener('abort', giveUp);
        resolve(slot);
      };
      const waiting = { ...order, size: order.lines, start };
      if (left?.aborted === true || !this.#waiting.add(waiting)) start(undefined);
      else left?.addEventListener('abort', giveUp, { once: true });
    });
  }

  #release(slot: Slot): void {
    const next = this.#waiting.take(slot.linesMax);
    if (next === undefined) slot.isBusy = false;
    else next.start(slot);
  }
}

/** A place for one worker, which comes and goes. */
class Slot {
  isBusy = false;
  /** Of the documents that are drawn here. */
  readonly linesMax: number;
  readonly #idleMaxMs: number;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(idleMaxMs: number, linesMax: number) {
    this.#idleMaxMs = idleMaxMs;
    this.linesMax = linesMax;
  }

  async render(document: PrintedDocument): Promise<Uint8Array> {
    clearTimeout(this.#idle);
    const worker = this.#worker ?? startWorker();
    this.#worker = worker;
    worker.ref();
    try {
      const outcome = await outcomeOf(worker, { document });
      if ('failure' in outcome) throw new RenderFailed(outcome.failure);
      this.#idle = setTimeout(() => void this.end(), this.#idleMaxMs).unref();
      worker.unref();
      return outcome.bytes;
    } catch (error) {
      // Whatever state it is in, the next document gets a new one.
      await this.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

async function outcomeOf(worker: Worker, job: Job): Promise<Outcome> {
  return await new Promise((resolve, reject) => {
    const limit = setTimeout(() => settle(() => reject(new RenderFailed('took too long'))), RENDER_MAX_MS);
    const onMessage = (outcome: Outcome): void => settle(() => resolve(outcome));
    const onError = (error: Error): void => settle(() => reject(new RenderFailed(error.message, { cause: error })));
    const onExit = (): void => settle(() => reject(new RenderFailed('the worker ended')));
    const settle = (then: () => void): void => {
      clearTimeout(limit);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      then();
    };
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    worker.postMessage(job);
  });
}

function startWorker(): Worker {
  const limits = {
    name: 'pdf',
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB.old, maxYoungGenerationSizeMb: HEAP_MAX_MB.young },
  };
  const worker = import.meta.url.endsWith('.js')
    ? new Worker(new URL('./worker.js', import.meta.url), limits)
    : new Worker(bootstrapFromSource(), { ...limits, eval: true });
  // Between two documents nobody listens, and an unheard error would end the process.
  worker.on('error', () => undefined);
  return worker;
}

/** In development and in tests the file is TypeScript, which a thread of Node 20 reads only with the help of tsx. */
function bootstrapFromSource(): string {
  const manifest = pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'));
  const tsx = new URL('dist/esm/api/index.mjs', manifest).href;
  const worker = new URL('./worker.ts', import.meta.url).href;
  return `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(worker)}); });`;
}
