import type { StudentService } from '../../services/accounts/student-service.ts';
import { answerCreation, JSON_TYPE } from '../edge/idempotency-key.ts';
import { creationDocs, LIST_HEADERS, readDocs, writeDocs } from '../openapi.ts';
import { formatOf, formatParameter, LIST_FORMATS } from '../responses/content-negotiation.ts';
import { csvName, refusePaging, sendCsv } from '../responses/csv.ts';
import { countModeOf, PAGE_PARAMETERS, readPageRequest, sendListing } from '../responses/pagination.ts';
import type { Routes } from '../routes.ts';
import { IdParams, NoBody, STRICT } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  StudentCreate,
  StudentQuery,
  StudentResponse,
  StudentUpdate,
  toNewStudent,
  toStudentChanges,
  toStudentResponse,
} from '../schemas/student.ts';
import { Type } from '../schemas/type.ts';

const ONE = { status: 200, schema: StudentResponse, description: 'The student.' };

export function studentRoutes(routes: Routes, students: StudentService): void {
  routes.get(
    '/students',
    {
      schema: {
        ...readDocs({
          tag: 'students',
          id: 'listStudents',
          summary: 'List students, by last name in one school, else by id',
          success: { status: 200, schema: Type.Array(StudentResponse), description: 'A page.', headers: LIST_HEADERS },
          formats: LIST_FORMATS,
        }),
        querystring: Type.Object(
          { ...StudentQuery, ...PAGE_PARAMETERS, format: formatParameter(LIST_FORMATS) },
          STRICT,
        ),
      },
    },
    async (request, reply) => {
      const { school_id: schoolId, q } = request.query;
      const filter = { ...(schoolId === undefined ? {} : { schoolId }), ...(q === undefined ? {} : { q }) };
      if (formatOf(request, reply, LIST_FORMATS, request.query.format) === 'csv') {
        refusePaging(request.query);
        const rows = await students.stream(filter);
        return await sendCsv(request, reply, {
          name: csvName('students', filter),
          columns: CSV_COLUMNS.students,
          rows,
        });
      }
      const page = readPageRequest(request.query, schoolId === undefined ? ['id'] : ['text', 'text', 'id']);
      const listing = await students.list(filter, page, countModeOf(request.query));
      return sendListing(request, reply, listing, page);
    },
  );

  routes.post(
    '/students',
    {
      schema: {
        ...creationDocs({
          tag: 'students',
          id: 'createStudent',
          summary: 'Enrol a student',
          refusals: ['school_not_found', 'school_not_active', 'student_email_taken'],
          success: { status: 201, schema: StudentResponse, description: 'The new student.' },
        }),
        body: StudentCreate,
      },
    },
    async (request, reply) =>
      await answerCreation(
        request,
        reply,
        toStudentResponse,
        async (creation) => await students.create(toNewStudent(request.body), creation),
      ),
  );

  routes.get(
    '/students/:id',
    {
      schema: {
        ...readDocs({
          tag: 'students',
          id: 'getStudent',
          summary: 'Get a student',
          refusals: ['student_not_found'],
          success: ONE,
          isConditional: true,
        }),
        params: IdParams,
      },
    },
    async (request, reply) => await reply.type(JSON_TYPE).send(await students.findJson(request.params.id)),
  );

  routes.patch(
    '/students/:id',
    {
      schema: {
        ...writeDocs({
          tag: 'students',
          id: 'updateStudent',
          summary: 'Change a student',
          description: 'What is absent stays as it is. A student never changes school.',
          refusals: ['student_not_found', 'student_email_taken'],
          success: ONE,
        }),
        params: IdParams,
        body: StudentUpdate,
      },
    },
    async (request) => toStudentResponse(await students.update(request.params.id, toStudentChanges(request.body))),
  );

  routes.delete(
    '/students/:id',
    {
      schema: {
        ...writeDocs({
          tag: 'students',
          id: 'deleteStudent',
          summary: 'Delete a student who was never billed',
          refusals: ['student_not_found', 'student_has_invoices'],
          success: { status: 204, description: 'Deleted for good.' },
        }),
        params: IdParams,
        body: NoBody,
      },
    },
    async (request, reply) => {
      await students.delete(request.params.id);
      return await reply.code(204).send();
    },
  );
}
