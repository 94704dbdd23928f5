import type { FastifyInstance } from 'fastify';
import type { GuardianService } from '../../../services/accounts/guardian-service.ts';
import { change, create, list, one, remove } from '../../endpoint.ts';
import { tableName } from '../../responses/table.ts';
import { IdParams } from '../../schemas/common.ts';
import {
  GuardianCreate,
  GuardianResponse,
  GuardianUpdate,
  toGuardianChanges,
  toNewGuardian,
} from '../../schemas/families/guardian.ts';

const tag = 'families';
const answer = { schema: GuardianResponse, description: 'The guardian.' };

export function guardianRoutes(routes: FastifyInstance, guardians: GuardianService): void {
  list(routes, '/families/:id/guardians', {
    tag,
    id: 'listGuardians',
    scope: 'families:read',
    isForLinks: true,
    personalData: { of: 'guardians' },
    summary: 'List the guardians of a family',
    refusals: ['family_not_found'],
    row: GuardianResponse,
    params: IdParams,
    filter: ({ params: { id: familyId } }) => ({ familyId }),
    order: ['id'],
    page: async (actor, { familyId }, page, count) => await guardians.listOfFamily(actor, familyId, page, count),
    rows: async (actor, { familyId }) => await guardians.streamOfFamily(actor, familyId),
    fileName: (filter) => tableName('guardians', filter),
  });

  create(routes, '/families/:id/guardians', {
    tag,
    id: 'createGuardian',
    scope: 'families:write',
    summary: 'Add a guardian to a family',
    description: 'Who comes to a family without a principal is it.',
    refusals: ['family_not_found'],
    answer: { ...answer, description: 'The new guardian.' },
    params: IdParams,
    body: GuardianCreate,
    run: async ({ actor, params: { id }, body }, key) => await guardians.create(actor, id, toNewGuardian(body), key),
    location: '/guardians/:id',
  });

  one(routes, '/guardians/:id', {
    tag,
    id: 'getGuardian',
    scope: 'families:read',
    summary: 'Get a guardian',
    refusals: ['guardian_not_found'],
    answer,
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await guardians.findJson(actor, id),
  });

  change(routes, '/guardians/:id', {
    tag,
    id: 'updateGuardian',
    scope: 'families:write',
    summary: 'Change a guardian',
    description: 'What is absent stays as it is; `null` clears. Becoming the principal takes it from the other.',
    refusals: ['guardian_not_found'],
    answer,
    params: IdParams,
    body: GuardianUpdate,
    run: async ({ actor, params: { id }, body }) => await guardians.update(actor, id, toGuardianChanges(body)),
  });

  remove(routes, '/guardians/:id', {
    tag,
    id: 'deleteGuardian',
    scope: 'families:write',
    summary: 'Delete a guardian',
    description: 'For good. Of a principal, the one whom the family has had longest takes the place.',
    refusals: ['guardian_not_found'],
    answer: 'Deleted for good.',
    params: IdParams,
    run: async ({ actor, params: { id } }) => await guardians.delete(actor, id),
  });
}
