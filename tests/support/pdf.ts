import { Worker } from 'node:worker_threads';
import type { Billing } from './billing.ts';

/** A text on a page, in points from its lower left corner. */
export type PdfText = Readonly<{ text: string; x: number; y: number; width: number }>;
export type PdfPage = Readonly<{ width: number; height: number; texts: readonly PdfText[]; lines: readonly string[] }>;
export type Pdf = Readonly<{ pages: readonly PdfPage[]; text: string; title: string; language: string | null }>;

/** What the thread that reads says of the document that was given to it under this number. */
export type Reading = Readonly<{ id: number } & ({ pdf: Pdf } | { failure: string })>;

type Reader = Readonly<{ worker: Worker; waiting: Map<number, (reading: Reading) => void> }>;

let reader: Reader | undefined;
let count = 0;

/** What a reader of the document sees, by a library that shares nothing with the one that wrote it. */
export async function readPdf(bytes: Uint8Array): Promise<Pdf> {
  reader ??= startReader();
  const { worker, waiting } = reader;
  const id = ++count;
  const reading = await new Promise<Reading>((resolve) => {
    waiting.set(id, resolve);
    worker.ref();
    worker.postMessage({ id, bytes: new Uint8Array(bytes) });
  });
  if ('failure' in reading) throw new Error(`This PDF cannot be read: ${reading.failure}`);
  return reading.pdf;
}

/** One for all that a process reads, and gone with it. */
function startReader(): Reader {
  const tsx = import.meta.resolve('tsx/esm/api');
  const file = new URL('./pdf-reader.ts', import.meta.url).href;
  const load = `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(file)}); });`;
  const worker = new Worker(load, { name: 'pdf-reader', eval: true });
  const waiting: Reader['waiting'] = new Map();
  worker.on('message', (reading: Reading) => {
    waiting.get(reading.id)?.(reading);
    waiting.delete(reading.id);
    if (waiting.size === 0) worker.unref();
  });
  worker.on('error', (error) => {
    for (const [id, settle] of waiting) settle({ id, failure: String(error) });
    reader = undefined;
  });
  return { worker, waiting };
}

const NOTHING: Pdf = { pages: [], text: '', title: '', language: null };

/** Asks the API for papers and reads them; `problem` is what it refuses with, and then there is no text. */
export function papersOf({ app, config }: Billing) {
  return async (path: string, headers: Record<string, string> = { accept: 'application/pdf' }) => {
    const answer = await app.inject({ url: `${config.prefix}${path}`, headers });
    const { statusCode: status, headers: answered, rawPayload } = answer;
    if (answered['content-type'] === 'application/pdf') {
      return { status, headers: answered, problem: undefined, bytes: rawPayload, ...(await readPdf(rawPayload)) };
    }
    return { status, headers: answered, problem: answer.json(), bytes: rawPayload, ...NOTHING };
  };
}
