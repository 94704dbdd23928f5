do $$ begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    revoke update (reason) on payment_reversals from mattilda_app;
    revoke update (reason) on credit_note_reversals from mattilda_app;
    revoke update (reason) on payment_allocations from mattilda_app;
    revoke update (reference, reason) on refunds from mattilda_app;
    revoke update (reason) on enrolment_discounts from mattilda_app;
    revoke update (content) on imported_documents from mattilda_app;
  end if;
end $$;
