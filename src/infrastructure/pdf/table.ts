import type { PrintedTable } from '../../domain/shared/ports.ts';
import { type Canvas, MARGIN, type Style } from './canvas.ts';
import { truncate, wrap } from './text.ts';

const GREY = '#627d98';
const HEAD_FILL = '#f0f4f8';
const RULE = '#9fb3c8';
const HAIR = '#e4e7eb';

const CAPTION: Style = { size: 9.5, weight: 'bold' };
/** Tried in turn until the columns fit: amounts are never cut, so what is too wide is set smaller. */
const SIZES = [8, 7.2, 6.4, 5.6, 4.8] as const;
const CELL_GAP = 9;
const TEXT_LINES_MAX = 3;
/** Least width of a wrapping column, in ems. */
const TEXT_EMS_MIN = 9;
/** Most of the width short words may ask for each; what is longer (a hostile reference) is cut. */
const WORD_SHARE_MAX = 0.22;
/** Rows that must fit below a table's head: a head alone at the foot of a page says nothing. */
const ROWS_AFTER_HEAD_MIN = 2;

type Layout = Readonly<{
  size: number;
  rowHeight: number;
  lineHeight: number;
  xs: readonly number[];
  widths: readonly number[];
}>;

/** The lines of each cell of a row. */
type Cells = readonly (readonly string[])[];

/** A table whose texts are cut and wrapped to the widths of its columns: only the places of its rows are still open. */
export type SetTable = Readonly<{ table: PrintedTable; layout: Layout; rows: readonly Cells[] }>;

export function setTable(canvas: Canvas, table: PrintedTable): SetTable {
  const layout = layOut(canvas, table);
  return { table, layout, rows: table.rows.map((row) => cellsOf(canvas, table, row, layout, 'regular')) };
}

/**
 * Draws a table over as many pages as it needs, its head on each. Returns where it ends.
 *
 * pdfkit's own `table()` was tried: it repeats no head, and takes 27 ms of processor time a row where this takes 0.3.
 */
export function drawTable(canvas: Canvas, { table, layout, rows }: SetTable, top: number): number {
  const captionHeight = table.caption === null ? 0 : 16;
  let y = top;
  if (y + captionHeight + (1 + ROWS_AFTER_HEAD_MIN) * layout.rowHeight > canvas.bottom) y = newPage(canvas);
  if (table.caption !== null) {
    canvas.text(canvas.clean(table.caption), MARGIN.left, y, CAPTION);
    y += captionHeight;
  }
  y = drawHead(canvas, table, layout, y);
  for (const [index, cells] of rows.entries()) {
    const hasSumsBelow = index === rows.length - 1 && table.sums !== null;
    // The sums are never alone on a page: the last row goes there with them.
    const height = heightOf(cells, layout) + (hasSumsBelow ? layout.rowHeight : 0);
    if (y + height > canvas.bottom) y = drawHead(canvas, table, layout, newPage(canvas));
    y = drawRow(canvas, table, layout, cells, y, 'regular');
    canvas.line(y, MARGIN.left, canvas.width - MARGIN.right, { color: HAIR, width: 0.4 });
  }
  if (rows.length === 0) {
    canvas.text(canvas.clean(table.emptyText), MARGIN.left + 4, y + 5, { size: layout.size, color: GREY });
    y += layout.rowHeight + 4;
  }
  return table.sums === null ? y : drawSums(canvas, table, table.sums, layout, y);
}

function newPage(canvas: Canvas): number {
  canvas.addPage();
  return MARGIN.top;
}

function drawHead(canvas: Canvas, table: PrintedTable, layout: Layout, y: number): number {
  const right = canvas.width - MARGIN.right;
  canvas.box(MARGIN.left, y, right - MARGIN.left, layout.rowHeight, HEAD_FILL);
  const style: Style = { size: layout.size, weight: 'bold', color: '#334e68' };
  const measure = canvas.measure(style);
  const labels = table.columns.map(({ label }, index) => [
    truncate(canvas.clean(label), layout.widths[index] ?? 0, measure),
  ]);
  const end = drawRow(canvas, table, layout, labels, y, 'bold', style);
  canvas.line(end, MARGIN.left, right, { color: RULE, width: 0.7 });
  return end;
}

function drawSums(canvas: Canvas, table: PrintedTable, sums: readonly string[], layout: Layout, top: number): number {
  const cells = cellsOf(canvas, table, sums, layout, 'bold');
  const y = top + layout.rowHeight > canvas.bottom ? drawHead(canvas, table, layout, newPage(canvas)) : top;
  canvas.line(y, MARGIN.left, canvas.width - MARGIN.right, { color: RULE, width: 0.7 });
  return drawRow(canvas, table, layout, cells, y, 'bold');
}

function drawRow(
  canvas: Canvas,
  { columns }: PrintedTable,
  layout: Layout,
  cells: Cells,
  y: number,
  weight: 'regular' | 'bold',
  style: Style = { size: layout.size, weight },
): number {
  const padding = (layout.rowHeight - layout.lineHeight) / 2;
  cells.forEach((lines, index) => {
    const x = layout.xs[index] ?? 0;
    const width = layout.widths[index] ?? 0;
    const isAmount = columns[index]?.kind === 'amount';
    lines.forEach((line, number) => {
      const lineY = y + padding + 1 + number * layout.lineHeight;
      canvas.text(line, isAmount ? x + width : x, lineY, style, isAmount ? 'right' : 'left');
    });
  });
  return y + heightOf(cells, layout);
}

function heightOf(cells: Cells, { rowHeight, lineHeight }: Layout): number {
  const lines = cells.reduce((most, { length }) => Math.max(most, length), 1);
  return rowHeight + (lines - 1) * lineHeight;
}

function cellsOf(
  canvas: Canvas,
  { columns }: PrintedTable,
  row: readonly string[],
  { size, widths }: Layout,
  weight: 'regular' | 'bold',
): Cells {
  const measure = canvas.measure({ size, weight });
  return columns.map(({ kind }, index) => {
    const text = canvas.clean(row[index] ?? '');
    const width = widths[index] ?? 0;
    if (kind === 'amount') return [text];
    return kind === 'word' ? [truncate(text, width, measure)] : wrap(text, width, TEXT_LINES_MAX, measure);
  });
}

/** Column widths at the largest size at which everything that may not be cut or wrapped has room. */
function layOut(canvas: Canvas, table: PrintedTable): Layout {
  const available = canvas.width - MARGIN.left - MARGIN.right - 8;
  const textCount = table.columns.filter(({ kind }) => kind === 'text').length;
  const natural = naturalWidths(canvas, table);
  const heads = table.columns.map(({ label }) => canvas.measure({ size: 1, weight: 'bold' })(canvas.clean(label)));
  let size: number = SIZES[0];
  let widths: number[] = [];
  for (size of SIZES) {
    widths = natural.map((ems, index) => {
      const most = Math.max(available * WORD_SHARE_MAX, (heads[index] ?? 0) * size);
      return table.columns[index]?.kind === 'word' ? Math.min(ems * size, most) : ems * size;
    });
    const left = available - sum(widths) - CELL_GAP * (table.columns.length - 1);
    const least = textCount * TEXT_EMS_MIN * size;
    if (left < least && size !== SIZES.at(-1)) continue;
    const share = textCount === 0 ? 0 : Math.max(left / textCount, 1);
    widths = widths.map((width, index) => (table.columns[index]?.kind === 'text' ? share : width));
    // Without a wrapping column the rest is spread, so that the table still reaches both edges.
    const spread = textCount === 0 && left > 0 ? left / Math.max(1, widths.length) : 0;
    widths = widths.map((width) => width + spread);
    break;
  }
  const xs = widths.map((_, index) => MARGIN.left + 4 + sum(widths.slice(0, index)) + CELL_GAP * index);
  return { size, rowHeight: size * 2, lineHeight: size * 1.3, xs, widths };
}

/** Widest cell of each column in ems; 0 for those that take what width is left. */
function naturalWidths(canvas: Canvas, { columns, rows, sums }: PrintedTable): number[] {
  const regular = canvas.measure({ size: 1 });
  const bold = canvas.measure({ size: 1, weight: 'bold' });
  return columns.map(({ label, kind }, index) => {
    if (kind === 'text') return 0;
    let width = Math.max(bold(canvas.clean(label)), bold(canvas.clean(sums?.[index] ?? '')));
    for (const row of rows) width = Math.max(width, regular(canvas.clean(row[index] ?? '')));
    return width;
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((so, number) => so + number, 0);
}
