import { expect } from 'vitest';
import type { Answer, Billing, Json } from './billing.ts';

export type CsvAnswer = Answer & Readonly<{ rows: readonly Record<string, string>[] }>;

/** A path as CSV, read back; no rows where it was refused. */
export async function getCsv(
  billing: Billing,
  path: string,
  headers: Record<string, string> = { accept: 'text/csv' },
): Promise<CsvAnswer> {
  const answer = await billing.get(path, headers);
  return { ...answer, rows: answer.status === 200 ? toObjects(parseCsv(answer.text)) : [] };
}

/** RFC 4180, written from the grammar: a field is bare or quoted, quotes in it are doubled, records end in CRLF. */
export function parseCsv(text: string): string[][] {
  expect(text.startsWith('\ufeff'), 'begins with a byte order mark').toBe(true);
  const records: string[][] = [];
  let rest = text.slice(1);
  let record: string[] = [];
  while (rest !== '') {
    const field = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(rest);
    if (field === null) throw new Error(`not RFC 4180 at ${JSON.stringify(rest.slice(0, 40))}`);
    record.push(field[1]?.replaceAll('""', '"') ?? field[2] ?? '');
    if (field[3] === '\r\n') {
      records.push(record);
      record = [];
    }
    rest = rest.slice(field[0].length);
  }
  expect(record).toEqual([]);
  return records;
}

/** Records as objects by the names in the header. */
export function toObjects([header = [], ...records]: string[][]): Record<string, string>[] {
  return records.map((record) => {
    expect(record).toHaveLength(header.length);
    return Object.fromEntries(header.map((name, index) => [name, record[index] ?? '']));
  });
}

/** What a row of JSON looks like in CSV, where no text needs escaping: a row has no place for a table. */
export function asText(row: Json): Record<string, string> {
  const cells = Object.entries(row).filter(([, value]) => !Array.isArray(value));
  return Object.fromEntries(cells.map(([name, value]) => [name, value === null ? '' : String(value)]));
}

type Named = Json | null | undefined;

/** {@link asText} of a row that names its student, or its family, in objects of their own, or null for none. */
export function asTextWithStudent({ student, family, ...row }: Json & { student?: Named; family?: Named }) {
  return { ...asText(row), ...membersOf('student', student), ...membersOf('family', family) };
}

function membersOf(name: string, whose: Named): Record<string, string> {
  if (whose === undefined) return {};
  return { [`${name}_id`]: String(whose?.['id'] ?? ''), [`${name}_name`]: String(whose?.['name'] ?? '') };
}

/** A header that carries sums beside a file, RFC 9651. */
export function asDictionary(sums: Json): string {
  return Object.entries(sums)
    .map(([name, amount]) => `${name}="${String(amount)}"`)
    .join(', ');
}
