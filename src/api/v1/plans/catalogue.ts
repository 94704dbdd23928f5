import type { FastifyInstance } from 'fastify';
import type { Static, TObject, TProperties, TSchema } from 'typebox';
import type { Actor } from '../../../domain/access/actor.ts';
import type { CountMode, PageRequest } from '../../../domain/shared/page.ts';
import type { DomainEvent, Outcome } from '../../../services/shared/events.ts';
import type { IdempotencyKey } from '../../../services/shared/idempotency.ts';
import type { Listing, Rows } from '../../../services/shared/listing.ts';
import type { ProblemCode } from '../../edge/problems.ts';
import { change, create, list, one, remove } from '../../endpoint.ts';
import { tableName } from '../../responses/table.ts';
import { IdParams } from '../../schemas/common.ts';

/** What the routes of a resource ask. */
type Resource<Asked, Changes, Filter> = Readonly<{
  list(actor: Actor, filter: Filter, page: PageRequest, count: CountMode): Promise<Listing>;
  stream(actor: Actor, filter: Filter): Promise<Rows>;
  findJson(actor: Actor, id: number): Promise<string>;
  create(actor: Actor, asked: Asked, key: IdempotencyKey | null): Promise<Outcome<DomainEvent>>;
  update(actor: Actor, id: number, changes: Changes): Promise<Outcome<DomainEvent>>;
  delete(actor: Actor, id: number): Promise<unknown>;
}>;

type CatalogueRoutes<
  Create extends TSchema,
  Update extends TSchema,
  Query extends TProperties,
  Asked,
  Changes,
  Filter extends { schoolId?: number | undefined },
> = Readonly<{
  resource: Resource<Asked, Changes, Filter>;
  /** Below the prefix, such as `/periods`. */
  path: string;
  tag: string;
  /** `Period`: what operations are named after; what it is called in sentences, one and several. */
  name: string;
  words: readonly [one: string, several: string];
  notFound: ProblemCode;
  inUse: ProblemCode;
  shape: TObject;
  query: Query;
  filter: (query: Static<TObject<Query>>) => Filter;
  body: Readonly<{ create: Create; update: Update }>;
  toNew: (body: Static<Create>) => Asked;
  toChanges: (body: Static<Update>) => Changes;
  /** What the one and the other can be refused with, beside what all are. */
  refusals: Readonly<{ create: readonly ProblemCode[]; update: readonly ProblemCode[] }>;
  descriptions?: Readonly<{ create?: string; update?: string; remove?: string }>;
}>;

/** The five routes that every resource of the catalogue has. */
export function catalogueRoutes<
  Create extends TSchema,
  Update extends TSchema,
  Query extends TProperties,
  Asked,
  Changes,
  Filter extends { schoolId?: number | undefined },
>(routes: FastifyInstance, of: CatalogueRoutes<Create, Update, Query, Asked, Changes, Filter>): void {
  const { resource, path, tag, name, words, notFound, descriptions = {} } = of;
  const [single, several] = words;
  const article = /^[aeiou]/.test(single) ? 'an' : 'a';
  const answer = { schema: of.shape, description: `The ${single}.` };

  list(routes, path, {
    tag,
    id: `list${several.split(' ').map(capital).join('')}`,
    scope: 'plans:read',
    summary: `List ${several}, by id`,
    row: of.shape,
    query: of.query,
    filter: ({ query }) => of.filter(query),
    order: ['id'],
    page: async (actor, filter, page, count) => await resource.list(actor, filter, page, count),
    rows: async (actor, filter) => await resource.stream(actor, filter),
    fileName: ({ schoolId }) => tableName(path.slice(1), { schoolId }),
  });

  create(routes, path, {
    tag,
    id: `create${name}`,
    scope: 'plans:write',
    summary: `Make ${article} ${single}`,
    ...(descriptions.create === undefined ? {} : { description: descriptions.create }),
    refusals: of.refusals.create,
    answer: { ...answer, description: `The new ${single}.` },
    body: of.body.create,
    run: async ({ actor, body }, key) => await resource.create(actor, of.toNew(body), key),
    location: `${path}/:id`,
  });

  one(routes, `${path}/:id`, {
    tag,
    id: `get${name}`,
    scope: 'plans:read',
    summary: `Get ${article} ${single}`,
    refusals: [notFound],
    answer,
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await resource.findJson(actor, id),
  });

  change(routes, `${path}/:id`, {
    tag,
    id: `update${name}`,
    scope: 'plans:write',
    summary: `Change ${article} ${single}`,
    description: ['What is absent stays as it is.', descriptions.update].filter(Boolean).join(' '),
    refusals: [notFound, ...of.refusals.update],
    answer,
    params: IdParams,
    body: of.body.update,
    run: async ({ actor, params: { id }, body }) => await resource.update(actor, id, of.toChanges(body)),
  });

  remove(routes, `${path}/:id`, {
    tag,
    id: `delete${name}`,
    scope: 'plans:write',
    summary: `Delete ${article} ${single} that is not in use`,
    description: ['For good.', descriptions.remove].filter(Boolean).join(' '),
    refusals: [notFound, of.inUse],
    answer: 'Deleted for good.',
    params: IdParams,
    run: async ({ actor, params: { id } }) => await resource.delete(actor, id),
  });
}

function capital(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}
