-- migrate:no-transaction
-- 0022: billing runs, and what each did for whom.
--
-- Why a run is a row: it goes on after its request was answered, in batches that commit by themselves, and another process
-- takes it up where a killed one left it (docs/decisions/0050). Who is at it, says the row: each batch changes it first, so
-- a process that lost it writes nothing more. `after_id` and `after_item_id` are where the last batch ended.
-- Why counts and totals stand in the run: they are asked for every second while it goes on; the check counts again.

create table if not exists billing_runs (
  id              bigserial      not null,
  school_id       bigint         not null,
  kind            text           not null,
  -- Null: all periods of the school.
  period_id       bigint,
  as_of           date           not null,
  status          text           not null,
  currency        text           not null,
  created         integer        not null default 0,
  existing        integer        not null default 0,
  zero            integer        not null default 0,
  failed          integer        not null default 0,
  -- Of what was created, by kind of line; their sum is what was invoiced.
  charges         numeric(18,2)  not null default 0,
  scholarships    numeric(18,2)  not null default 0,
  discounts       numeric(18,2)  not null default 0,
  taxes           numeric(18,2)  not null default 0,
  late_fees       numeric(18,2)  not null default 0,
  -- Of fees that were posted too much: a credit note each.
  corrections     numeric(18,2)  not null default 0,
  after_id        bigint         not null default 0,
  after_item_id   bigint         not null default 0,
  holder          uuid,
  leased_until    timestamptz,
  started_at      timestamptz(3) not null,
  finished_at     timestamptz(3),
  voided_at       timestamptz(3),
  void_reason     text,
  constraint billing_runs_pkey primary key (id, school_id),
  constraint billing_runs_school_currency_fkey foreign key (school_id, currency)
    references schools (id, currency) on update restrict on delete restrict,
  constraint billing_runs_period_fkey foreign key (period_id, school_id)
    references periods (id, school_id) on update restrict on delete restrict,
  constraint billing_runs_kind_check check (kind in ('CHARGES', 'LATE_FEES')),
  constraint billing_runs_status_check check (status in ('RUNNING', 'DONE', 'FAILED', 'VOID')),
  constraint billing_runs_finished_check check ((status = 'RUNNING') = (finished_at is null)),
  constraint billing_runs_void_check check (
    (status = 'VOID') = (voided_at is not null) and (void_reason is null) = (voided_at is null)
    and char_length(void_reason) between 1 and 200
  ),
  constraint billing_runs_lease_check check ((holder is null) = (leased_until is null)),
  constraint billing_runs_counts_check check (created >= 0 and existing >= 0 and zero >= 0 and failed >= 0)
);
create unique index if not exists billing_runs_id_key on billing_runs (id);
-- Two at once would work through the same rows.
create unique index if not exists billing_runs_school_running_key on billing_runs (school_id) where status = 'RUNNING';
create index if not exists billing_runs_school_idx on billing_runs (school_id, id);
create index if not exists billing_runs_period_idx on billing_runs (period_id);

create table if not exists billing_run_items (
  id                 bigserial      not null,
  school_id          bigint         not null,
  billing_run_id     bigint         not null,
  -- No foreign keys to students and items of plans: one who was billed nothing, and an item that was not, can still go.
  student_id         bigint         not null,
  -- What was billed: an item of a plan, or a late fee of an invoice.
  plan_item_id       bigint,
  origin_invoice_id  bigint,
  amount             numeric(12,2)  not null,
  outcome            text           not null,
  error_code         text,
  -- What was made, or was there already.
  invoice_id         bigint,
  constraint billing_run_items_pkey primary key (billing_run_id, id, school_id),
  constraint billing_run_items_run_fkey foreign key (billing_run_id, school_id)
    references billing_runs (id, school_id) on update restrict on delete restrict,
  constraint billing_run_items_origin_invoice_fkey foreign key (origin_invoice_id, school_id)
    references invoices (id, school_id) on update restrict on delete restrict,
  constraint billing_run_items_invoice_fkey foreign key (invoice_id, school_id)
    references invoices (id, school_id) on update restrict on delete restrict,
  constraint billing_run_items_subject_check check (num_nonnulls(plan_item_id, origin_invoice_id) = 1),
  constraint billing_run_items_outcome_check check (outcome in ('CREATED', 'EXISTS', 'ZERO', 'FAILED')),
  constraint billing_run_items_error_check check ((outcome = 'FAILED') = (error_code is not null)),
  constraint billing_run_items_invoice_check check ((outcome in ('CREATED', 'EXISTS')) = (invoice_id is not null))
);
create unique index if not exists billing_run_items_id_key on billing_run_items (id);
-- Each once in a run, however often it was taken up again.
create unique index if not exists billing_run_items_run_plan_item_key
  on billing_run_items (billing_run_id, student_id, plan_item_id, school_id) where plan_item_id is not null;
create unique index if not exists billing_run_items_run_origin_key
  on billing_run_items (billing_run_id, origin_invoice_id, school_id) where origin_invoice_id is not null;

-- migrate:next
do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select on billing_runs, billing_run_items to mattilda_app;
    grant usage on sequence billing_runs_id_seq, billing_run_items_id_seq to mattilda_app;
    grant
      insert (school_id, kind, period_id, as_of, status, currency, started_at),
      update (status, created, existing, zero, failed, charges, scholarships, discounts, taxes, late_fees, corrections,
        after_id, after_item_id, holder, leased_until, finished_at, voided_at, void_reason)
      on billing_runs to mattilda_app;
    grant
      insert (school_id, billing_run_id, student_id, plan_item_id, origin_invoice_id, amount, outcome, error_code,
        invoice_id)
      on billing_run_items to mattilda_app;
  end if;
end $$;

-- migrate:next
alter table invoices
  drop constraint if exists invoices_billing_run_fkey,
  add constraint invoices_billing_run_fkey foreign key (billing_run_id, school_id)
    references billing_runs (id, school_id) on update restrict on delete restrict not valid;

-- migrate:next
alter table invoices validate constraint invoices_billing_run_fkey;
