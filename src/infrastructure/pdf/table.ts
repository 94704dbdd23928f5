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
/** More than the longest reference takes in the narrowest column; they fit on a page. */
const WHOLE_LINES_MAX = 60;
const LABEL_LINES_MAX = 2;
/**
 * In the structure of a longer table each row is one paragraph. Nobody has thousands of rows read aloud cell by cell, and
 * an element for each of 45,000 cells took three times as long, twelve times the bytes, and more memory than a worker has
 * (docs/decisions/0045).
 */
const CELLS_MARKED_ROWS_MAX = 500;
/** Least width of a wrapping column, in ems. */
const TEXT_EMS_MIN = 9;
/** Most of the width short words may ask for each; what is longer (a hostile reference) is cut. */
const WORD_SHARE_MAX = 0.22;
/** Rows that must fit below a table's head: a head alone at the foot of a page says nothing. */
const ROWS_AFTER_HEAD_MIN = 2;

/** What a row is: `decoration` is a head that was read on the page before. */
type Part = 'head' | 'row' | 'sums' | 'decoration';

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
  canvas.element(isLong(table) ? 'Sect' : 'Table', () => {
    y = drawRows(canvas, { table, layout, rows }, y, captionHeight);
  });
  return y;
}

function drawRows(canvas: Canvas, { table, layout, rows }: SetTable, top: number, captionHeight: number): number {
  const { caption, sums } = table;
  let y = top;
  if (caption !== null) canvas.content('Caption', () => canvas.text(fitting(canvas, caption), MARGIN.left, y, CAPTION));
  y = drawHead(canvas, table, layout, y + captionHeight);
  for (const [index, cells] of rows.entries()) {
    const hasSumsBelow = index === rows.length - 1 && sums !== null;
    // The sums are never alone on a page: the last row goes there with them.
    const height = heightOf(cells, layout) + (hasSumsBelow ? layout.rowHeight : 0);
    if (y + height > canvas.bottom) y = repeatHead(canvas, table, layout, newPage(canvas));
    y = drawRow(canvas, table, layout, cells, y, 'row');
  }
  if (rows.length === 0) {
    const emptyY = y + 5;
    const style = { size: layout.size, color: GREY };
    const draw = (): void => canvas.text(canvas.clean(table.emptyText), MARGIN.left + 4, emptyY, style);
    canvas.element('TR', () => canvas.content('TD', draw));
    y += layout.rowHeight + 4;
  }
  return sums === null ? y : drawSums(canvas, table, sums, layout, y);
}

function fitting(canvas: Canvas, caption: string): string {
  return truncate(canvas.clean(caption), canvas.width - MARGIN.left - MARGIN.right, canvas.measure(CAPTION));
}

function newPage(canvas: Canvas): number {
  canvas.addPage();
  return MARGIN.top;
}

/** On the pages after the first the head is for eyes alone: it has been read. */
function repeatHead(canvas: Canvas, table: PrintedTable, layout: Layout, top: number): number {
  let y = top;
  canvas.decoration(() => {
    y = drawHead(canvas, table, layout, top, 'decoration');
  });
  return y;
}

function drawHead(canvas: Canvas, table: PrintedTable, layout: Layout, y: number, part: Part = 'head'): number {
  const right = canvas.width - MARGIN.right;
  const style: Style = { size: layout.size, weight: 'bold', color: '#334e68' };
  const measure = canvas.measure(style);
  const labels = table.columns.map(({ label }, index) =>
    wrap(canvas.clean(label), layout.widths[index] ?? 0, LABEL_LINES_MAX, measure),
  );
  canvas.box(MARGIN.left, y, right - MARGIN.left, heightOf(labels, layout), HEAD_FILL);
  const end = drawRow(canvas, table, layout, labels, y, part, style);
  canvas.line(end, MARGIN.left, right, { color: RULE, width: 0.7 });
  return end;
}

function drawSums(canvas: Canvas, table: PrintedTable, sums: readonly string[], layout: Layout, top: number): number {
  const cells = cellsOf(canvas, table, sums, layout, 'bold');
  const y = top + layout.rowHeight > canvas.bottom ? repeatHead(canvas, table, layout, newPage(canvas)) : top;
  canvas.line(y, MARGIN.left, canvas.width - MARGIN.right, { color: RULE, width: 0.7 });
  return drawRow(canvas, table, layout, cells, y, 'sums', { size: layout.size, weight: 'bold' });
}

function drawRow(
  canvas: Canvas,
  table: PrintedTable,
  layout: Layout,
  cells: Cells,
  y: number,
  part: Part,
  style: Style = { size: layout.size },
): number {
  const padding = (layout.rowHeight - layout.lineHeight) / 2;
  const drawCell = (lines: readonly string[], index: number): void => {
    const x = layout.xs[index] ?? 0;
    const width = layout.widths[index] ?? 0;
    const isAmount = table.columns[index]?.kind === 'amount';
    lines.forEach((line, number) => {
      const lineY = y + padding + 1 + number * layout.lineHeight;
      canvas.text(line, isAmount ? x + width : x, lineY, style, isAmount ? 'right' : 'left');
    });
  };
  const end = y + heightOf(cells, layout);
  const drawAll = (): void => {
    cells.forEach(drawCell);
    if (part === 'row') canvas.line(end, MARGIN.left, canvas.width - MARGIN.right, { color: HAIR, width: 0.4 });
  };
  if (part === 'decoration') drawAll();
  else if (isLong(table)) canvas.content('P', drawAll);
  else {
    const [type, scope] = part === 'head' ? (['TH', 'Column'] as const) : (['TD', undefined] as const);
    canvas.element('TR', () => {
      for (const [index, lines] of cells.entries()) canvas.content(type, () => drawCell(lines, index), scope);
    });
    if (part === 'row') canvas.line(end, MARGIN.left, canvas.width - MARGIN.right, { color: HAIR, width: 0.4 });
  }
  return end;
}

function isLong({ rows }: PrintedTable): boolean {
  return rows.length > CELLS_MARKED_ROWS_MAX;
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
    if (kind === 'word') return [truncate(text, width, measure)];
    return wrap(text, width, kind === 'whole' ? WHOLE_LINES_MAX : TEXT_LINES_MAX, measure);
  });
}

/**
 * Column widths at the largest size at which everything that may not be cut or wrapped has room: with labels in one line if
 * they have room at the largest, else in two.
 */
function layOut(canvas: Canvas, table: PrintedTable): Layout {
  const natural = naturalWidths(canvas, table);
  let tried = layOutAt(canvas, table, SIZES[0], { natural, labelLines: 1 });
  for (const size of SIZES) {
    if (tried.hasRoom) break;
    tried = layOutAt(canvas, table, size, { natural, labelLines: LABEL_LINES_MAX });
  }
  return tried.layout;
}

function layOutAt(
  canvas: Canvas,
  { columns }: PrintedTable,
  size: number,
  { natural, labelLines }: { natural: readonly number[]; labelLines: number },
): { layout: Layout; hasRoom: boolean } {
  const available = canvas.width - MARGIN.left - MARGIN.right - 8;
  const textCount = columns.filter(isWrapped).length;
  const widths = columns.map((column, index) => {
    if (isWrapped(column)) return 0;
    const label = labelWidth(canvas, column.label, labelLines) * size;
    const width = Math.max((natural[index] ?? 0) * size, label);
    return column.kind === 'word' ? Math.min(width, Math.max(available * WORD_SHARE_MAX, label)) : width;
  });
  const left = available - sum(widths) - CELL_GAP * (columns.length - 1);
  const share = textCount === 0 ? 0 : Math.max(left / textCount, 1);
  // Without a wrapping column the rest is spread, so that the table still reaches both edges.
  const spread = textCount === 0 && left > 0 ? left / Math.max(1, widths.length) : 0;
  const final = columns.map((column, index) => (isWrapped(column) ? share : (widths[index] ?? 0) + spread));
  const xs = final.map((_, index) => MARGIN.left + 4 + sum(final.slice(0, index)) + CELL_GAP * index);
  return {
    layout: { size, rowHeight: size * 2, lineHeight: size * 1.3, xs, widths: final },
    hasRoom: left >= textCount * TEXT_EMS_MIN * size,
  };
}

/** Widest cell of each column but its label, in ems; 0 for those that take what width is left. */
function naturalWidths(canvas: Canvas, { columns, rows, sums }: PrintedTable): number[] {
  const regular = canvas.measure({ size: 1 });
  const bold = canvas.measure({ size: 1, weight: 'bold' });
  return columns.map((column, index) => {
    if (isWrapped(column)) return 0;
    let width = bold(canvas.clean(sums?.[index] ?? ''));
    for (const row of rows) width = Math.max(width, regular(canvas.clean(row[index] ?? '')));
    return width;
  });
}

function isWrapped({ kind }: Pick<PrintedTable['columns'][number], 'kind'>): boolean {
  return kind === 'text' || kind === 'whole';
}

/** The least width at which a label stands in one line, or in {@link LABEL_LINES_MAX}, in ems. */
function labelWidth(canvas: Canvas, label: string, lines: number): number {
  const measure = canvas.measure({ size: 1, weight: 'bold' });
  const clean = canvas.clean(label);
  if (lines === 1) return measure(clean);
  const words = clean.split(' ');
  const widths = words.map((_, index) =>
    Math.max(measure(words.slice(0, index + 1).join(' ')), measure(words.slice(index + 1).join(' '))),
  );
  return Math.min(...widths);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((so, number) => so + number, 0);
}
