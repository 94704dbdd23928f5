-- 0012: the role of the server may write the columns that the server writes, and no others.
--
-- Why: whoever gets hold of its password could renumber, re-date and move invoices, and give new rows ids of their
-- choice. Columns that are not named here are written when a row is made, or never. A column that is added later has to
-- be granted with it. Without rights on whole tables the role can also lock none of them but students and keys.
-- The version before writes no more than this: both may run at once.

do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    revoke insert, update on schools, students, invoices, payments, payment_reversals, credit_notes, document_counters,
      school_totals, idempotency_keys from mattilda_app;
    grant
      insert (name, country, currency, timezone, invoice_prefix, receipt_prefix, created_at, updated_at),
      update (name, country, currency, timezone, invoice_prefix, receipt_prefix, is_active, updated_at)
      on schools to mattilda_app;
    grant
      insert (school_id, first_name, last_name, email, created_at, updated_at),
      update (first_name, last_name, email, updated_at)
      on students to mattilda_app;
    grant
      insert (school_id, student_id, number, currency, amount_total, issued_at, due_date, description, created_at,
        updated_at),
      update (amount_total, amount_paid, amount_credited, voided_at, void_reason, due_date, description, updated_at)
      on invoices to mattilda_app;
    grant insert (school_id, invoice_id, number, amount, method, reference, paid_at, created_at)
      on payments to mattilda_app;
    grant insert (school_id, payment_id, reason, reversed_at) on payment_reversals to mattilda_app;
    grant insert (school_id, invoice_id, amount, reason, created_at) on credit_notes to mattilda_app;
    grant insert (school_id, kind, series, last_number), update (last_number) on document_counters to mattilda_app;
    grant insert (school_id, invoiced, credited, paid), update (invoiced, credited, paid)
      on school_totals to mattilda_app;
    grant insert (credential, key, fingerprint, status, body, created_at), update (fingerprint, status, body)
      on idempotency_keys to mattilda_app;
  end if;
  revoke execute on procedure number_documents(text, text, text, text), rebuild_school_totals() from public;
end $$;

-- The server voids, so its role may write voided_at, and a check sees no more than the new row. This refuses, and writes
-- nothing; a statement that does not name these columns, such as a payment, does not come here.
create function refuse_change_of_void() returns trigger language plpgsql as $$
begin
  raise exception 'invoice % is void, and stays so', old.id
    using errcode = 'check_violation', table = 'invoices', constraint = 'invoices_void_final_check';
end $$;
create trigger invoices_void_final_check after update of voided_at, void_reason on invoices
  for each row when (old.voided_at is not null) execute function refuse_change_of_void();

-- Temporary tables and large objects are room on the disk that the server has no use for. Of the database only its owner
-- can take the one away, of PostgreSQL's own functions only a superuser the other: elsewhere, see docs/operations.md.
do $$
declare
  made_object text;
begin
  if pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') then
    execute format('revoke temporary on database %I from public', current_database());
  else
    raise notice 'TEMPORARY stays granted: this user does not own the database';
  end if;
  if (select rolsuper from pg_roles where rolname = current_user) then
    for made_object in
      select oid::regprocedure from pg_proc
      where pronamespace = 'pg_catalog'::regnamespace and proname ~ '^(lo_.*|lowrite|loread)$'
    loop
      execute format('revoke execute on function %s from public', made_object);
    end loop;
  else
    raise notice 'functions of large objects stay granted: this user is no superuser';
  end if;
end $$;
