import type { OpenApiDocument, Schema } from './openapi-document.ts';

/**
 * What programs written against the document hold on to, one line each: operations, their parameters and answers,
 * components, and the fields of components. tests/openapi-names.txt keeps them: none may vanish.
 */
export function namesOf({ paths, components }: OpenApiDocument): Set<string> {
  const names: string[] = [];
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, { operationId = '', parameters = [], requestBody, responses }] of Object.entries(item)) {
      names.push(`operation ${operationId}: ${method.toUpperCase()} ${path}`);
      for (const one of parameters) names.push(`${operationId} takes ${nameOfParameter(one)}`);
      for (const body of schemasIn(requestBody?.content)) names.push(`${operationId} takes ${body}`);
      for (const [status, { content }] of Object.entries(responses)) {
        for (const answer of schemasIn(content)) names.push(`${operationId} answers ${status} ${answer}`);
      }
    }
  }
  for (const [name, schema] of Object.entries(components.schemas)) names.push(...namesOfSchema(name, schema));
  return new Set(names.sort());
}

function namesOfSchema(name: string, schema: Schema): string[] {
  const always = new Set([schema['required'] ?? []].flat());
  const fields = Object.keys(Object(schema['properties'])).map(
    (field) => `field ${name}.${field}${always.has(field) ? '' : '?'}`,
  );
  const values = name === 'ProblemCode' ? [schema['enum'] ?? []].flat().map((code) => `code ${String(code)}`) : [];
  return [`component ${name}`, ...fields, ...values];
}

function nameOfParameter(parameter: Readonly<{ name?: string; in?: string; $ref?: string }>): string {
  return parameter.$ref === undefined ? `${parameter.in} ${parameter.name}` : lastOf(parameter.$ref);
}

/** `Invoice`, `Invoice[]`, or the media type of what has no schema of JSON. */
function schemasIn(content: Readonly<Record<string, { schema: Schema }>> = {}): string[] {
  return Object.entries(content).map(([type, { schema }]) => {
    const { $ref, items }: { $ref?: unknown; items?: unknown } = schema;
    if (typeof $ref === 'string') return lastOf($ref);
    const { $ref: ofItems }: { $ref?: unknown } = Object(items);
    return typeof ofItems === 'string' ? `${lastOf(ofItems)}[]` : type;
  });
}

function lastOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1);
}
