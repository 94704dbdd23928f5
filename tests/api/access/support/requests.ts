import type { InjectOptions } from 'fastify';
import type { OpenApiDocument, Operation, Schema } from '../../../../scripts/openapi-document.ts';
import type { Json } from '../../../support/billing.ts';

/** An operation of the document, where every reference is replaced by what it refers to. */
export type Target = Readonly<{ name: string; method: string; path: string; operation: Operation }>;

export function targetsOf({ paths }: OpenApiDocument): Target[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(
      ([method, operation]): Target => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        operation,
      }),
    ),
  );
}

/** A place of a request that an id stands in: `kind` is what it is the id of, as the paths have it. */
export type Place = Readonly<{ in: 'path' | 'query' | 'body'; name: string; kind: string }>;

/** Every place of the operation in which an id can stand. */
export function placesOf({ path, operation }: Target): Place[] {
  const kindInPath = /\/([a-z-]+)\/\{id\}/.exec(path)?.[1];
  const inPath: Place[] = kindInPath === undefined ? [] : [{ in: 'path', name: 'id', kind: kindInPath }];
  const query = (operation.parameters ?? []).flatMap(({ in: where, name = '', schema }) =>
    where === 'query' && isId(name, schema) ? [{ in: 'query' as const, name, kind: kindOf(name) }] : [],
  );
  const body = namesIn(bodySchemaOf(operation)).map((name) => ({ in: 'body' as const, name, kind: kindOf(name) }));
  return [...inPath, ...query, ...body];
}

/**
 * A request that the schemas let through, and that the rules have nothing against where `ids` are of one school.
 *
 * @param ids by kind, for every place
 * @param other the id for one place alone
 */
export function requestFor(
  { method, path, operation }: Target,
  ids: Readonly<Record<string, number>>,
  other?: Readonly<{ place: Place; id: number }>,
): InjectOptions {
  const idAt = (place: Place): number =>
    place.in === other?.place.in && place.name === other.place.name ? other.id : (ids[place.kind] ?? 0);
  const places = placesOf({ name: '', method, path, operation });
  const url = path.replace(/\{\w+\}/, () => String(places[0]?.in === 'path' ? idAt(places[0]) : 'scope_missing'));
  const query: Record<string, string> = {};
  for (const parameter of operation.parameters ?? []) {
    const { in: where, name = '', required = false, schema } = parameter;
    if (where === 'query' && required) query[name] = String(exampleOf(schema ?? {}, () => 0));
  }
  if (other?.place.in === 'query') query[other.place.name] = String(other.id);
  const schema = bodySchemaOf(operation);
  const body =
    schema === undefined || other?.place.in === 'query'
      ? undefined
      : {
          ...Object(exampleOf(schema, (name) => idAt({ in: 'body', name, kind: kindOf(name) }))),
          ...BODIES[operation.operationId ?? ''],
        };
  return {
    method: method as 'GET',
    url,
    query,
    ...(body === undefined ? {} : { payload: body, headers: { 'content-type': 'application/json' } }),
  };
}

/** What no example can say, because of two members only one may be there, or because of what there is already. */
const BODIES: Readonly<Record<string, Json>> = {
  createStudent: { email: null },
  createDiscount: { percent: '1', code: 'another' },
  createPeriod: { starts_on: '2027-09-01', ends_on: '2028-06-30' },
  createPlan: { items: { installments: 2, first_due_on: '2026-09-10', amount: '10.00' } },
};

export function bodySchemaOf({ requestBody }: Operation): Schema | undefined {
  const schema = requestBody?.content['application/json']?.schema;
  return schema === undefined || schema['properties'] === undefined ? undefined : schema;
}

/** Of a PATCH, where no member is required, one that may have this value in whatever state. */
const PLAIN: ReadonlySet<string> = new Set(['name', 'first_name', 'description', 'due_date']);

/** The required members, and those that hold ids. */
function exampleOf(schema: Schema, idOf: (name: string) => number): unknown {
  const { type, examples, properties, items, anyOf, minimum, ...more }: Json = schema;
  const [first] = [examples ?? []].flat(1).filter((one) => one !== null);
  if (properties !== undefined) {
    const required = new Set([more['required'] ?? []].flat());
    return Object.fromEntries(
      Object.entries(Object(properties))
        .filter(
          ([name, member]) => required.has(name) || holdsId(name, member) || (required.size === 0 && PLAIN.has(name)),
        )
        .map(([name, member]) => [
          name,
          isId(name, member) && name.endsWith('_ids')
            ? [idOf(name)]
            : isId(name, member)
              ? idOf(name)
              : exampleOf(Object(member), idOf),
        ]),
    );
  }
  if (first !== undefined) return first;
  if (Array.isArray(anyOf)) return exampleOf(Object(anyOf[0]), idOf);
  if (Array.isArray(more['enum'])) return more['enum'][0];
  const types: unknown[] = [type].flat();
  if (types.includes('array')) return [exampleOf(Object(items), idOf)];
  if (types.includes('integer')) return minimum ?? 1;
  return types.includes('boolean') ? true : 'x';
}

function namesIn(schema: Schema | undefined): string[] {
  return Object.entries(Object(schema?.['properties'])).flatMap(([name, member]) => {
    if (isId(name, member)) return [name];
    const { items, properties }: { items?: Schema; properties?: unknown } = Object(member);
    return namesIn(properties === undefined ? items : Object(member));
  });
}

function holdsId(name: string, member: unknown): boolean {
  return namesIn({ properties: { [name]: member } }).length > 0;
}

/** One of ours: a tax_id is none. */
function isId(name: string, schema: unknown): boolean {
  return /_ids?$/.test(name) && /^(integer|array)/.test(String(Object(schema).type));
}

/** `credit_note_id` and `credit_note_ids` are of credit-notes. */
function kindOf(name: string): string {
  const thing = name.replace(/_ids?$/, '').replaceAll('_', '-');
  return thing.endsWith('y') ? `${thing.slice(0, -1)}ies` : `${thing}s`;
}
