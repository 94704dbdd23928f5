import type { OpenApiDocument } from './openapi-document.ts';

/** The document with every reference replaced by what it refers to; what stands beside a reference wins. */
export function dereferenced(document: OpenApiDocument): OpenApiDocument {
  const follow = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(follow);
    if (typeof value !== 'object' || value === null) return value;
    const { $ref, ...own }: { $ref?: unknown } = value;
    const members = Object.fromEntries(Object.entries(own).map(([name, member]) => [name, follow(member)]));
    return typeof $ref === 'string' ? { ...Object(follow(targetOf(document, $ref))), ...members } : members;
  };
  return Object(follow(document));
}

/** What a reference such as `#/components/schemas/Invoice` refers to. @throws Error when there is no such thing */
export function targetOf(document: OpenApiDocument, reference: string): unknown {
  const found = reference
    .split('/')
    .slice(1)
    .reduce<unknown>((at, name) => Reflect.get(Object(at), name), document);
  if (found === undefined) throw new Error(`${reference} refers to nothing`);
  return found;
}
