import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scanJson } from '../../../src/api/edge/json-scan.ts';

const none = (): boolean => false;

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON with white space and odd names in it, and one change somewhere: most are no JSON any more. */
const changed = fc
  .record({
    text: fc.json({ maxDepth: 4 }).map((json) => json.replaceAll(/([[{,:])/g, '$1 \n')),
    at: fc.nat(),
    cut: fc.nat({ max: 3 }),
    put: fc.oneof(
      fc.constantFrom(
        '',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '0',
        '-',
        '.',
        'e1',
        '\\u00',
        'null',
        '\t',
        '\0',
        ' ',
      ),
      fc.string({ maxLength: 2 }),
    ),
  })
  .map(({ text, at, cut, put }) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + put + text.slice(place + cut);
  });

test('it takes what JSON.parse takes', () => {
  fc.assert(
    fc.property(fc.oneof(changed, fc.json(), fc.string()), (text) => {
      expect(scanJson(text, none).brokenAt === undefined).toBe(isJson(text));
    }),
    { numRuns: 3_000 },
  );
});

test('it breaks off at the first character that cannot be there', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.nat(), fc.string(), (json, count, rest) => {
      const tokens = json.match(/"(?:[^"\\]|\\.)*"|[\w.+-]+|[[\]{},:]/g) ?? [];
      const before = tokens.slice(0, count % (tokens.length + 1)).join('');
      expect(scanJson(`${before}@${rest}`, none).brokenAt).toBe(before.length);
    }),
  );
});

test('it finds a repeated member wherever JSON.parse loses one', () => {
  const member = fc.tuple(
    fc.constantFrom('a', 'b', 'c', '__proto__', ''),
    fc.constantFrom('1', '[]', '[{"a":1}]', '{"b":2}'),
  );
  fc.assert(
    fc.property(fc.array(member, { maxLength: 5 }), (members) => {
      const inner = `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
      const { repeated } = scanJson(`[0, {"x": ${inner}}]`, none);
      const names = members.map(([name]) => name);
      const first = names.find((name, index) => names.indexOf(name) < index);
      expect(repeated).toEqual(first === undefined ? undefined : ['1', 'x', first]);
    }),
  );
});
