import type { SchoolService } from '../../services/accounts/school-service.ts';
import { answerCreation, JSON_TYPE } from '../edge/idempotency-key.ts';
import { creationDocs, LIST_HEADERS, readDocs, writeDocs } from '../openapi.ts';
import { formatOf, formatParameter, LIST_FORMATS } from '../responses/content-negotiation.ts';
import { refusePaging, sendCsv } from '../responses/csv.ts';
import { countModeOf, PAGE_PARAMETERS, readPageRequest, sendListing } from '../responses/pagination.ts';
import type { Routes } from '../routes.ts';
import { IdParams, NoBody, STRICT } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  SchoolCreate,
  SchoolQuery,
  SchoolResponse,
  SchoolUpdate,
  toNewSchool,
  toSchoolChanges,
  toSchoolResponse,
} from '../schemas/school.ts';
import { Type } from '../schemas/type.ts';

const ONE = { status: 200, schema: SchoolResponse, description: 'The school.' };

export function schoolRoutes(routes: Routes, schools: SchoolService): void {
  routes.get(
    '/schools',
    {
      schema: {
        ...readDocs({
          tag: 'schools',
          id: 'listSchools',
          summary: 'List schools, by id',
          success: { status: 200, schema: Type.Array(SchoolResponse), description: 'A page.', headers: LIST_HEADERS },
          formats: LIST_FORMATS,
        }),
        querystring: Type.Object({ ...SchoolQuery, ...PAGE_PARAMETERS, format: formatParameter(LIST_FORMATS) }, STRICT),
      },
    },
    async (request, reply) => {
      const { is_active: isActive, country, q } = request.query;
      const filter = {
        ...(isActive === undefined ? {} : { isActive }),
        ...(country === undefined ? {} : { country: country.toUpperCase() }),
        ...(q === undefined ? {} : { q }),
      };
      if (formatOf(request, reply, LIST_FORMATS, request.query.format) === 'csv') {
        refusePaging(request.query);
        const rows = await schools.stream(filter);
        return await sendCsv(request, reply, { name: 'schools', columns: CSV_COLUMNS.schools, rows });
      }
      const page = readPageRequest(request.query, ['id']);
      const listing = await schools.list(filter, page, countModeOf(request.query));
      return sendListing(request, reply, listing, page);
    },
  );

  routes.post(
    '/schools',
    {
      schema: {
        ...creationDocs({
          tag: 'schools',
          id: 'createSchool',
          summary: 'Open a school',
          refusals: ['school_prefixes_equal', 'school_timezone_unknown', 'school_name_taken'],
          success: { status: 201, schema: SchoolResponse, description: 'The new school.' },
        }),
        body: SchoolCreate,
      },
    },
    async (request, reply) =>
      await answerCreation(
        request,
        reply,
        toSchoolResponse,
        async (creation) => await schools.create(toNewSchool(request.body), creation),
      ),
  );

  routes.get(
    '/schools/:id',
    {
      schema: {
        ...readDocs({
          tag: 'schools',
          id: 'getSchool',
          summary: 'Get a school',
          refusals: ['school_not_found'],
          success: ONE,
          isConditional: true,
        }),
        params: IdParams,
      },
    },
    async (request, reply) => await reply.type(JSON_TYPE).send(await schools.findJson(request.params.id)),
  );

  routes.patch(
    '/schools/:id',
    {
      schema: {
        ...writeDocs({
          tag: 'schools',
          id: 'updateSchool',
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
          success: ONE,
        }),
        params: IdParams,
        body: SchoolUpdate,
      },
    },
    async (request) => toSchoolResponse(await schools.update(request.params.id, toSchoolChanges(request.body))),
  );

  routes.delete(
    '/schools/:id',
    {
      schema: {
        ...writeDocs({
          tag: 'schools',
          id: 'deactivateSchool',
          summary: 'Deactivate a school without students',
          refusals: ['school_not_found', 'school_already_inactive', 'school_has_students'],
          success: { status: 204, description: 'Deactivated.' },
        }),
        params: IdParams,
        body: NoBody,
      },
    },
    async (request, reply) => {
      await schools.deactivate(request.params.id);
      return await reply.code(204).send();
    },
  );

  routes.patch(
    '/schools/:id/activate',
    {
      schema: {
        ...writeDocs({
          tag: 'schools',
          id: 'activateSchool',
          summary: 'Activate a deactivated school',
          refusals: ['school_not_found', 'school_already_active'],
          success: ONE,
        }),
        params: IdParams,
        body: NoBody,
      },
    },
    async (request) => toSchoolResponse(await schools.activate(request.params.id)),
  );
}
