import type { FastifyInstance } from 'fastify';
import type { FamilyService } from '../../../services/accounts/family-service.ts';
import { change, create, list, one, remove } from '../../endpoint.ts';
import { tableName } from '../../responses/table.ts';
import { IdParams, toInstant } from '../../schemas/common.ts';
import { CSV_COLUMNS } from '../../schemas/csv-columns.ts';
import {
  FamilyCreate,
  FamilyQuery,
  FamilyResponse,
  FamilyUpdate,
  toFamilyChanges,
  toNewFamily,
} from '../../schemas/families/family.ts';
import { readSearch } from '../../schemas/search.ts';

const tag = 'families';
const answer = { schema: FamilyResponse, description: 'The family.' };

export function familyRoutes(routes: FastifyInstance, families: FamilyService): void {
  list(routes, '/families', {
    tag,
    id: 'listFamilies',
    scope: 'families:read',
    personalData: { of: 'families' },
    summary: 'List families, by name in one school, else by id',
    description: 'A file has the principal guardian of each in place of all its guardians.',
    row: FamilyResponse,
    query: FamilyQuery,
    refusals: ['cursor_outdated'],
    filter: ({ query: { school_id: schoolId, external_id: externalId, q, updated_since: since } }) => ({
      schoolId,
      externalId,
      words: readSearch(q),
      updatedSince: toInstant(since),
    }),
    order: ({ schoolId }) => (schoolId === undefined ? ['id'] : ['id', 'id']),
    page: async (actor, filter, page, count) => await families.list(actor, filter, page, count),
    rows: async (actor, filter) => await families.stream(actor, filter),
    columns: CSV_COLUMNS.families,
    fileName: (filter) => tableName('families', filter),
  });

  create(routes, '/families', {
    tag,
    id: 'createFamily',
    scope: 'families:write',
    summary: 'Open a family: who owes, and who pays',
    refusals: ['school_not_found', 'school_not_active', 'family_external_id_taken'],
    answer: { ...answer, description: 'The new family.' },
    body: FamilyCreate,
    run: async ({ actor, body }, key) => await families.create(actor, toNewFamily(body), key),
    location: '/families/:id',
  });

  one(routes, '/families/:id', {
    tag,
    id: 'getFamily',
    scope: 'families:read',
    isForLinks: true,
    summary: 'Get a family',
    refusals: ['family_not_found'],
    answer,
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await families.findJson(actor, id),
  });

  change(routes, '/families/:id', {
    tag,
    id: 'updateFamily',
    scope: 'families:write',
    summary: 'Change a family',
    description: 'What is absent stays as it is; `null` clears. A family never changes school.',
    refusals: ['family_not_found', 'family_external_id_taken'],
    answer,
    params: IdParams,
    body: FamilyUpdate,
    run: async ({ actor, params: { id }, body }) => await families.update(actor, id, toFamilyChanges(body)),
  });

  remove(routes, '/families/:id', {
    tag,
    id: 'deleteFamily',
    scope: 'families:write',
    summary: 'Delete a family that has no student, invoice or payment',
    description: 'For good, and its guardians with it.',
    refusals: ['family_not_found', 'family_in_use'],
    answer: 'Deleted for good.',
    params: IdParams,
    run: async ({ actor, params: { id } }) => await families.delete(actor, id),
  });
}
