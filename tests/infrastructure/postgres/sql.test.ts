import { expect, test } from 'vitest';
import { joinSql, type Statement, sql, textOf } from '../../../src/infrastructure/postgres/sql.ts';

function partsOf(statement: Statement): [string, readonly unknown[]] {
  return [textOf(statement), statement.values];
}

test('statements nest: parameters are renumbered, values stay in order', () => {
  const inner = sql`b = ${2} and ${sql`c = ${[3]}`}`;
  expect(partsOf(sql`a = ${1} and ${inner} and d = ${4}`)).toEqual([
    'a = $1 and b = $2 and c = $3 and d = $4',
    [1, 2, [3], 4],
  ]);
  expect(partsOf(joinSql([sql`x = ${1}`, sql`true`, sql`y = ${2}`], ' and '))).toEqual([
    'x = $1 and true and y = $2',
    [1, 2],
  ]);
});
