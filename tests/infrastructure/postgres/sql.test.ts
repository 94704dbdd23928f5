import { expect, test } from 'vitest';
import {
  fixedSql,
  joinSql,
  parametersOf,
  type Statement,
  sql,
  textOf,
} from '../../../src/infrastructure/postgres/sql.ts';

function partsOf(statement: Statement): [string, readonly unknown[]] {
  return [textOf(statement), parametersOf(statement)];
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

test('a fixed statement is put together once, and has the values of each call, one parameter for all places of one', () => {
  let built = 0;
  const find = fixedSql([[] as number[], new Date(0)], (ids: readonly number[], now: Date) => {
    built += 1;
    return sql`${sql`at < ${now}`} and id = any (${ids}) and kind = ${'A'} and till > ${now}`;
  });
  const text = 'at < $1 and id = any ($2) and kind = $3 and till > $1';
  const [first, second] = [new Date(1), new Date(2)];
  expect(partsOf(find([1, 2], first))).toEqual([text, [first, [1, 2], 'A']]);
  expect(partsOf(find([3], second))).toEqual([text, [second, [3], 'A']]);
  expect(built).toBe(1);
  // Another statement has it as any other.
  expect(partsOf(sql`x = ${0} and ${find([3], first)} or y = ${9}`)).toEqual([
    'x = $1 and at < $2 and id = any ($3) and kind = $4 and till > $5 or y = $6',
    [0, first, [3], 'A', first, 9],
  ]);
});
