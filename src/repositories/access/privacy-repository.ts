import type { Actor } from '../../domain/access/actor.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { FAMILY_JSON_COLUMNS } from '../accounts/family-repository.ts';
import { GUARDIAN_JSON_COLUMNS } from '../accounts/guardian-repository.ts';
import { STUDENT_JSON_COLUMNS } from '../accounts/student-repository.ts';
import { CREDIT_NOTE } from '../billing/credit-note-repository.ts';
import { INVOICE } from '../billing/invoice-projection.ts';
import { PAYMENT } from '../billing/payment-projection.ts';
import { ENROLMENT_JSON_COLUMNS } from '../plans/enrolment-repository.ts';
import { isoTime, visibleTo } from '../shared/sql-fragments.ts';
import { FAMILY_LINK_JSON_COLUMNS } from './family-link-repository.ts';

/** Who is to be forgotten. `texts` are what may be written of them elsewhere. */
export type Subject = Readonly<{ id: number; schoolId: number; familyId: number | null; texts: readonly string[] }>;

/** What was typed beside money, by ids. */
export type TypedTexts = Readonly<{
  invoiceIds: readonly number[];
  paymentIds: readonly number[];
  creditNoteIds: readonly number[];
}>;

/** Who was erased, by ids. */
export type ErasedPeople = Readonly<{
  studentId: number | null;
  guardianIds: readonly number[];
  familyId: number | null;
}>;

export type ErasureFacts = Readonly<{
  erasureId: number;
  schoolId: number;
  studentId: number | null;
  guardianId: number | null;
}>;

/** What names that are gone are shown as. */
const ERASED = 'Erased';

/** What an answer is about, by members that only answers about such have. */
const IS_PAYMENT = sql`body like '%"paid_at":%'`;
const IS_REFUND = sql`body like '%"refunded_at":%'`;
const IS_CREDIT_NOTE = sql`body like '%"dated_on":%'`;
const IS_GUARDIAN = sql`body like '%"is_principal":%'`;

type StudentRow = {
  id: number;
  school_id: number;
  family_id: number | null;
  first_name: string;
  last_name: string;
  email: string | null;
};
type GuardianRow = { id: number; school_id: number; family_id: number; full_name: string; email: string | null };

/** Takes away who people are, and gives out what is stored of them. Their money stays as it is. */
export class PrivacyRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Holds the student's row until the transaction ends. */
  async findStudentForUpdate(actor: Actor, id: number): Promise<Subject | undefined> {
    const row = await this.#sql.first<StudentRow>(sql`
      select id, school_id, family_id, first_name, last_name, email from students
      where id = ${id} and ${visibleTo(actor, sql`school_id`)} for update`);
    if (row === undefined) return undefined;
    const texts = textsOf(`${row.first_name} ${row.last_name}`, row.email);
    return { id, schoolId: row.school_id, familyId: row.family_id, texts };
  }

  /** Holds the guardian's row until the transaction ends. */
  async findGuardianForUpdate(actor: Actor, id: number): Promise<Subject | undefined> {
    const row = await this.#sql.first<GuardianRow>(sql`
      select id, school_id, family_id, full_name, email from guardians
      where id = ${id} and ${visibleTo(actor, sql`school_id`)} for update`);
    return row && toGuardian(row);
  }

  /** Guardians of the family; held. */
  async listGuardiansForUpdate(actor: Actor, { schoolId, familyId }: Subject): Promise<Subject[]> {
    const rows = await this.#sql.rows<GuardianRow>(sql`
      select id, school_id, family_id, full_name, email from guardians
      where family_id = ${familyId} and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}
      order by id for update`);
    return rows.map(toGuardian);
  }

  /** Whether somebody is left in the family who was not erased. */
  async hasStudentsLeft(actor: Actor, { schoolId, familyId }: Subject): Promise<boolean> {
    const row = await this.#sql.first(sql`
      select 1 from students
      where family_id = ${familyId} and school_id = ${schoolId} and erased_at is null and ${visibleTo(actor, sql`school_id`)}
      limit 1`);
    return row !== undefined;
  }

  async updateStudentErased(actor: Actor, id: number, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update students set first_name = ${ERASED}, last_name = ${ERASED}, email = null, external_id = null,
        erased_at = coalesce(erased_at, ${now}::timestamptz), updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`);
  }

  async updateGuardianErased(actor: Actor, id: number, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update guardians set full_name = ${ERASED}, email = null, phone = null, relationship = null,
        erased_at = coalesce(erased_at, ${now}::timestamptz), updated_at = ${now}
      where id = ${id} and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** What the family is called, and who pays its taxes; its row is held until the transaction ends. */
  async findFamilyForUpdate(
    actor: Actor,
    { familyId, schoolId }: Pick<Subject, 'familyId' | 'schoolId'>,
  ): Promise<string[]> {
    const row = await this.#sql.first<{ name: string; tax_name: string | null }>(sql`
      select name, tax_name from families
      where id = ${familyId} and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)} for no key update`);
    return textsOf(row?.name ?? null, row?.tax_name ?? null);
  }

  /** The account stays; what it is called and who pays its taxes does not. */
  async updateFamilyErased(actor: Actor, { familyId, schoolId }: Subject, now: Date): Promise<void> {
    await this.#sql.count(sql`
      update families set name = ${ERASED}, external_id = null, tax_id = null, tax_name = null, tax_address = null,
        updated_at = ${now}
      where id = ${familyId} and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** What says who the guardian was, of a family that the transaction holds: often it is they who pay the taxes. */
  async updateFamilyOfGuardian(actor: Actor, { familyId, schoolId, texts }: Subject, now: Date): Promise<void> {
    const words = (text: Statement): Statement =>
      sql`' ' || regexp_replace(lower(${text}), '[^[:alnum:]]+', ' ', 'g') || ' '`;
    // Whole words: Ana is not Santana.
    const says = (column: Statement): Statement => sql`exists (
      select from unnest(${texts}::text[]) as said (text) where strpos(${words(column)}, ${words(sql`text`)}) > 0)`;
    const hasTaxes = sql`(${says(sql`tax_name`)} or ${says(sql`tax_address`)})`;
    await this.#sql.count(sql`
      update families
      set name = case when ${says(sql`name`)} then ${ERASED} else name end,
          tax_id = case when ${hasTaxes} then null else tax_id end,
          tax_name = case when ${hasTaxes} then null else tax_name end,
          tax_address = case when ${hasTaxes} then null else tax_address end, updated_at = ${now}
      where id = ${familyId} and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** Why the student left, and why it has its discounts: of nobody else. */
  async updateEnrolmentTexts(actor: Actor, { id, schoolId }: Subject, now: Date): Promise<void> {
    const theirs = sql`student_id = ${id} and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}`;
    await this.#sql.count(sql`
      update enrolments
      set withdrawal_reason = case when withdrawal_reason is not null then ${ERASED} end, updated_at = ${now}
      where ${theirs}`);
    await this.#sql.count(sql`
      update enrolment_discounts set reason = null
      where reason is not null and school_id = ${schoolId} and enrolment_id in (select id from enrolments where ${theirs})`);
  }

  /**
   * Takes away what was typed on these of the student's, or on payments of the student's family. How many there are of
   * each: fewer than were named where one is not theirs.
   */
  async updateTexts(
    actor: Actor,
    { id, schoolId, familyId }: Subject,
    { invoiceIds, paymentIds, creditNoteIds }: TypedTexts,
    now: Date,
  ): Promise<{ invoices: number; payments: number; creditNotes: number }> {
    const isVisible = visibleTo(actor, sql`school_id`);
    const theirs = sql`(select i.id from invoices i where i.student_id = ${id} and i.school_id = ${schoolId})`;
    const invoices = await this.#sql.count(sql`
      update invoices set description = null, updated_at = ${now}
      where id = any (${invoiceIds}::bigint[]) and student_id = ${id} and school_id = ${schoolId} and ${isVisible}`);
    const payments = await this.#sql.count(sql`
      update payments set reference = null
      where id = any (${paymentIds}::bigint[]) and school_id = ${schoolId} and ${isVisible}
        and (invoice_id in ${theirs} or family_id = ${familyId}::bigint)`);
    const creditNotes = await this.#sql.count(sql`
      update credit_notes set description = null
      where id = any (${creditNoteIds}::bigint[]) and school_id = ${schoolId} and ${isVisible} and invoice_id in ${theirs}`);
    await this.#updateTextsBeside(actor, schoolId, { invoiceIds, paymentIds, creditNoteIds });
    return { invoices, payments, creditNotes };
  }

  /** What was typed when they were taken back, moved or given back, and what a file said of them. */
  async #updateTextsBeside(
    actor: Actor,
    schoolId: number,
    { invoiceIds, paymentIds, creditNoteIds }: TypedTexts,
  ): Promise<void> {
    const isIn = (column: Statement, ids: readonly number[]): Statement =>
      sql`${column} = any (${ids}::bigint[]) and school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}`;
    const ofPayment = isIn(sql`payment_id`, paymentIds);
    const statements = [
      sql`update payment_reversals set reason = ${ERASED} where ${ofPayment}`,
      sql`update payment_allocations set reason = ${ERASED} where reason is not null and ${ofPayment}`,
      sql`update refunds set reference = null, reason = ${ERASED} where ${ofPayment}`,
      sql`update credit_note_reversals set reason = ${ERASED} where ${isIn(sql`credit_note_id`, creditNoteIds)}`,
      // It is what a later file is compared with: one that has the document again is refused.
      sql`update imported_documents set content = '' where ${isIn(sql`invoice_id`, invoiceIds)}`,
    ];
    for (const statement of statements) await this.#sql.count(statement);
  }

  /**
   * Erases the answers under idempotency keys that are about these people and documents, whatever they were called when it was
   * answered, or that are of the school and say one of the texts. It reads all of them, as nothing says which name whom:
   * there are those of 30 days, and people are seldom erased.
   *
   * @param of.texts not of other schools: somebody of that name may be there, and anything can be a name
   */
  async eraseAnswers(
    { schoolId, texts }: Pick<Subject, 'schoolId' | 'texts'>,
    { studentId, guardianIds, familyId }: ErasedPeople,
    about: TypedTexts,
  ): Promise<number> {
    const id = sql`substring(body from '^\\{"id":([0-9]{1,18}),')::bigint`;
    const idIn = (ids: readonly (number | null)[], member: Statement): Statement =>
      sql`(${id} = any (${ids}::bigint[]) and ${member})`;
    const isIn = (table: Statement, member: Statement): Statement =>
      sql`(${member} and ${id} in (select one.id from ${table} one where one.school_id = ${schoolId}))`;
    return await this.#sql.count(sql`
      update idempotency_keys set fingerprint = '', body = ''
      where body <> '' and (
        ${idIn([studentId], sql`body like '%"first_name":%'`)}
        or ${idIn(guardianIds, IS_GUARDIAN)}
        or ${idIn([familyId], sql`body like '%"auto_apply":%'`)}
        or (body like '%"plan_ids":%' and ${id} in (select e.id from enrolments e where e.student_id = ${studentId}::bigint))
        or (${IS_REFUND} and ${id} in (
          select r.id from refunds r where r.payment_id = any (${about.paymentIds}::bigint[])
        ))
        or ${idIn(about.invoiceIds, sql`body like '%"amount_total":%'`)}
        or ${idIn(about.paymentIds, IS_PAYMENT)}
        or ${idIn(about.creditNoteIds, IS_CREDIT_NOTE)}
        or exists (
          select from unnest(${texts}::text[]) as said (text)
          -- As it stands in JSON, without the quotes around it.
          cross join lateral (select substr(to_json(text)::text, 2, length(to_json(text)::text) - 2) as json) written
          where json <> '' and strpos(body, json) > 0
        ) and (
          body like '%"school_id":' || ${schoolId}::bigint || ',%' or body like '%"school_id":' || ${schoolId}::bigint || '}%'
          or ${isIn(sql`payments`, IS_PAYMENT)} or ${isIn(sql`refunds`, IS_REFUND)}
          or ${isIn(sql`credit_notes`, IS_CREDIT_NOTE)} or ${isIn(sql`guardians`, IS_GUARDIAN)}
        )
      )`);
  }

  /** Keeps that somebody was erased, and why: the record outlives the row. */
  async insertErasure(
    actor: Actor,
    { schoolId, studentId, guardianId, reason }: Omit<ErasureFacts, 'erasureId'> & { reason: string },
    now: Date,
  ): Promise<ErasureFacts & { body: string }> {
    const row = await this.#sql.first<ErasureFacts & { body: string }>(sql`
      with e as (
        insert into erasures (school_id, student_id, guardian_id, reason, erased_at)
        select sc.id, ${studentId}::bigint, ${guardianId}::bigint, ${reason}, ${now}::timestamptz
        from schools sc where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
        returning *
      )
      select e.id as "erasureId", e.school_id as "schoolId", e.student_id as "studentId", e.guardian_id as "guardianId",
             row_to_json(one)::text as body
      from e cross join lateral (
        select e.id, e.school_id, e.student_id, e.guardian_id, e.reason, ${isoTime(sql`e.erased_at`)} as erased_at
      ) one`);
    if (row === undefined) throw new Error(`school ${schoolId} vanished while its people were held`);
    return row;
  }

  /** All that is stored of a student, as JSON text. No limit: it is of one person. */
  async findPersonalData(actor: Actor, id: number): Promise<{ schoolId: number; body: string } | undefined> {
    const all = (json: Statement, from: Statement, order: Statement): Statement => sql`(
      select coalesce(json_agg(row_to_json(one) order by ${order}), '[]')
      from ${from} cross join lateral (select ${json}) one`;
    return await this.#sql.first<{ schoolId: number; body: string }>(sql`
      select st.school_id as "schoolId", json_build_object(
        'student', (select row_to_json(one) from (select ${STUDENT_JSON_COLUMNS}) one),
        'invoices', ${all(INVOICE.json, INVOICE.from, sql`i.id`)}
          where i.student_id = st.id and i.school_id = st.school_id),
        'payments', ${all(PAYMENT.json, PAYMENT.from, sql`p.id`)}
          where p.school_id = st.school_id and p.invoice_id in (
            select i.id from invoices i where i.student_id = st.id and i.school_id = st.school_id)),
        'credit_notes', ${all(CREDIT_NOTE.json, CREDIT_NOTE.from, sql`c.id`)}
          where c.school_id = st.school_id and c.invoice_id in (
            select i.id from invoices i where i.student_id = st.id and i.school_id = st.school_id)),
        'enrolments', ${all(ENROLMENT_JSON_COLUMNS, sql`enrolments e`, sql`e.id`)}
          where e.student_id = st.id and e.school_id = st.school_id),
        'family', (
          select row_to_json(one) from families f cross join lateral (select ${FAMILY_JSON_COLUMNS}) one
          where f.id = st.family_id and f.school_id = st.school_id),
        'family_links', ${all(FAMILY_LINK_JSON_COLUMNS, sql`family_links l`, sql`l.id`)}
          where l.family_id = st.family_id and l.school_id = st.school_id),
        'guardians', (
          select coalesce(json_agg(row_to_json(one) order by g.id), '[]')
          from guardians g cross join lateral (select ${GUARDIAN_JSON_COLUMNS}) one
          where g.family_id = st.family_id and g.school_id = st.school_id)
      )::text as body
      from students st where st.id = ${id} and ${visibleTo(actor, sql`st.school_id`)}`);
  }
}

function toGuardian({ id, school_id, family_id, full_name, email }: GuardianRow): Subject {
  return { id, schoolId: school_id, familyId: family_id, texts: textsOf(full_name, email) };
}

/** Of somebody who was erased before, nothing: what we write in the place of names is nobody's. */
function textsOf(...texts: readonly (string | null)[]): string[] {
  return texts.filter((text) => text !== null).filter((text) => text !== ERASED && text !== `${ERASED} ${ERASED}`);
}
