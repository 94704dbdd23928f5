import type { FastifyInstance } from 'fastify';
import type { StudentService } from '../../services/accounts/student-service.ts';
import { change, create, list, one, remove } from '../endpoint.ts';
import { tableName } from '../responses/table.ts';
import { IdParams, toInstant } from '../schemas/common.ts';
import { readSearch } from '../schemas/search.ts';
import {
  StudentCreate,
  StudentQuery,
  StudentResponse,
  StudentUpdate,
  toNewStudent,
  toStudentChanges,
} from '../schemas/student.ts';

const tag = 'students';
const answer = { schema: StudentResponse, description: 'The student.' };

export function studentRoutes(routes: FastifyInstance, students: StudentService): void {
  list(routes, '/students', {
    tag,
    id: 'listStudents',
    scope: 'students:read',
    isForLinks: true,
    personalData: { of: 'students' },
    summary: 'List students, by last name in one school, else by id',
    row: StudentResponse,
    query: StudentQuery,
    refusals: ['cursor_outdated'],
    filter: ({
      query: { school_id: schoolId, family_id: familyId, external_id: externalId, q, updated_since: since },
    }) => ({
      schoolId,
      familyId,
      externalId,
      words: readSearch(q),
      updatedSince: toInstant(since),
    }),
    order: ({ schoolId }) => (schoolId === undefined ? ['id'] : ['id', 'id']),
    page: async (actor, filter, page, count) => await students.list(actor, filter, page, count),
    rows: async (actor, filter) => await students.stream(actor, filter),
    fileName: (filter) => tableName('students', filter),
  });

  create(routes, '/students', {
    tag,
    id: 'createStudent',
    scope: 'students:write',
    summary: 'Enrol a student',
    refusals: [
      'school_not_found',
      'school_not_active',
      'family_not_found',
      'student_email_taken',
      'student_external_id_taken',
    ],
    answer: { ...answer, description: 'The new student.' },
    body: StudentCreate,
    run: async ({ actor, body }, key) => await students.create(actor, toNewStudent(body), key),
    location: '/students/:id',
  });

  one(routes, '/students/:id', {
    tag,
    id: 'getStudent',
    scope: 'students:read',
    isForLinks: true,
    summary: 'Get a student',
    refusals: ['student_not_found'],
    answer,
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await students.findJson(actor, id),
  });

  change(routes, '/students/:id', {
    tag,
    id: 'updateStudent',
    scope: 'students:write',
    summary: 'Change a student',
    description:
      'What is absent stays as it is. A student never changes school. The first family it comes to takes over what was billed to it before, and the payments of that; from one family to another nothing goes with it.',
    refusals: ['student_not_found', 'family_not_found', 'student_email_taken', 'student_external_id_taken'],
    answer,
    params: IdParams,
    body: StudentUpdate,
    run: async ({ actor, params: { id }, body }) => await students.update(actor, id, toStudentChanges(body)),
  });

  remove(routes, '/students/:id', {
    tag,
    id: 'deleteStudent',
    scope: 'students:write',
    summary: 'Delete a student who was never billed',
    description: 'For good. Whoever was billed stays on record, voided invoices included.',
    refusals: ['student_not_found', 'student_has_invoices', 'student_in_use'],
    answer: 'Deleted for good.',
    params: IdParams,
    run: async ({ actor, params: { id } }) => await students.delete(actor, id),
  });
}
