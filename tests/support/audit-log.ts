import type { Billing } from './billing.ts';

/** Runs `work` while no entry can be written: PostgreSQL refuses each as a standby does. */
export async function withoutAuditLog<T>({ owner }: Pick<Billing, 'owner'>, work: () => Promise<T>): Promise<T> {
  await owner.query(`
    create function no_entry() returns trigger language plpgsql as $$
    begin raise exception using errcode = '25006', message = 'cannot execute INSERT in a read-only transaction'; end $$;
    create trigger no_entry before insert on audit_log for each row execute function no_entry()`);
  try {
    return await work();
  } finally {
    await owner.query('drop trigger no_entry on audit_log; drop function no_entry()');
  }
}
