import { strFromU8, unzipSync } from 'fflate';
import type { Billing } from './billing.ts';

/** A cell as it is written: a day is counted back from its number. */
export type XlsxCell = Readonly<{ type: 'number' | 'day' | 'text' | 'flag'; text: string }>;
export type Xlsx = Readonly<{
  sheets: readonly string[];
  /** Rows that stay in sight. */
  frozenRows: number;
  isHeadBold: boolean;
  widths: readonly number[];
  /** Format of each column's first cell below the head, null where it has none. */
  formats: Readonly<Record<string, string | null>>;
  head: readonly string[];
  rows: readonly Readonly<Record<string, XlsxCell | null>>[];
  /** The sheet as it is in the file. */
  xml: string;
}>;

const AMOUNT = '#,##0.00';
const DAY = 'yyyy\\-mm\\-dd';
/** Of the formats that are not written down. */
const BUILT_IN = [
  ['4', AMOUNT],
  ['49', '@'],
] as const;

/** What a spreadsheet takes from a sheet of a file, read from the parts of the format (ECMA-376). */
export function readXlsx(bytes: Uint8Array, number = 1): Xlsx {
  const parts = unzipSync(bytes);
  const part = (name: string): string => strFromU8(parts[name] ?? new Uint8Array());
  const xml = part(`xl/worksheets/sheet${number}.xml`);
  const styles = part('xl/styles.xml');
  const codes = new Map([
    ...BUILT_IN,
    ...all(styles, /numFmtId="(\d+)" formatCode="([^"]*)"/g).map(([, id = '', code = '']) => [id, code] as const),
  ]);
  const formats = all(inside(styles, 'cellXfs'), /<xf ([^>]*)>/g).map(([, attributes = '']) => ({
    code: codes.get(/numFmtId="(\d+)"/.exec(attributes)?.[1] ?? '') ?? null,
    fontId: Number(/fontId="(\d+)"/.exec(attributes)?.[1] ?? 0),
  }));
  const isBold = all(inside(styles, 'fonts'), /<font>(.*?)<\/font>/g).map(([, font = '']) => font.includes('<b/>'));

  const styleOf = (attributes: string) => formats[Number(/ s="(\d+)"/.exec(attributes)?.[1] ?? 0)];
  const grid = all(inside(xml, 'sheetData'), /<row [^>]*>(.*?)<\/row>/g).map(([, row = '']) => {
    const cells = new Map<string, XlsxCell & { attributes: string }>();
    for (const [, column = '', attributes = '', value = ''] of all(row, /<c r="([A-Z]+)\d+"([^>]*)>(.*?)<\/c>/g)) {
      cells.set(column, { ...toCell(attributes, value, styleOf(attributes)?.code ?? null), attributes });
    }
    return cells;
  });
  const [first = new Map<string, XlsxCell & { attributes: string }>(), ...body] = grid;
  const columns = [...first].map(([column, { text }]) => ({ column, name: text }));
  return {
    sheets: all(part('xl/workbook.xml'), /<sheet [^>]*name="([^"]*)"/g).map(([, name]) => textOf(name)),
    frozenRows: Number(/<pane ySplit="(\d+)"[^>]*state="frozen"/.exec(xml)?.[1] ?? 0),
    isHeadBold: [...first.values()].every(({ attributes }) => isBold[styleOf(attributes)?.fontId ?? 0] === true),
    widths: all(xml, /<col [^>]*width="([\d.]+)"/g).map(([, width]) => Number(width)),
    formats: Object.fromEntries(
      columns.map(({ column, name }) => {
        const cell = body.map((row) => row.get(column)).find((one) => one !== undefined);
        return [name, cell === undefined ? null : (styleOf(cell.attributes)?.code ?? null)];
      }),
    ),
    head: columns.map(({ name }) => name),
    rows: body.map((row) =>
      Object.fromEntries(
        columns.map(({ column, name }) => {
          const cell = row.get(column);
          return [name, cell === undefined ? null : { type: cell.type, text: cell.text }];
        }),
      ),
    ),
    xml,
  };
}

export type XlsxAnswer = Readonly<{
  status: number;
  headers: Readonly<Record<string, unknown>>;
  problem: Readonly<Record<string, unknown>>;
  bytes: Buffer;
  /** Only where it is one. */
  file: Xlsx;
}>;

const TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';
const NOTHING: Xlsx = {
  sheets: [],
  frozenRows: 0,
  isHeadBold: false,
  widths: [],
  formats: {},
  head: [],
  rows: [],
  xml: '',
};

/** A path as XLSX, read back. */
export async function getXlsx({ app, config }: Billing, path: string): Promise<XlsxAnswer> {
  const {
    statusCode: status,
    headers,
    rawPayload: bytes,
  } = await app.inject({
    url: `${config.prefix}${path}`,
    headers: { accept: TYPE, 'x-api-key': config.apiKey },
  });
  const isFile = headers['content-type'] === TYPE;
  return {
    status,
    headers,
    problem: isFile ? {} : JSON.parse(bytes.toString()),
    bytes,
    file: isFile ? readXlsx(bytes) : NOTHING,
  };
}

/** Cells as JSON and CSV show them. */
export function asPlainText({ rows }: Xlsx): Record<string, string>[] {
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, cell?.text ?? ''])));
}

function toCell(attributes: string, content: string, code: string | null): XlsxCell {
  const type = / t="(\w+)"/.exec(attributes)?.[1];
  if (type === 'inlineStr') return { type: 'text', text: textOf(/^<is><t[^>]*>(.*)<\/t><\/is>$/s.exec(content)?.[1]) };
  const value = /^<v>([^<]*)<\/v>$/.exec(content)?.[1] ?? `unknown: ${content}`;
  if (type === 'b') return { type: 'flag', text: String(value === '1') };
  if (code === DAY) return { type: 'day', text: dayOf(Number(value)) };
  return { type: 'number', text: value };
}

const DAY_MS = 86_400_000;

/** Day 60 of the format is one that never was, so that day 1 of its calendar is not the first of 1900 after that. */
function dayOf(serial: number): string {
  return Number.isInteger(serial) && serial > 60
    ? new Date(Date.UTC(1899, 11, 30) + serial * DAY_MS).toISOString().slice(0, 10)
    : `no day: ${serial}`;
}

function textOf(xml = ''): string {
  return xml
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll(/_x([0-9A-F]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

function inside(xml: string, tag: string): string {
  return new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, 's').exec(xml)?.[1] ?? '';
}

function all(text: string, pattern: RegExp): string[][] {
  return [...text.matchAll(new RegExp(pattern.source, `${pattern.flags.replace('g', '')}gs`))].map((match) => [
    ...match,
  ]);
}
