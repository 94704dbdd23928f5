import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';
import type { Billing } from './billing.ts';

/** A text on a page, in points from its lower left corner. */
export type PdfText = Readonly<{ text: string; x: number; y: number; width: number }>;
export type PdfPage = Readonly<{ width: number; height: number; texts: readonly PdfText[]; lines: readonly string[] }>;
export type Pdf = Readonly<{ pages: readonly PdfPage[]; text: string; title: string; language: string | null }>;

/** What a reader of the document sees, by a library that shares nothing with the one that wrote it. */
export async function readPdf(bytes: Uint8Array): Promise<Pdf> {
  const document = await getDocument({ data: new Uint8Array(bytes), verbosity: 0 }).promise;
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
