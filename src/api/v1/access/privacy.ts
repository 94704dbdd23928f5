import type { FastifyInstance } from 'fastify';
import type { PrivacyService } from '../../../services/access/privacy-service.ts';
import { create, one } from '../../endpoint.ts';
import {
  ErasureResponse,
  GuardianErasureCreate,
  PersonalDataResponse,
  StudentErasureCreate,
  toStudentErasure,
} from '../../schemas/access/privacy.ts';
import { IdParams } from '../../schemas/common.ts';

const tag = 'privacy';
const answer = { schema: ErasureResponse, description: 'What was done, and why.' };

export function privacyRoutes(routes: FastifyInstance, privacy: PrivacyService): void {
  create(routes, '/students/:id/erasure', {
    tag,
    id: 'eraseStudent',
    scope: 'privacy:write',
    summary: 'Take away who a student is, for good',
    description:
      'Names become `Erased`; e-mail and external id go, and with the last student of a family its guardians and its name. Invoices, payments, numbers and totals stay as they are. So do backups that were made before.',
    refusals: ['student_not_found', 'invoice_not_found', 'payment_not_found', 'credit_note_not_found'],
    answer,
    params: IdParams,
    body: StudentErasureCreate,
    run: async ({ actor, params: { id }, body }, key) =>
      await privacy.eraseStudent(actor, id, toStudentErasure(body), key),
    location: '/students/:student_id',
  });

  create(routes, '/guardians/:id/erasure', {
    tag,
    id: 'eraseGuardian',
    scope: 'privacy:write',
    summary: 'Take away who a guardian is, for good',
    description: 'The name becomes `Erased`; e-mail, telephone and relationship go.',
    refusals: ['guardian_not_found'],
    answer,
    params: IdParams,
    body: GuardianErasureCreate,
    run: async ({ actor, params: { id }, body: { reason } }, key) =>
      await privacy.eraseGuardian(actor, id, reason, key),
    location: '/guardians/:guardian_id',
  });

  one(routes, '/students/:id/personal-data', {
    tag,
    id: 'getPersonalData',
    scope: 'privacy:read',
    summary: 'Get all that is stored of a student',
    description: 'For who asks what is known of them. That it was given out is recorded.',
    refusals: ['student_not_found'],
    answer: { schema: PersonalDataResponse, description: 'What is stored of the student.' },
    params: IdParams,
    json: async ({ actor, params: { id } }) => await privacy.personalDataOf(actor, id),
  });
}
