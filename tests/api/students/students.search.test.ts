import { describe, expect, test } from 'vitest';
import { type Json, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();

type Name = readonly [first: string, last: string, email?: string];
type Row = Json & { id: number; first_name: string; last_name: string };

async function aSchoolOf(names: readonly Name[]): Promise<number> {
  const schoolId = await billing.aSchool();
  for (const [first_name, last_name, email] of names) {
    await billing.aStudent({ school_id: schoolId, first_name, last_name, ...(email === undefined ? {} : { email }) });
  }
  return schoolId;
}

async function lastNames(path: string): Promise<string[]> {
  const { status, body } = await billing.get<Row[]>(path);
  expect(`${path} ${status}`).toBe(`${path} 200`);
  return body.map(({ last_name }) => last_name);
}

describe('q', async () => {
  const schoolId = await aSchoolOf([
    ['María', 'Núñez Álvarez', 'mna@uno.mx'],
    ['Maria Jose', 'Nun\u0303ez', 'z.q@dos.mx'],
    ['Seán', 'O’Brien'],
    ['Wei', 'Li'],
    ['Ana', 'García-Li'],
    ['Elizabeth', 'Paz'],
    ['Óscar', 'de la O'],
    ['Ana 100%', 'x_y\\z'],
    ['Jürgen', 'Weiß'],
  ]);

  test.each<[q: string, found: string[]]>([
    ['nunez maria', ['Nun\u0303ez', 'Núñez Álvarez']],
    ['MARÍA  NÚÑEZ', ['Nun\u0303ez', 'Núñez Álvarez']],
    ['mari\u0301a nu\u0301n\u0303ez', ['Nun\u0303ez', 'Núñez Álvarez']],
    ['\u00a0alvarez\tmaria\n', ['Núñez Álvarez']],
    ['maria maria', ['Nun\u0303ez', 'Núñez Álvarez']],
    ['uñe', ['Nun\u0303ez', 'Núñez Álvarez']],
    ['mna@uno.mx', ['Núñez Álvarez']],
    ['nunez dos.mx', ['Nun\u0303ez']],
    ['nunez wei', []],
    ["o'brien", ['O’Brien']],
    ['O’BRIEN', ['O’Brien']],
    ['br', ['O’Brien']],
    ['weiss', ['Weiß']],
    // Short words only where a word begins: else this would find Elizabeth too.
    ['li', ['García-Li', 'Li']],
    ['li\u0301', ['García-Li', 'Li']],
    ['de la o', ['de la O']],
    ['o', ['de la O', 'O’Brien']],
    ['100%', ['x_y\\z']],
    ['%%%', []],
    ['x_y', ['x_y\\z']],
    ['n_nez', []],
    ['y\\z', ['x_y\\z']],
    ['\uff3f\uff3f\uff3f', []],
    ['a b c d e f g h', []],
    ["' or 1=1 --", []],
  ])('200: %j finds %j', async (q, found) => {
    expect(await lastNames(`/students?school_id=${schoolId}&q=${encodeURIComponent(q)}`)).toEqual(found);
  });
});

describe('the order of names', () => {
  const SPANISH = ['Alba', 'Ávila', 'de la O', 'Lopez', 'López', 'Núñez', 'Ñúñez'];

  test('200: of one school it is that of a Spanish reader, on pages too; of equal names the older comes first', async () => {
    const shuffled = [4, 2, 6, 0, 3, 5, 1].map((index): Name => ['Ana', SPANISH[index] ?? '']);
    const schoolId = await aSchoolOf([...shuffled, ['Ana', 'Alba'], ['Álvaro', 'Alba'], ['Beto', 'Alba']]);
    const whole = (await billing.get<Row[]>(`/students?school_id=${schoolId}`)).body;
    expect(whole.map(({ last_name }) => last_name)).toEqual(['Alba', 'Alba', 'Alba', ...SPANISH]);
    const albas = whole.slice(0, 4);
    expect(albas.map(({ first_name }) => first_name)).toEqual(['Álvaro', 'Ana', 'Ana', 'Beto']);
    expect(albas[1]?.id).toBeLessThan(albas[2]?.id ?? 0);
    expect(await walk(`/students?school_id=${schoolId}&limit=1`)).toEqual(whole.map(({ id }) => id));
    expect((await billing.get(`/students?school_id=${schoolId}&format=csv`)).text.match(/Alba|Ñúñez/g)?.at(-1)).toBe(
      'Ñúñez',
    );
  });

  test('400: a cursor whose row was renamed, changed or deleted; the others go on, whatever happens to their rows', async () => {
    const schoolId = await aSchoolOf(['A', 'B', 'C', 'D', 'E', 'F'].map((last): Name => ['Ana', last]));
    const ids = await walk(`/students?school_id=${schoolId}`);
    const placeAfter = async (count: number): Promise<string> =>
      nextOf((await billing.get(`/students?school_id=${schoolId}&limit=${count}`)).headers['link']) ?? '';
    const [afterA, afterB, afterC, afterD] = [
      await placeAfter(1),
      await placeAfter(2),
      await placeAfter(3),
      await placeAfter(4),
    ];

    await billing.patch(`/students/${ids[0]}`, { last_name: 'Z' });
    await billing.delete(`/students/${ids[1]}`);
    await billing.patch(`/students/${ids[2]}`, { email: 'otra@c.mx' });
    for (const outdated of [afterA, afterB, afterC]) {
      expectProblem(await billing.get(outdated), 400, 'cursor_outdated');
    }
    await billing.patch(`/students/${ids[4]}`, { last_name: 'Y' });
    expect(await lastNames(afterD.replace('limit=4', 'limit=9'))).toEqual(['F', 'Y', 'Z']);
  });
});

function nextOf(link: unknown): string | undefined {
  const [, address] = /<\/api\/v1([^>]+)>; rel="next"/.exec(String(link)) ?? [];
  return address;
}

async function walk(start: string): Promise<number[]> {
  const ids: number[] = [];
  for (let path: string | undefined = start; path !== undefined; ) {
    const answer: Awaited<ReturnType<typeof billing.get<Row[]>>> = await billing.get<Row[]>(path);
    ids.push(...answer.body.map(({ id }) => id));
    path = nextOf(answer.headers['link']);
  }
  return ids;
}
