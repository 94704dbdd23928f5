import type { PrintedDocument } from '../../domain/shared/ports.ts';
import { Canvas, MARGIN, type Style } from './canvas.ts';
import { drawTable, setTable } from './table.ts';
import { truncate, wrap } from './text.ts';

const ACCENT = '#1d4e89';
const GREY = '#627d98';
const HAIR = '#d9e2ec';
const TONES = { good: '#2f855a', bad: '#c53030' } as const;

const NAME: Style = { size: 13, weight: 'bold' };
const TITLE: Style = { size: 13, weight: 'bold', color: ACCENT };
const SMALL: Style = { size: 8 };
const SMALL_BOLD: Style = { size: 8, weight: 'bold' };
const LABEL: Style = { size: 8, color: GREY };
const FOOT: Style = { size: 7, color: GREY };
const LINE_HEIGHT = 12;
const GAP = 14;
/** Room for the stamp, turned as it is: it must not cover what it is stamped on. */
const STAMP_HEIGHT = 50;

/** Draws a document. Pure but for the fonts: the same document gives the same pages. */
export async function renderPdf(document: PrintedDocument): Promise<Uint8Array<ArrayBuffer>> {
  const { title, subtitle, language, paper, createdAt, issuer } = document;
  const canvas = new Canvas({ title: `${title} ${subtitle}`, author: issuer.name, language, paper, createdAt });
  const tables = document.tables.map((table) => setTable(canvas, table));
  const draw = (): void => {
    let y = drawHead(canvas, document);
    for (const table of tables) y = drawTable(canvas, table, y + GAP);
    y = drawTotals(canvas, document, y + GAP);
    drawNotes(canvas, document, y + GAP);
  };
  canvas.drawPages(draw, (page, pages) => drawFoot(canvas, document, page, pages));
  return await canvas.finish();
}

/** Issuer on the left, title on the right; below them who it is about, and the facts. Returns where it ends. */
function drawHead(canvas: Canvas, { issuer, title, subtitle, party, facts, mark }: PrintedDocument): number {
  const right = canvas.width - MARGIN.right;
  const titleWidth = Math.min(canvas.measure(TITLE)(canvas.clean(title)), (right - MARGIN.left) / 2);
  const left = block(canvas, MARGIN.left, MARGIN.top, right - MARGIN.left - Math.max(titleWidth, 200) - GAP, [
    [issuer.name, NAME, 2],
    ...issuer.details.map((detail) => [detail, LABEL, 1] as const),
  ]);
  canvas.text(canvas.clean(title), right, MARGIN.top, TITLE, 'right');
  const under = truncate(canvas.clean(subtitle), (right - MARGIN.left) / 2, canvas.measure(SMALL_BOLD));
  canvas.text(under, right, MARGIN.top + 18, SMALL_BOLD, 'right');
  const ruleY = Math.max(left, MARGIN.top + 30) + 8;
  canvas.line(ruleY, MARGIN.left, right, { color: ACCENT, width: 1.2 });

  const top = ruleY + 12;
  const middle = MARGIN.left + (right - MARGIN.left) * 0.46;
  let end = top;
  if (party !== null) {
    end = block(canvas, MARGIN.left, top, middle - MARGIN.left - GAP, [
      [party.label, LABEL, 1],
      [party.name, { size: 10, weight: 'bold' }, 2],
      ...party.details.map((detail) => [detail, SMALL, 1] as const),
    ]);
  }
  end = Math.max(end, drawFacts(canvas, facts, middle, top));
  if (mark === null) return end;
  canvas.stamp(canvas.clean(mark.text), right - 70, end + STAMP_HEIGHT / 2, { color: TONES[mark.tone], size: 17 });
  return end + STAMP_HEIGHT;
}

type Paragraph = readonly [text: string, style: Style, linesMax: number];

/** Paragraphs one below the other, wrapped and cut to a width. Returns where they end. */
function block(canvas: Canvas, x: number, top: number, width: number, paragraphs: readonly Paragraph[]): number {
  let y = top;
  for (const [text, style, linesMax] of paragraphs) {
    for (const line of wrap(canvas.clean(text), width, linesMax, canvas.measure(style))) {
      canvas.text(line, x, y, style);
      y += Math.max(LINE_HEIGHT, style.size * 1.35);
    }
  }
  return y;
}

function drawFacts(canvas: Canvas, facts: PrintedDocument['facts'], x: number, top: number): number {
  const right = canvas.width - MARGIN.right;
  let y = top;
  for (const [label, value] of facts) {
    const caption = canvas.clean(label);
    const room = right - x - canvas.measure(LABEL)(caption) - GAP;
    canvas.text(caption, x, y, LABEL);
    for (const line of wrap(canvas.clean(value), room, 2, canvas.measure(SMALL))) {
      canvas.text(line, right, y, SMALL, 'right');
      y += LINE_HEIGHT;
    }
  }
  return y;
}

const TOTALS_WIDTH = 250;
const TOTAL_HEIGHT = 17;

/** Stays in one piece: a sum on another page than its parts is misread. */
function drawTotals(canvas: Canvas, { totals }: PrintedDocument, top: number): number {
  if (totals.length === 0) return top;
  let y = top;
  if (y + totals.length * TOTAL_HEIGHT > canvas.bottom) {
    canvas.addPage();
    y = MARGIN.top;
  }
  const right = canvas.width - MARGIN.right;
  const left = right - TOTALS_WIDTH;
  totals.forEach(([label, value], index) => {
    const isLast = index === totals.length - 1;
    if (isLast) canvas.box(left, y, TOTALS_WIDTH, TOTAL_HEIGHT + 3, ACCENT);
    const style: Style = isLast ? { size: 9.5, weight: 'bold', color: '#ffffff' } : { size: 9 };
    const textY = y + (isLast ? 5 : 4);
    canvas.text(canvas.clean(label), left + 8, textY, isLast ? style : { ...style, color: GREY });
    canvas.text(canvas.clean(value), right - 8, textY, style, 'right');
    y += TOTAL_HEIGHT;
    if (!isLast) canvas.line(y, left, right, { color: HAIR, width: 0.5 });
  });
  return y + 3;
}

function drawNotes(canvas: Canvas, { notes }: PrintedDocument, top: number): void {
  const width = canvas.width - MARGIN.left - MARGIN.right;
  let y = top;
  for (const note of notes) {
    for (const line of wrap(canvas.clean(note), width, 4, canvas.measure(LABEL))) {
      if (y + LINE_HEIGHT > canvas.bottom) {
        canvas.addPage();
        y = MARGIN.top;
      }
      canvas.text(line, MARGIN.left, y, LABEL);
      y += LINE_HEIGHT;
    }
  }
}

function drawFoot(canvas: Canvas, { footer, pageLabel }: PrintedDocument, page: number, pages: number): void {
  const right = canvas.width - MARGIN.right;
  const y = canvas.bottom + 18;
  const label = pageLabel.replace('{page}', String(page)).replace('{pages}', String(pages));
  const room = right - MARGIN.left - canvas.measure(FOOT)(label) - GAP;
  const [line = ''] = wrap(canvas.clean(footer), room, 1, canvas.measure(FOOT));
  canvas.line(y - 6, MARGIN.left, right, { color: HAIR, width: 0.5 });
  canvas.text(line, MARGIN.left, y, FOOT);
  canvas.text(label, right, y, FOOT, 'right');
}
