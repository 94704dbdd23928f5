import type { Actor } from '../../domain/access/actor.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { refusing } from '../plans/catalogue-rows.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

/** A document of the system before, and what became of it: an invoice or a payment. */
export type ImportedDocument = Readonly<{
  document: string;
  content: string;
  invoiceId: number | null;
  paymentId: number | null;
}>;

/** What balances of a school refer to, and which of them were imported. All of it in one transaction. */
export class BalanceImportRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /** Those of the documents that were imported. No limit: the caller bounds them. */
  async listDocuments(
    actor: Actor,
    schoolId: number,
    documents: readonly string[],
  ): Promise<Pick<ImportedDocument, 'document' | 'content'>[]> {
    return await this.#sql.rows(sql`
      select document, content from imported_documents
      where school_id = ${schoolId} and document = any(${documents}::text[]) and ${visibleTo(actor, sql`school_id`)}`);
  }

  /** @throws DomainError `import_invalid`: one of them was imported meanwhile */
  async insertDocuments(
    actor: Actor,
    schoolId: number,
    documents: readonly ImportedDocument[],
    now: Date,
  ): Promise<void> {
    if (documents.length === 0) return;
    const of = <T>(field: (document: ImportedDocument) => T): T[] => documents.map((document) => field(document));
    const insertion = sql`
      insert into imported_documents (school_id, document, content, invoice_id, payment_id, created_at)
      select sc.id, each.*, ${now}::timestamptz
      from schools sc cross join unnest(
        ${of(({ document }) => document)}::text[], ${of(({ content }) => content)}::text[],
        ${of(({ invoiceId }) => invoiceId)}::bigint[], ${of(({ paymentId }) => paymentId)}::bigint[]
      ) each
      where sc.id = ${schoolId} and ${visibleTo(actor, sql`sc.id`)}`;
    await refusing(async () => await this.#sql.count(insertion), {
      imported_documents_pkey: () =>
        new DomainError('import_invalid', 'One of these documents was imported meanwhile', { errors: [] }),
    });
  }

  /** Concepts of the school by their codes. */
  async listConcepts(actor: Actor, schoolId: number): Promise<{ id: number; code: string }[]> {
    return await this.#sql.rows(
      sql`select id, code from concepts where school_id = ${schoolId} and ${visibleTo(actor, sql`school_id`)}`,
    );
  }

  /** Families of the school, held until the transaction ends. No limit: the caller bounds the ids. */
  async listFamiliesForUpdate(
    actor: Actor,
    schoolId: number,
    externalIds: readonly string[],
  ): Promise<{ id: number; externalId: string }[]> {
    return await this.#sql.rows(sql`
      select id, external_id as "externalId" from families
      where school_id = ${schoolId} and external_id = any(${externalIds}::text[])
        and ${visibleTo(actor, sql`school_id`)}
      order by id for no key update`);
  }
}
