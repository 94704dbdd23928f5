import { type Column, type ColumnKind, valueAt } from './table.ts';

/*
 * The parts of an XLSX file (ECMA-376, SpreadsheetML) that a table of rows needs, as text. Amounts, rates and days are
 * written as the decimal text they are: no number of JavaScript stands between.
 */

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const OFFICE = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const RELATIONSHIPS = 'http://schemas.openxmlformats.org/package/2006/relationships';
const CONTENT_TYPES = 'http://schemas.openxmlformats.org/package/2006/content-types';
const TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml';

/** Places of the cell formats in {@link STYLES}. */
const STYLE = { head: 1, amount: 2, rate: 3, day: 4, text: 5 } as const;

/** In the order of {@link STYLE}. Format 49 is text, which stays text when somebody edits it; 4 is `#,##0.00`. */
const STYLES = `${XML}<styleSheet xmlns="${MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/><numFmt numFmtId="165" formatCode="0.0000"/></numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font><font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="6"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/><xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`;

/** Widths in characters. A column is never narrower than its name. */
const WIDTHS: Readonly<Record<ColumnKind, number>> = {
  text: 22,
  amount: 15,
  rate: 8,
  day: 12,
  instant: 25,
  integer: 9,
  flag: 7,
};
const NAME_MARGIN = 2;

/** Spreadsheets calculate in double precision: what has more digits could not be held exactly, and is text. */
const EXACT_DIGITS_MAX = 15;
/** Spreadsheets know no day before 1900, and take that for a leap year: its days up to February are one off. */
const TRUE_DAY_MIN = '1900-03-01';
const DAY_MS = 86_400_000;
/** The number that spreadsheets give to the first day of 1970. */
const DAYS_BEFORE_1970 = 25_569;
/** The name of a sheet holds no more; the first part leaves room for the number of the sheet. */
const SHEET_NAME_MAX = 31;
const SHEET_NUMBER_MAX = 5;

const LETTERS = 26;

export const SHEET_END = '</sheetData></worksheet>';

export function sheetPath(sheet: number): string {
  return `xl/worksheets/sheet${sheet}.xml`;
}

/** Everything but the sheets themselves. @param name of the table: ASCII letters, digits and dashes */
export function packageParts(name: string, sheetCount: number): [path: string, text: string][] {
  const sheets = Array.from({ length: sheetCount }, (_, index) => index + 1);
  const title = (sheet: number): string =>
    sheet === 1 ? name.slice(0, SHEET_NAME_MAX) : `${name.slice(0, SHEET_NAME_MAX - SHEET_NUMBER_MAX)} ${sheet}`;
  const relations = [
    ...sheets.map((sheet) => relation(`rId${sheet}`, 'worksheet', `worksheets/sheet${sheet}.xml`)),
    relation(`rId${sheetCount + 1}`, 'styles', 'styles.xml'),
  ];
  return [
    [
      'xl/workbook.xml',
      `${XML}<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><bookViews><workbookView/></bookViews><sheets>${sheets
        .map((sheet) => `<sheet name="${title(sheet)}" sheetId="${sheet}" r:id="rId${sheet}"/>`)
        .join('')}</sheets></workbook>`,
    ],
    ['xl/_rels/workbook.xml.rels', relationships(relations)],
    ['xl/styles.xml', STYLES],
    ['_rels/.rels', relationships([relation('rId1', 'officeDocument', 'xl/workbook.xml')])],
    [
      '[Content_Types].xml',
      `${XML}<Types xmlns="${CONTENT_TYPES}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${TYPE}.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="${TYPE}.styles+xml"/>${sheets
        .map((sheet) => `<Override PartName="/${sheetPath(sheet)}" ContentType="${TYPE}.worksheet+xml"/>`)
        .join('')}</Types>`,
    ],
  ];
}

/** A sheet up to its first row of values: a head of names, which is bold and stays in sight. */
export function sheetBegin(columns: readonly Column[]): string {
  const view =
    '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>';
  const widths = columns.map(({ name, kind }, index) => {
    const width = Math.max(WIDTHS[kind], name.length + NAME_MARGIN);
    return `<col min="${index + 1}" max="${index + 1}" width="${width}" customWidth="1"/>`;
  });
  const head = columns.map(({ name }, index) => textCell(addressOf(index, 1), STYLE.head, name));
  return `${XML}<worksheet xmlns="${MAIN}">${view}<cols>${widths.join('')}</cols><sheetData><row r="1">${head.join('')}</row>`;
}

/** @param place of the row in the sheet, from 1 */
export function sheetRow(columns: readonly Column[], row: unknown, place: number): string {
  const cells = columns.map((column, index) => cell(addressOf(index, place), column, valueAt(row, column)));
  return `<row r="${place}">${cells.join('')}</row>`;
}

/** Null and an empty text are no cell. */
function cell(address: string, { kind }: Column, value: unknown): string {
  if (value === null || value === undefined || value === '') return '';
  if (typeof value === 'boolean') return `<c r="${address}" t="b"><v>${value ? 1 : 0}</v></c>`;
  const text = String(value);
  const isExact = text.replace(/^-?0*|\./g, '').length <= EXACT_DIGITS_MAX;
  if (kind === 'integer' && isExact) return `<c r="${address}"><v>${text}</v></c>`;
  if ((kind === 'amount' || kind === 'rate') && isExact)
    return `<c r="${address}" s="${STYLE[kind]}"><v>${text}</v></c>`;
  if (kind === 'day' && text >= TRUE_DAY_MIN)
    return `<c r="${address}" s="${STYLE.day}"><v>${numberOfDay(text)}</v></c>`;
  return textCell(address, STYLE.text, text);
}

function textCell(address: string, style: number, text: string): string {
  return `<c r="${address}" s="${style}" t="inlineStr"><is><t xml:space="preserve">${escaped(text)}</t></is></c>`;
}

/** Days are counted from midnight to midnight of UTC, wherever the process believes it is. @param day YYYY-MM-DD */
function numberOfDay(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) / DAY_MS + DAYS_BEFORE_1970;
}

/** A1, B1 … AA1. @param column from 0 */
function addressOf(column: number, row: number): string {
  const last = String.fromCharCode(65 + (column % LETTERS));
  return column < LETTERS ? `${last}${row}` : `${String.fromCharCode(64 + Math.floor(column / LETTERS))}${last}${row}`;
}

const MARKUP = /[&<>]/g;
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
/** What XML cannot hold, or a reader of XML would change; and what would be read as the name of such a character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSPEAKABLE = /[\0-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]|_(?=x[0-9a-fA-F]{4}_)/g;

/** Text kept character for character: the format writes a carriage return as `_x000D_` (ST_Xstring). */
function escaped(text: string): string {
  return text
    .replace(UNSPEAKABLE, (found) => `_x${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`)
    .replace(MARKUP, (found) => ENTITIES[found] ?? found);
}

function relation(id: string, type: string, target: string): string {
  return `<Relationship Id="${id}" Type="${OFFICE}/${type}" Target="${target}"/>`;
}

function relationships(all: readonly string[]): string {
  return `${XML}<Relationships xmlns="${RELATIONSHIPS}">${all.join('')}</Relationships>`;
}
