import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { Job, Outcome } from './pool.ts';
import { renderPdf } from './render.ts';

/** One document after the other, away from the thread that answers requests. */
const port = parentPort;
if (port === null) throw new Error('this file is a worker thread');

giveWay();
port.on('message', ({ document }: Job) => {
  renderPdf(document).then(
    (bytes) => port.postMessage({ bytes } satisfies Outcome, [bytes.buffer]),
    (error: unknown) => port.postMessage({ failure: String(error) } satisfies Outcome),
  );
});

/** Where processors are scarce, whoever pays comes first. On Linux, 0 is this thread; elsewhere it is the whole process. */
function giveWay(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A sandbox may forbid it. The document is drawn all the same.
  }
}
