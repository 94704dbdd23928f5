import { type Statement, sql } from '../infrastructure/sql.ts';

/** A timestamptz column as RFC 3339 text in UTC with milliseconds, whatever the session's zone is. */
export function isoTime(column: Statement): Statement {
  return sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** An ILIKE pattern for text that contains `part` literally. */
export function containing(part: string): string {
  return `%${part.replaceAll(/[\\%_]/g, '\\$&')}%`;
}
