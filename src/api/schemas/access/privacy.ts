import { type Static, Type } from 'typebox';
import type { StudentErasure } from '../../../services/access/privacy-service.ts';
import { Id, STRICT, Timestamp, text } from '../common.ts';
import { CreditNoteResponse } from '../credit-note.ts';
import { FamilyResponse } from '../families/family.ts';
import { GuardianResponse } from '../families/guardian.ts';
import { FamilyLinkResponse } from '../families/link.ts';
import { InvoiceResponse } from '../invoice.ts';
import { PaymentResponse } from '../payment.ts';
import { EnrolmentResponse } from '../plans/enrolment.ts';
import { StudentResponse } from '../student.ts';

const DOCUMENTS_MAX = 1_000;
const IdOrNull = Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 1, examples: [1] });

const Reason = text(1, 200, { description: 'Why. Name nobody: it is kept.', examples: ['Asked for by the family'] });

function idsOf(what: string) {
  return Type.Optional(Type.Array(Id, { maxItems: DOCUMENTS_MAX, description: what, examples: [[]] }));
}

export const StudentErasureCreate = Type.Object(
  {
    reason: Reason,
    invoice_ids: idsOf('Of the student: those whose description names somebody.'),
    payment_ids: idsOf('Of the student or the family: those whose reference names somebody.'),
    credit_note_ids: idsOf('Of the student: those whose description names somebody.'),
  },
  { ...STRICT, $id: 'StudentErasureCreate' },
);

export const GuardianErasureCreate = Type.Object({ reason: Reason }, { ...STRICT, $id: 'GuardianErasureCreate' });

export const ErasureResponse = Type.Object(
  { id: Id, school_id: Id, student_id: IdOrNull, guardian_id: IdOrNull, reason: Reason, erased_at: Timestamp },
  { $id: 'Erasure' },
);

export const PersonalDataResponse = Type.Object(
  {
    student: StudentResponse,
    invoices: Type.Array(InvoiceResponse),
    payments: Type.Array(PaymentResponse),
    credit_notes: Type.Array(CreditNoteResponse),
    guardians: Type.Array(GuardianResponse),
    enrolments: Type.Array(EnrolmentResponse),
    family: Type.Union([FamilyResponse, Type.Null()], { description: 'Null: the student is in none.' }),
    family_links: Type.Array(FamilyLinkResponse),
  },
  { $id: 'PersonalData' },
);

export function toStudentErasure(body: Static<typeof StudentErasureCreate>): StudentErasure {
  const {
    reason,
    invoice_ids: invoiceIds = [],
    payment_ids: paymentIds = [],
    credit_note_ids: creditNoteIds = [],
  } = body;
  return { reason, invoiceIds, paymentIds, creditNoteIds };
}
