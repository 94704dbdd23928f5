import type { Actor } from '../../domain/access/actor.ts';
import type { BilledFamily, FamilyAccount } from '../../domain/accounts/family.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { sql } from '../../infrastructure/postgres/sql.ts';
import { visibleTo } from '../shared/sql-fragments.ts';

export class FamilyRepository {
  readonly #sql: Sql;

  constructor(on: Sql) {
    this.#sql = on;
  }

  /**
   * The account of a family, held until the transaction ends: nobody else moves its money meanwhile. Those who only point
   * to it do not wait.
   */
  async findForUpdate(actor: Actor, id: number): Promise<FamilyAccount | undefined> {
    const row = await this.#sql.first<{
      id: number;
      school_id: number;
      currency: string;
      auto_apply: boolean;
      credit: string;
    }>(sql`
      select f.id, f.school_id, sc.currency, f.auto_apply, f.credit
      from families f join schools sc on sc.id = f.school_id
      where f.id = ${id} and ${visibleTo(actor, sql`f.school_id`)}
      for no key update of f`);
    return (
      row && {
        id: row.id,
        schoolId: row.school_id,
        autoApply: row.auto_apply,
        credit: parseMoney(row.credit, row.currency),
      }
    );
  }

  async find(actor: Actor, id: number): Promise<BilledFamily | undefined> {
    return await this.#sql.first<BilledFamily>(sql`
      select f.id, f.school_id as "schoolId", f.name, f.tax_id as "taxId", f.tax_name as "taxName",
             f.tax_address as "taxAddress"
      from families f where f.id = ${id} and ${visibleTo(actor, sql`f.school_id`)}`);
  }
}
