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
const BODY: Style = { size: 10 };
const LINE_HEIGHT = 12;
const BODY_LINE_HEIGHT = 15;
const PARAGRAPH_GAP = 6;
const TITLE_HEIGHT = 16;
const TITLE_LINES_MAX = 4;
/** Room for the longest reference there is. */
const FACT_LINES_MAX = 6;
/** Far more than the longest text that anybody may keep takes. */
const PARAGRAPH_LINES_MAX = 100;
/** Lines of instructions that are not parted from each other for want of room. */
const INSTRUCTIONS_TOGETHER_MAX = 12;
const SIGNATURE_ROOM = 70;
const SIGNATURE_WIDTH = 220;
const GAP = 14;
/** Room for the stamp, turned as it is: it must not cover what it is stamped on. */
const STAMP_HEIGHT = 50;

/** Draws a document, and those that follow it. Pure but for the fonts: the same document gives the same pages. */
export async function renderPdf(document: PrintedDocument): Promise<Uint8Array<ArrayBuffer>> {
  const { title, subtitle, language, paper, createdAt, issuer, following = [] } = document;
  const canvas = new Canvas({ title: `${title} ${subtitle}`, author: issuer.name, language, paper, createdAt });
  for (const one of [document, ...following]) drawDocument(canvas, one);
  return await canvas.finish();
}

function drawDocument(canvas: Canvas, document: PrintedDocument): void {
  const tables = document.tables.map((table) => setTable(canvas, table));
  const draw = (): void => {
    let y = drawHead(canvas, document);
    y = drawBody(canvas, document, y + GAP);
    for (const table of tables) y = drawTable(canvas, table, y + GAP);
    y = drawTotals(canvas, document, y + GAP);
    y = drawInstructions(canvas, document, y + GAP);
    y = drawParagraphs(canvas, document.notes, y + GAP, LABEL);
    drawSignature(canvas, document, y);
  };
  canvas.drawPages(draw, (page, pages) => drawFoot(canvas, document, page, pages));
}

/** Issuer on the left, title on the right; below them who it is about, and the facts. Returns where it ends. */
function drawHead(canvas: Canvas, { issuer, title, subtitle, party, facts, mark }: PrintedDocument): number {
  const right = canvas.width - MARGIN.right;
  const half = (right - MARGIN.left) / 2;
  const titleWidth = Math.min(canvas.measure(TITLE)(canvas.clean(title)), half);
  const left = block(canvas, MARGIN.left, MARGIN.top, right - MARGIN.left - Math.max(titleWidth, 200) - GAP, [
    [issuer.name, NAME, 2],
    ...issuer.details.map((detail) => [detail, LABEL, 2] as const),
  ]);
  const titleEnd = drawTitle(canvas, title, half);
  const under = truncate(canvas.clean(subtitle), half, canvas.measure(SMALL_BOLD));
  canvas.content('P', () => canvas.text(under, right, titleEnd + 2, SMALL_BOLD, 'right'));
  const ruleY = Math.max(left, titleEnd + 14) + 8;
  canvas.line(ruleY, MARGIN.left, right, { color: ACCENT, width: 1.2 });

  const top = ruleY + 12;
  const middle = MARGIN.left + (right - MARGIN.left) * 0.46;
  let end = top;
  if (party !== null) {
    end = block(canvas, MARGIN.left, top, middle - MARGIN.left - GAP, [
      [party.label, LABEL, 1],
      [party.name, { size: 10, weight: 'bold' }, 2],
      ...party.details.map((detail) => [detail, SMALL, 2] as const),
    ]);
  }
  end = Math.max(end, drawFacts(canvas, facts, middle, top));
  if (mark === null) return end;
  canvas.stamp(canvas.clean(mark.text), right - 12, end + STAMP_HEIGHT / 2, { color: TONES[mark.tone], size: 17 });
  return end + STAMP_HEIGHT;
}

/** A school may have called its invoices something long. Returns where it ends. */
function drawTitle(canvas: Canvas, title: string, width: number): number {
  let y = MARGIN.top;
  const lines = wrap(canvas.clean(title), width, TITLE_LINES_MAX, canvas.measure(TITLE));
  canvas.content('H1', () => {
    for (const line of lines) {
      canvas.text(line, canvas.width - MARGIN.right, y, TITLE, 'right');
      y += TITLE_HEIGHT;
    }
  });
  return y;
}

type Paragraph = readonly [text: string, style: Style, linesMax: number];

/** Paragraphs one below the other, wrapped and cut to a width. Returns where they end. */
function block(canvas: Canvas, x: number, top: number, width: number, paragraphs: readonly Paragraph[]): number {
  let y = top;
  for (const [text, style, linesMax] of paragraphs) {
    const lines = wrap(canvas.clean(text), width, linesMax, canvas.measure(style));
    canvas.content('P', () => {
      for (const line of lines) {
        canvas.text(line, x, y, style);
        y += Math.max(LINE_HEIGHT, style.size * 1.35);
      }
    });
  }
  return y;
}

function drawFacts(canvas: Canvas, facts: PrintedDocument['facts'], x: number, top: number): number {
  const right = canvas.width - MARGIN.right;
  let y = top;
  for (const [label, value] of facts) {
    const caption = canvas.clean(label);
    const room = right - x - canvas.measure(LABEL)(caption) - GAP;
    const lines = wrap(canvas.clean(value), room, FACT_LINES_MAX, canvas.measure(SMALL));
    canvas.content('P', () => {
      canvas.text(caption, x, y, LABEL);
      for (const line of lines) {
        canvas.text(line, right, y, SMALL, 'right');
        y += LINE_HEIGHT;
      }
    });
  }
  return y;
}

function drawBody(canvas: Canvas, { body }: PrintedDocument, top: number): number {
  return body.length === 0 ? top - GAP : drawParagraphs(canvas, body, top, BODY);
}

const TOTALS_WIDTH = 250;
const TOTAL_HEIGHT = 17;

/** Stays in one piece: a sum on another page than its parts is misread. */
function drawTotals(canvas: Canvas, { totals }: PrintedDocument, top: number): number {
  if (totals.length === 0) return top - GAP;
  let y = withRoom(canvas, top, totals.length * TOTAL_HEIGHT + 3);
  canvas.element('Table', () => {
    for (const [index, total] of totals.entries()) {
      drawTotal(canvas, total, y, index === totals.length - 1);
      y += TOTAL_HEIGHT;
    }
  });
  return y + 3;
}

function drawTotal(canvas: Canvas, [label, value]: readonly [string, string], y: number, isLast: boolean): void {
  const right = canvas.width - MARGIN.right;
  const left = right - TOTALS_WIDTH;
  if (isLast) canvas.box(left, y, TOTALS_WIDTH, TOTAL_HEIGHT + 3, ACCENT);
  const style: Style = isLast ? { size: 9.5, weight: 'bold', color: '#ffffff' } : { size: 9 };
  const textY = y + (isLast ? 5 : 4);
  const labelStyle = isLast ? style : { ...style, color: GREY };
  canvas.element('TR', () => {
    canvas.content('TH', () => canvas.text(canvas.clean(label), left + 8, textY, labelStyle), 'Row');
    canvas.content('TD', () => canvas.text(canvas.clean(value), right - 8, textY, style, 'right'));
  });
  if (!isLast) canvas.line(y + TOTAL_HEIGHT, left, right, { color: HAIR, width: 0.5 });
}

/** On the page of the totals where they have room, however long they are; else they go on on the next. */
function drawInstructions(canvas: Canvas, { instructions }: PrintedDocument, top: number): number {
  if (instructions === null) return top - GAP;
  const { caption, lines } = instructions;
  const y = withRoom(canvas, top, LINE_HEIGHT * (1 + Math.min(lines.length, INSTRUCTIONS_TOGETHER_MAX)));
  canvas.content('P', () => canvas.text(canvas.clean(caption), MARGIN.left, y, SMALL_BOLD));
  return drawParagraphs(canvas, lines, y + LINE_HEIGHT + 2, SMALL);
}

/** Whole, over as many pages as they need. */
function drawParagraphs(canvas: Canvas, paragraphs: readonly string[], top: number, style: Style): number {
  const width = canvas.width - MARGIN.left - MARGIN.right;
  const height = style === BODY ? BODY_LINE_HEIGHT : LINE_HEIGHT;
  let y = top;
  for (const paragraph of paragraphs) {
    const lines = wrap(canvas.clean(paragraph), width, PARAGRAPH_LINES_MAX, canvas.measure(style));
    canvas.element('P', () => {
      for (const line of lines) {
        y = withRoom(canvas, y, height);
        canvas.content('Span', () => canvas.text(line, MARGIN.left, y, style));
        y += height;
      }
    });
    if (style === BODY) y += PARAGRAPH_GAP;
  }
  return y;
}

function drawSignature(canvas: Canvas, { signature }: PrintedDocument, top: number): void {
  if (signature === null) return;
  const y = withRoom(canvas, top, SIGNATURE_ROOM + LINE_HEIGHT) + SIGNATURE_ROOM;
  canvas.line(y, MARGIN.left, MARGIN.left + SIGNATURE_WIDTH, { color: GREY, width: 0.7 });
  canvas.content('P', () => canvas.text(canvas.clean(signature), MARGIN.left, y + 4, LABEL));
}

/** Where something of that height is drawn: at `top`, or on the next page where there is no room for it. */
function withRoom(canvas: Canvas, top: number, height: number): number {
  if (top + height <= canvas.bottom) return top;
  canvas.addPage();
  return MARGIN.top;
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
