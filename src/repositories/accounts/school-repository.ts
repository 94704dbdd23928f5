import type { Actor } from '../../domain/access/actor.ts';
import type { NewSchool, School } from '../../domain/accounts/school.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { type Statement, sql } from '../../infrastructure/postgres/sql.ts';
import { isForeignKeyViolation, isInvalidParameter, isUniqueViolation } from '../shared/database-failures.ts';
import { type List, type Order, readPage, streamRows, where } from '../shared/paging.ts';
import { type Found, findEach, findJsonForUpdate, type Written, writing } from '../shared/projection.ts';
import { containsWords, isoTime, visibleTo } from '../shared/sql-fragments.ts';

type SchoolRow = {
  id: number;
  name: string;
  country: string;
  currency: string;
  timezone: string;
  invoice_prefix: string;
  receipt_prefix: string;
  credit_note_prefix: string;
  refund_prefix: string;
  is_active: boolean;
  legal_name: string | null;
  tax_id: string | null;
  address: string | null;
  phone: string | null;
  email: string | null;
  payment_instructions: string | null;
  invoice_title: string | null;
};

export type SchoolFilter = Readonly<{
  isActive?: boolean | undefined;
  country?: string | undefined;
  /** All of them are in the name. */
  words?: readonly string[] | undefined;
  updatedSince?: Date | undefined;
}>;

const COLUMNS = sql`id, name, country, currency, timezone, invoice_prefix, receipt_prefix, credit_note_prefix, refund_prefix, is_active,
  legal_name, tax_id, address, phone, email, payment_instructions, invoice_title`;

/** A school as the API shows it. */
export const SCHOOL_JSON_COLUMNS = sql`sc.id, sc.name, sc.country, sc.currency, sc.timezone, sc.invoice_prefix,
  sc.receipt_prefix, sc.is_active, ${isoTime(sql`sc.created_at`)} as created_at, ${isoTime(sql`sc.updated_at`)} as updated_at,
  sc.credit_note_prefix, sc.legal_name, sc.tax_id, sc.address, sc.phone, sc.email, sc.payment_instructions,
  sc.invoice_title, sc.refund_prefix`;

const PROJECTION = {
  alias: sql`sc`,
  from: sql`schools sc`,
  json: SCHOOL_JSON_COLUMNS,
  id: sql`sc.id`,
  schoolId: sql`sc.id`,
};

const ORDER: Order = { columns: [sql`sc.id`], direction: 'asc' };

export class SchoolRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  async find(actor: Actor, id: number): Promise<School | undefined> {
    const row = await this.#sql.first<SchoolRow>(
      sql`select ${COLUMNS} from schools where id = ${id} and ${visibleTo(actor, sql`id`)}`,
    );
    return row && toSchool(row);
  }

  /** Those of the ids that there are, in no order. No limit: the caller bounds the ids. */
  async listIds(actor: Actor, ids: readonly number[]): Promise<number[]> {
    const rows = await this.#sql.rows<{ id: number }>(
      sql`select id from schools where id = any (${ids}::bigint[]) and ${visibleTo(actor, sql`id`)}`,
    );
    return rows.map(({ id }) => id);
  }

  /** Schools as the API shows them, for several callers: in the order of `ids`, undefined where there is none. */
  async findEach(ids: readonly number[]): Promise<(Found | undefined)[]> {
    return await findEach(this.#sql, PROJECTION, ids);
  }

  /** The school as the API shows it before it is changed, held until the transaction ends. Undefined when there is none. */
  async findJsonForUpdate(actor: Actor, id: number): Promise<string | undefined> {
    return await findJsonForUpdate(this.#sql, PROJECTION, actor, id);
  }

  /** Finds a school and holds its row lock: nobody can enrol, invoice or change it until the transaction ends. */
  async findForUpdate(actor: Actor, id: number): Promise<School | undefined> {
    const row = await this.#sql.first<SchoolRow>(
      sql`select ${COLUMNS} from schools where id = ${id} and ${visibleTo(actor, sql`id`)} for update`,
    );
    return row && toSchool(row);
  }

  /** Finds a school whose currency stays as it is until the transaction ends. Who invoices or pays does not wait for it. */
  async findForShare(actor: Actor, id: number): Promise<School | undefined> {
    const row = await this.#sql.first<SchoolRow>(
      sql`select ${COLUMNS} from schools where id = ${id} and ${visibleTo(actor, sql`id`)} for key share`,
    );
    return row && toSchool(row);
  }

  /** Another school of the same name in the same country. Only for the order of refusals: the constraint decides. */
  async findNamesake({ id, name, country }: School): Promise<number | undefined> {
    const row = await this.#sql.first<{ id: number }>(sql`
      select id from schools
      where (name_key = ${nameKey(name)} or name = ${name}) and country = ${country} and id <> ${id}
      limit 1`);
    return row?.id;
  }

  /** A prefix of the school's that documents of another kind were numbered with. A prefix has no hyphen in it. */
  async findPrefixOfOtherKind(school: School): Promise<string | undefined> {
    const { id, invoicePrefix, receiptPrefix, creditNotePrefix, refundPrefix } = school;
    const row = await this.#sql.first<{ prefix: string }>(sql`
      select prefix
      from document_counters
      cross join lateral (select split_part(series, '-', 1) as prefix) used
      join (values ('INVOICE', ${invoicePrefix}), ('RECEIPT', ${receiptPrefix}), ('CREDIT_NOTE', ${creditNotePrefix}),
                   ('REFUND', ${refundPrefix})) wanted (kind, prefix) using (prefix)
      where school_id = ${id} and document_counters.kind <> wanted.kind
      limit 1`);
    return row?.prefix;
  }

  async list(actor: Actor, filter: SchoolFilter, page: PageRequest): Promise<Page> {
    return await readPage(this.#sql, toList(actor, filter), page);
  }

  stream(actor: Actor, filter: SchoolFilter, batchSize: number): AsyncGenerator<string[], void, undefined> {
    return streamRows(this.#sql, toList(actor, filter), batchSize);
  }

  async count(actor: Actor, filter: SchoolFilter): Promise<number> {
    const row = await this.#sql.first<{ total: number }>(
      sql`select count(*) as total from schools sc ${where(toConditions(actor, filter))}`,
    );
    return row?.total ?? 0;
  }

  /**
   * Inserts a school, or returns undefined if its country already has one whose name is equal to people. The constraint
   * decides, not a look beforehand: between a look and an insert another request can insert.
   *
   * PostgreSQL takes its zones from its own files or its machine's, which may lack names that we know; so it is made to
   * compute with the zone here, and not first at an invoice.
   *
   * @throws DomainError `school_timezone_unknown`; `school_name_taken` where only the older constraint says so, see
   *   {@link nameKey}
   */
  async insert(school: NewSchool, now: Date): Promise<Written<{ schoolId: number }> | undefined> {
    try {
      const insertion = sql`
        insert into schools
          (name, name_key, country, currency, timezone, invoice_prefix, receipt_prefix, credit_note_prefix, refund_prefix,
           legal_name, tax_id, address, phone, email, payment_instructions, invoice_title, created_at, updated_at)
        select ${school.name}, ${nameKey(school.name)}, ${school.country}, ${school.currency}, ${school.timezone},
               ${school.invoicePrefix}, ${school.receiptPrefix}, ${school.creditNotePrefix}, ${school.refundPrefix},
               ${school.legalName}, ${school.taxId}, ${school.address}, ${school.phone}, ${school.email}, ${school.paymentInstructions},
               ${school.invoiceTitle}, ${now}, ${now}
        where ${now}::timestamptz at time zone ${school.timezone} is not null
        on conflict (name_key, country) do nothing
        returning *`;
      return await this.#sql.first(writing(insertion, PROJECTION, sql`sc.id as "schoolId"`));
    } catch (error) {
      if (isNameTaken(error)) throw nameTaken(school);
      throw isInvalidParameter(error) ? timezoneUnknown(school) : error;
    }
  }

  /**
   * Writes every changeable field of a school that the transaction has locked. A new zone is computed with, see {@link insert}; of a column, because
   * PostgreSQL would compute a constant when it plans, whatever the zone was before.
   *
   * @returns the school as JSON text, as the API shows it
   * @throws DomainError `school_timezone_unknown`; `school_name_taken`, `school_currency_locked`, `school_has_students`:
   *   what the constraints refuse
   */
  async update(actor: Actor, school: School, now: Date): Promise<string> {
    try {
      const update = sql`
        update schools
        set name = ${school.name}, country = ${school.country}, currency = ${school.currency},
            name_key = case when name = ${school.name} and country = ${school.country} then name_key
                            else ${nameKey(school.name)} end,
            timezone = ${school.timezone}, invoice_prefix = ${school.invoicePrefix},
            receipt_prefix = ${school.receiptPrefix}, credit_note_prefix = ${school.creditNotePrefix},
            refund_prefix = ${school.refundPrefix}, is_active = ${school.isActive}, legal_name = ${school.legalName}, tax_id = ${school.taxId},
            address = ${school.address}, phone = ${school.phone}, email = ${school.email},
            payment_instructions = ${school.paymentInstructions}, invoice_title = ${school.invoiceTitle},
            updated_at = ${now}
        where id = ${school.id} and ${visibleTo(actor, sql`id`)}
          and case when timezone = ${school.timezone} then true
                   else created_at at time zone ${school.timezone} is not null end
        returning *`;
      const row = await this.#sql.first<Written<{ id: number }>>(writing(update, PROJECTION, sql`sc.id`));
      if (row === undefined) throw new Error(`school ${school.id} vanished under its lock`);
      return row.body;
    } catch (error) {
      throw toRefusal(error, school);
    }
  }
}

export function nameTaken({ name, country }: Pick<School, 'name' | 'country'>): DomainError {
  return new DomainError('school_name_taken', `School with name=${name} in ${country} already exists`);
}

/**
 * What a name is compared by. White space around it is left out here, because SQL only knows the space. Of names that were
 * equal before this was asked, all but the oldest keep a key of their own until they change; so the constraint of the
 * whole name still says no where this one does not.
 */
function nameKey(name: string): Statement {
  return sql`name_key(${name.trim()})`;
}

function isNameTaken(error: unknown): boolean {
  return (
    isUniqueViolation(error, 'schools_name_key_country_key') || isUniqueViolation(error, 'schools_name_country_key')
  );
}

function timezoneUnknown({ timezone }: Pick<School, 'timezone'>): DomainError {
  return new DomainError('school_timezone_unknown', `The database knows no time zone ${timezone}`);
}

function toRefusal(error: unknown, school: School): unknown {
  if (isInvalidParameter(error)) return timezoneUnknown(school);
  if (isNameTaken(error)) return nameTaken(school);
  if (isForeignKeyViolation(error, 'invoices_school_currency_fkey')) return currencyLocked(school, 'invoices');
  if (PRICED.some((table) => isForeignKeyViolation(error, `${table}_school_currency_fkey`))) {
    return currencyLocked(school, 'prices');
  }
  if (isForeignKeyViolation(error, 'students_school_active_fkey')) {
    return new DomainError('school_has_students', `School with id ${school.id} has students and cannot be deactivated`);
  }
  return error;
}

/** Tables that hold prices, beside the invoices. */
const PRICED = ['plans', 'discounts', 'late_fee_policies'];

function currencyLocked({ id }: School, what: string): DomainError {
  return new DomainError('school_currency_locked', `School with id ${id} has ${what}, so its currency cannot change`);
}

function toConditions(actor: Actor, { isActive, country, words, updatedSince }: SchoolFilter): Statement[] {
  const conditions = [visibleTo(actor, sql`sc.id`)];
  if (isActive !== undefined) conditions.push(sql`sc.is_active = ${isActive}`);
  if (country !== undefined) conditions.push(sql`sc.country = ${country}`);
  // Without an index: there are few schools.
  if (words !== undefined) conditions.push(...containsWords(sql`search_text(sc.name)`, words));
  if (updatedSince !== undefined) conditions.push(sql`sc.updated_at >= ${updatedSince}`);
  return conditions;
}

function toList(actor: Actor, filter: SchoolFilter): List {
  return { ...PROJECTION, conditions: toConditions(actor, filter), order: ORDER };
}

function toSchool(row: SchoolRow): School {
  return {
    id: row.id,
    name: row.name,
    country: row.country,
    currency: row.currency,
    timezone: row.timezone,
    invoicePrefix: row.invoice_prefix,
    receiptPrefix: row.receipt_prefix,
    creditNotePrefix: row.credit_note_prefix,
    refundPrefix: row.refund_prefix,
    isActive: row.is_active,
    legalName: row.legal_name,
    taxId: row.tax_id,
    address: row.address,
    phone: row.phone,
    email: row.email,
    paymentInstructions: row.payment_instructions,
    invoiceTitle: row.invoice_title,
  };
}
