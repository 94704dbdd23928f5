import type { Actor } from '../../domain/access/actor.ts';
import type { FamilyFields, GuardianFields } from '../../domain/imports/families.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

export type ImportedFamily = Readonly<{
  id: number;
  externalId: string;
  name: string;
  taxId: string | null;
  taxName: string | null;
  taxAddress: string | null;
}>;

export type ImportedGuardian = Readonly<{
  id: number;
  familyId: number;
  fullName: string;
  email: string | null;
  phone: string | null;
  relationship: string | null;
  isPrincipal: boolean;
}>;

type Named = FamilyFields & Readonly<{ externalId: string }>;
type OfFamily = Omit<GuardianFields, 'isPrincipal'> & Readonly<{ familyId: number }>;

/** Families of one school with their guardians and students, many at a time. All of it in one transaction. */
export class FamilyImportRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Those that there are, held until the transaction ends. No limit: the caller bounds the ids. */
  async listForUpdate(actor: Actor, schoolId: number, externalIds: readonly string[]): Promise<ImportedFamily[]> {
    return await this.#sql.rows<ImportedFamily>(sql`
      select id, external_id as "externalId", name, tax_id as "taxId", tax_name as "taxName",
             tax_address as "taxAddress"
      from families
      where school_id = ${schoolId} and external_id = any(${externalIds}::text[])
        and ${visibleTo(actor, sql`school_id`)}
      order by id for no key update`);
  }

  async insertMany(
    actor: Actor,
    schoolId: number,
    families: readonly Named[],
    now: Date,
  ): Promise<{ id: number; externalId: string }[]> {
    if (families.length === 0) return [];
    const of = <T>(field: (family: Named) => T): T[] => families.map((family) => field(family));
    return await this.#sql.rows<{ id: number; externalId: string }>(sql`
      insert into families (school_id, external_id, name, tax_id, tax_name, tax_address, created_at, updated_at)
      select sc.id, each.*, ${now}::timestamptz, ${now}::timestamptz
      from schools sc cross join unnest(
        ${of(({ externalId }) => externalId)}::text[], ${of(({ name }) => name)}::text[],
        ${of(({ taxId }) => taxId)}::text[], ${of(({ taxName }) => taxName)}::text[],
        ${of(({ taxAddress }) => taxAddress)}::text[]
      ) each
      where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning id, external_id as "externalId"`);
  }

  async updateMany(
    actor: Actor,
    schoolId: number,
    families: readonly Omit<ImportedFamily, 'externalId'>[],
    now: Date,
  ): Promise<void> {
    if (families.length === 0) return;
    await this.#sql.count(sql`
      update families f
      set name = each.name, tax_id = each.tax_id, tax_name = each.tax_name, tax_address = each.tax_address,
          updated_at = ${now}
      from unnest(
        ${families.map(({ id }) => id)}::bigint[], ${families.map(({ name }) => name)}::text[],
        ${families.map(({ taxId }) => taxId)}::text[], ${families.map(({ taxName }) => taxName)}::text[],
        ${families.map(({ taxAddress }) => taxAddress)}::text[]
      ) each (id, name, tax_id, tax_name, tax_address)
      where f.id = each.id and f.school_id = ${schoolId} and ${visibleTo(actor, sql`f.school_id`)}`);
  }

  /** Of families that the transaction holds. */
  async listGuardians(actor: Actor, familyIds: readonly number[]): Promise<ImportedGuardian[]> {
    return await this.#sql.rows<ImportedGuardian>(sql`
      select id, family_id as "familyId", full_name as "fullName", email, phone, relationship,
             is_principal as "isPrincipal"
      from guardians
      where family_id = any(${familyIds}::bigint[]) and ${visibleTo(actor, sql`school_id`)} order by id`);
  }

  async insertGuardians(
    actor: Actor,
    schoolId: number,
    guardians: readonly OfFamily[],
    now: Date,
  ): Promise<{ id: number; familyId: number; fullName: string }[]> {
    if (guardians.length === 0) return [];
    const of = <T>(field: (guardian: OfFamily) => T): T[] => guardians.map((guardian) => field(guardian));
    return await this.#sql.rows(sql`
      insert into guardians (school_id, family_id, full_name, email, phone, relationship, created_at, updated_at)
      select sc.id, each.*, ${now}::timestamptz, ${now}::timestamptz
      from schools sc cross join unnest(
        ${of(({ familyId }) => familyId)}::bigint[], ${of(({ fullName }) => fullName)}::text[],
        ${of(({ email }) => email)}::text[], ${of(({ phone }) => phone)}::text[],
        ${of(({ relationship }) => relationship)}::text[]
      ) each
      where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}
      returning id, family_id as "familyId", full_name as "fullName"`);
  }

  async updateGuardians(
    actor: Actor,
    guardians: readonly Pick<ImportedGuardian, 'id' | 'email' | 'phone' | 'relationship'>[],
    now: Date,
  ): Promise<void> {
    if (guardians.length === 0) return;
    await this.#sql.count(sql`
      update guardians g
      set email = each.email, phone = each.phone, relationship = each.relationship, updated_at = ${now}
      from unnest(
        ${guardians.map(({ id }) => id)}::bigint[], ${guardians.map(({ email }) => email)}::text[],
        ${guardians.map(({ phone }) => phone)}::text[], ${guardians.map(({ relationship }) => relationship)}::text[]
      ) each (id, email, phone, relationship)
      where g.id = each.id and ${visibleTo(actor, sql`g.school_id`)}`);
  }

  /** Makes these the principal ones of their families, one each, instead of those who are. */
  async updatePrincipals(
    actor: Actor,
    principals: readonly Pick<ImportedGuardian, 'id' | 'familyId'>[],
    now: Date,
  ): Promise<void> {
    if (principals.length === 0) return;
    const ids = principals.map(({ id }) => id);
    const isOfThese = sql`family_id = any(${principals.map(({ familyId }) => familyId)}::bigint[])
      and ${visibleTo(actor, sql`school_id`)}`;
    await this.#sql.count(sql`
      update guardians set is_principal = false, updated_at = ${now}
      where ${isOfThese} and is_principal and id <> all(${ids}::bigint[])`);
    await this.#sql.count(sql`
      update guardians set is_principal = true, updated_at = ${now}
      where ${isOfThese} and not is_principal and id = any(${ids}::bigint[])`);
  }

  /**
   * Brings students to families. The first family of a student takes over those of its invoices that have none, and what was
   * paid on them; one that comes from another leaves invoices and credit where they are. The transaction holds the students.
   */
  async updateFamilies(
    actor: Actor,
    schoolId: number,
    students: readonly Readonly<{ studentId: number; familyId: number }>[],
    now: Date,
  ): Promise<void> {
    if (students.length === 0) return;
    const moves = sql`unnest(
      ${students.map(({ studentId }) => studentId)}::bigint[], ${students.map(({ familyId }) => familyId)}::bigint[]
    ) move (student_id, family_id)`;
    const isSeen = visibleTo(actor, sql`st.school_id`);
    // Before the students change: which of them have no family is looked up here.
    const taken = await this.#sql.rows<{ invoiceId: number; familyId: number }>(sql`
      select i.id as "invoiceId", move.family_id as "familyId"
      from ${moves}
      join students st on st.id = move.student_id and st.school_id = ${schoolId} and st.family_id is null
      join invoices i on i.student_id = st.id and i.school_id = st.school_id and i.family_id is null
      where ${isSeen}
      order by i.id for no key update of i`);
    await this.#sql.count(sql`
      update students st set family_id = move.family_id, updated_at = ${now}
      from ${moves} where st.id = move.student_id and st.school_id = ${schoolId} and ${isSeen}`);
    if (taken.length === 0) return;
    const owned = sql`unnest(
      ${taken.map(({ invoiceId }) => invoiceId)}::bigint[], ${taken.map(({ familyId }) => familyId)}::bigint[]
    ) owned (invoice_id, family_id)`;
    await this.#sql.count(sql`
      update invoices i set family_id = owned.family_id, updated_at = ${now}
      from ${owned} where i.id = owned.invoice_id and i.school_id = ${schoolId}`);
    await this.#sql.count(sql`
      update payments p set family_id = owned.family_id
      from ${owned} where p.invoice_id = owned.invoice_id and p.school_id = ${schoolId} and p.family_id is null`);
  }
}
