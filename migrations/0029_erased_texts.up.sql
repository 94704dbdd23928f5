-- 0029: erasing somebody reaches every text that was typed of them.
--
-- Why: families, refunds, enrolments and imports came with texts of their own. Whoever is forgotten must not stand in one of
-- them (docs/decisions/0056). The server's role may set these columns for that alone; amounts and days stay out of its reach.

do $$ begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant update (reason) on payment_reversals to mattilda_app;
    grant update (reason) on credit_note_reversals to mattilda_app;
    grant update (reason) on payment_allocations to mattilda_app;
    grant update (reference, reason) on refunds to mattilda_app;
    grant update (reason) on enrolment_discounts to mattilda_app;
    grant update (content) on imported_documents to mattilda_app;
  end if;
end $$;
