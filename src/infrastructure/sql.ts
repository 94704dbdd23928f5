/**
 * SQL written as SQL: sql`select id from schools where id = ${id}` keeps text and values apart, so a value can never
 * become text. Statements nest: a value that is itself a statement is spliced in, its parameters renumbered.
 */
export type Statement = Readonly<{ parts: readonly string[]; values: readonly unknown[] }>;

const statements = new WeakSet<object>();

/** @param values parameters, or statements to splice in at their place */
export function sql(parts: TemplateStringsArray, ...values: readonly unknown[]): Statement {
  return values.some(isStatement) ? statement(...flatten(parts, values)) : statement(parts, values);
}

/** Statements in a row with a separator such as " and " between them. Nothing for an empty list. */
export function joinSql(list: readonly Statement[], separator: string): Statement {
  const parts = list.map((_, index) => (index === 0 ? '' : separator));
  return statement(...flatten([...parts, ''], list));
}

const texts = new WeakMap<readonly string[], string>();

/** The text PostgreSQL gets, with $1, $2 … for the values. Compiled once per place in the code that has no splices. */
export function textOf({ parts }: Statement): string {
  let text = texts.get(parts);
  if (text === undefined) {
    text = parts.reduce((so, part, index) => `${so}$${index}${part}`);
    texts.set(parts, text);
  }
  return text;
}

function isStatement(value: unknown): value is Statement {
  return typeof value === 'object' && value !== null && statements.has(value);
}

function statement(parts: readonly string[], values: readonly unknown[]): Statement {
  const made = { parts, values };
  statements.add(made);
  return made;
}

function flatten(parts: readonly string[], values: readonly unknown[]): [parts: string[], values: unknown[]] {
  const flatParts = [parts[0] ?? ''];
  const flatValues: unknown[] = [];
  values.forEach((value, index) => {
    const after = parts[index + 1] ?? '';
    if (isStatement(value)) {
      flatParts[flatParts.length - 1] += value.parts[0] ?? '';
      flatParts.push(...value.parts.slice(1));
      flatValues.push(...value.values);
      flatParts[flatParts.length - 1] += after;
    } else {
      flatParts.push(after);
      flatValues.push(value);
    }
  });
  return [flatParts, flatValues];
}
