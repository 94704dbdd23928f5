do $$
declare
  made_object text;
begin
  if (select rolsuper from pg_roles where rolname = current_user) then
    for made_object in
      select oid::regprocedure from pg_proc
      where pronamespace = 'pg_catalog'::regnamespace and proname ~ '^(lo_.*|lowrite|loread)$'
        -- These were never everybody's.
        and proname not in ('lo_import', 'lo_export')
    loop
      execute format('grant execute on function %s to public', made_object);
    end loop;
  end if;
  if pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') then
    execute format('grant temporary on database %I to public', current_database());
  end if;
end $$;

drop trigger invoices_void_final_check on invoices;
drop function refuse_change_of_void();

do $$
begin
  grant execute on procedure number_documents(text, text, text, text), rebuild_school_totals() to public;
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    -- Takes the rights on columns away with those on the table.
    revoke insert, update on schools, students, invoices, payments, payment_reversals, credit_notes, document_counters,
      school_totals, idempotency_keys from mattilda_app;
    grant insert, update on schools, students, invoices, document_counters, school_totals, idempotency_keys
      to mattilda_app;
    grant insert on payments, payment_reversals, credit_notes to mattilda_app;
  end if;
end $$;
