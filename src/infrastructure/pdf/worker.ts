import { parentPort } from 'node:worker_threads';
import type { Job, Outcome } from './pool.ts';
import { renderPdf } from './render.ts';

/** One document after the other, away from the thread that answers requests. */
const port = parentPort;
if (port === null) throw new Error('this file is a worker thread');

port.on('message', ({ document }: Job) => {
  renderPdf(document).then(
    (bytes) => port.postMessage({ bytes } satisfies Outcome, [bytes.buffer]),
    (error: unknown) => port.postMessage({ failure: String(error) } satisfies Outcome),
  );
});
