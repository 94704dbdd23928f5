import { parentPort } from 'node:worker_threads';
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';
import type { Pdf, PdfPage, PdfText, Reading } from './pdf.ts';

/** Reads one document after the other in a thread of its own: pdf.js adds to the language of the thread that loads it. */
const port = parentPort;
if (port === null) throw new Error('this file is a worker thread');

port.on('message', ({ id, bytes }: { id: number; bytes: Uint8Array }) => {
  read(bytes).then(
    (pdf) => port.postMessage({ id, pdf } satisfies Reading),
    (error: unknown) => port.postMessage({ id, failure: String(error) } satisfies Reading),
  );
});

async function read(data: Uint8Array): Promise<Pdf> {
  const document = await getDocument({ data, verbosity: 0 }).promise;
  const pages: PdfPage[] = [];
  for (let number = 1; number <= document.numPages; number++) {
    const page = await document.getPage(number);
    const { width, height } = page.getViewport({ scale: 1 });
    const texts: PdfText[] = [];
    for (const item of (await page.getTextContent()).items) {
      if (!('str' in item) || item.str.trim() === '') continue;
      const [, , , , x, y] = item.transform.map(Number);
      texts.push({ text: item.str, x: x ?? 0, y: y ?? 0, width: item.width });
    }
    pages.push({ width, height, texts, lines: linesOf(texts) });
  }
  const { info } = await document.getMetadata();
  const title: unknown = 'Title' in info ? info.Title : '';
  const language: unknown = 'Language' in info ? info.Language : null;
  await document.destroy();
  return {
    pages,
    text: pages.flatMap(({ lines }) => lines).join('\n'),
    title: String(title),
    language: language === null ? null : String(language),
  };
}

/** Texts at one height, from left to right, with a bar between them. */
function linesOf(texts: readonly PdfText[]): string[] {
  const rows = new Map<number, PdfText[]>();
  for (const text of texts) {
    const y = Math.round(text.y);
    rows.set(y, [...(rows.get(y) ?? []), text]);
  }
  return [...rows]
    .sort(([a], [b]) => b - a)
    .map(([, row]) =>
      row
        .sort((a, b) => a.x - b.x)
        .map(({ text }) => text)
        .join('|'),
    );
}
