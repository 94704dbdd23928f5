import type { FastifyInstance } from 'fastify';
import type { SchoolService } from '../../services/accounts/school-service.ts';
import { change, create, list, one, remove } from '../endpoint.ts';
import { IdParams, toInstant } from '../schemas/common.ts';
import {
  SchoolCreate,
  SchoolQuery,
  SchoolResponse,
  SchoolUpdate,
  toNewSchool,
  toSchoolChanges,
} from '../schemas/school.ts';
import { readSearch } from '../schemas/search.ts';

const tag = 'schools';
const answer = { schema: SchoolResponse, description: 'The school.' };

export function schoolRoutes(routes: FastifyInstance, schools: SchoolService): void {
  list(routes, '/schools', {
    tag,
    id: 'listSchools',
    scope: 'schools:read',
    summary: 'List schools, by id',
    row: SchoolResponse,
    query: SchoolQuery,
    filter: ({ query: { is_active: isActive, country, q, updated_since: since } }) => ({
      isActive,
      country: country?.toUpperCase(),
      words: readSearch(q),
      updatedSince: toInstant(since),
    }),
    order: ['id'],
    page: async (actor, filter, page, count) => await schools.list(actor, filter, page, count),
    rows: async (actor, filter) => await schools.stream(actor, filter),
    fileName: () => 'schools',
  });

  create(routes, '/schools', {
    tag,
    id: 'createSchool',
    scope: 'schools:write',
    needsAllSchools: true,
    summary: 'Open a school',
    refusals: ['school_prefixes_equal', 'school_timezone_unknown', 'school_name_taken'],
    answer: { ...answer, description: 'The new school.' },
    body: SchoolCreate,
    run: async ({ actor, body }, key) => await schools.create(actor, toNewSchool(body), key),
    location: '/schools/:id',
  });

  one(routes, '/schools/:id', {
    tag,
    id: 'getSchool',
    scope: 'schools:read',
    summary: 'Get a school',
    refusals: ['school_not_found'],
    answer,
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await schools.findJson(actor, id),
  });

  change(routes, '/schools/:id', {
    tag,
    id: 'updateSchool',
    scope: 'schools:write',
    summary: 'Change a school',
    description: 'What is absent stays as it is.',
    refusals: [
      'school_not_found',
      'school_inactive',
      'school_prefixes_equal',
      'school_timezone_unknown',
      'school_name_taken',
      'school_currency_locked',
    ],
    answer,
    params: IdParams,
    body: SchoolUpdate,
    run: async ({ actor, params: { id }, body }) => await schools.update(actor, id, toSchoolChanges(body)),
  });

  remove(routes, '/schools/:id', {
    tag,
    id: 'deactivateSchool',
    scope: 'schools:write',
    summary: 'Deactivate a school without students',
    description: 'It stays on record, takes no students, and can be activated again.',
    refusals: ['school_not_found', 'school_already_inactive', 'school_has_students'],
    answer: 'Deactivated.',
    params: IdParams,
    run: async ({ actor, params: { id } }) => await schools.deactivate(actor, id),
  });

  change(routes, '/schools/:id/activate', {
    tag,
    id: 'activateSchool',
    scope: 'schools:write',
    summary: 'Activate a deactivated school',
    description: 'From then on it takes students again.',
    refusals: ['school_not_found', 'school_already_active'],
    answer,
    params: IdParams,
    run: async ({ actor, params: { id } }) => await schools.activate(actor, id),
  });
}
