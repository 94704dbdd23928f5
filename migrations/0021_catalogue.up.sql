-- migrate:no-transaction
-- 0021: what a school bills: periods, concepts, plans, discounts, enrolments, late fees; and invoices that say what for.
--
-- Why a column `currency` beside every price: with its foreign key a school that has prices keeps its currency, so no
-- amount of 12.50 is ever one of a currency without decimals.
-- Why the period stands in plans, enrolments and between them: so nobody is enrolled in a plan of another period.
-- Why the lines of an invoice are json in its row: they are written once, with it, read only with it, and never searched
-- (docs/decisions/0051). All columns of invoices are null where they say nothing: no row is rewritten.

create table if not exists periods (
  id          bigserial      not null,
  school_id   bigint         not null,
  name        text           not null,
  starts_on   date           not null,
  ends_on     date           not null,
  created_at  timestamptz(3) not null,
  updated_at  timestamptz(3) not null,
  constraint periods_pkey primary key (id, school_id),
  constraint periods_school_fkey foreign key (school_id) references schools (id) on update restrict on delete restrict,
  constraint periods_school_name_key unique (school_id, name),
  constraint periods_name_length_check check (char_length(name) between 1 and 100),
  constraint periods_days_check check (ends_on >= starts_on)
);
create unique index if not exists periods_id_key on periods (id);

create table if not exists concepts (
  id          bigserial      not null,
  school_id   bigint         not null,
  code        text           not null,
  name        text           not null,
  category    text           not null,
  -- Percent of what is left after discounts.
  tax_rate    numeric(5,2)   not null,
  created_at  timestamptz(3) not null,
  updated_at  timestamptz(3) not null,
  constraint concepts_pkey primary key (id, school_id),
  constraint concepts_school_fkey foreign key (school_id) references schools (id) on update restrict on delete restrict,
  constraint concepts_school_code_key unique (school_id, code),
  constraint concepts_code_length_check check (char_length(code) between 1 and 50),
  constraint concepts_name_length_check check (char_length(name) between 1 and 200),
  constraint concepts_category_check check (category in ('ENROLMENT', 'TUITION', 'SERVICE', 'LATE_FEE', 'OTHER')),
  constraint concepts_tax_rate_range_check check (tax_rate between 0 and 100)
);
create unique index if not exists concepts_id_key on concepts (id);

create table if not exists late_fee_policies (
  id           bigserial      not null,
  school_id    bigint         not null,
  name         text           not null,
  kind         text           not null,
  -- What a MONTHLY or DAILY step posts; a ONCE has its steps in a table of their own.
  percent      numeric(5,2),
  amount       numeric(12,2),
  currency     text           not null,
  base         text           not null,
  grace_days   integer        not null,
  cap_percent  numeric(5,2),
  cap_amount   numeric(12,2),
  created_at   timestamptz(3) not null,
  updated_at   timestamptz(3) not null,
  constraint late_fee_policies_pkey primary key (id, school_id),
  constraint late_fee_policies_school_currency_fkey foreign key (school_id, currency)
    references schools (id, currency) on update restrict on delete restrict,
  constraint late_fee_policies_school_name_key unique (school_id, name),
  constraint late_fee_policies_name_length_check check (char_length(name) between 1 and 100),
  constraint late_fee_policies_kind_check check (kind in ('ONCE', 'MONTHLY', 'DAILY')),
  constraint late_fee_policies_base_check check (base in ('ORIGINAL', 'PENDING')),
  constraint late_fee_policies_value_check check (num_nonnulls(percent, amount) = case kind when 'ONCE' then 0 else 1 end),
  constraint late_fee_policies_percent_range_check check (percent > 0 and percent <= 100),
  constraint late_fee_policies_amount_range_check check (amount > 0 and amount <= 9999999999.99),
  constraint late_fee_policies_grace_days_check check (grace_days between 0 and 365),
  constraint late_fee_policies_cap_check check (
    num_nonnulls(cap_percent, cap_amount) <= 1 and cap_percent > 0 and cap_percent <= 100
    and cap_amount > 0 and cap_amount <= 9999999999.99
  )
);
create unique index if not exists late_fee_policies_id_key on late_fee_policies (id);

create table if not exists late_fee_steps (
  school_id  bigint         not null,
  policy_id  bigint         not null,
  from_day   integer        not null,
  percent    numeric(5,2),
  amount     numeric(12,2),
  constraint late_fee_steps_pkey primary key (policy_id, school_id, from_day),
  constraint late_fee_steps_policy_fkey foreign key (policy_id, school_id)
    references late_fee_policies (id, school_id) on update restrict on delete restrict,
  constraint late_fee_steps_from_day_check check (from_day between 1 and 3650),
  constraint late_fee_steps_value_check check (num_nonnulls(percent, amount) = 1),
  constraint late_fee_steps_percent_range_check check (percent > 0 and percent <= 100),
  constraint late_fee_steps_amount_range_check check (amount > 0 and amount <= 9999999999.99)
);

create table if not exists plans (
  id                  bigserial      not null,
  school_id           bigint         not null,
  period_id           bigint         not null,
  concept_id          bigint         not null,
  name                text           not null,
  currency            text           not null,
  proration           text           not null,
  late_fee_policy_id  bigint,
  created_at          timestamptz(3) not null,
  updated_at          timestamptz(3) not null,
  constraint plans_pkey primary key (id, school_id),
  -- Target of the foreign key that keeps enrolments in plans of their period.
  constraint plans_id_period_key unique (id, school_id, period_id),
  constraint plans_school_currency_fkey foreign key (school_id, currency)
    references schools (id, currency) on update restrict on delete restrict,
  constraint plans_period_fkey foreign key (period_id, school_id)
    references periods (id, school_id) on update restrict on delete restrict,
  constraint plans_concept_fkey foreign key (concept_id, school_id)
    references concepts (id, school_id) on update restrict on delete restrict,
  constraint plans_late_fee_policy_fkey foreign key (late_fee_policy_id, school_id)
    references late_fee_policies (id, school_id) on update restrict on delete restrict,
  constraint plans_period_name_key unique (period_id, school_id, name),
  constraint plans_name_length_check check (char_length(name) between 1 and 100),
  constraint plans_proration_check check (proration in ('NONE', 'BY_DAY'))
);
create unique index if not exists plans_id_key on plans (id);
create index if not exists plans_school_idx on plans (school_id, id);
create index if not exists plans_concept_idx on plans (concept_id);
create index if not exists plans_late_fee_policy_idx on plans (late_fee_policy_id);

create table if not exists plan_items (
  id           bigserial      not null,
  school_id    bigint         not null,
  plan_id      bigint         not null,
  seq          integer        not null,
  label        text           not null,
  issue_on     date           not null,
  due_on       date           not null,
  covers_from  date,
  covers_to    date,
  amount       numeric(12,2)  not null,
  constraint plan_items_pkey primary key (id, school_id),
  constraint plan_items_plan_fkey foreign key (plan_id, school_id)
    references plans (id, school_id) on update restrict on delete restrict,
  constraint plan_items_plan_seq_key unique (plan_id, school_id, seq),
  constraint plan_items_seq_check check (seq between 1 and 366),
  constraint plan_items_label_length_check check (char_length(label) between 1 and 200),
  constraint plan_items_days_check check (due_on >= issue_on),
  constraint plan_items_covers_check check ((covers_from is null) = (covers_to is null) and covers_to >= covers_from),
  constraint plan_items_amount_range_check check (amount > 0 and amount <= 9999999999.99)
);
create unique index if not exists plan_items_id_key on plan_items (id);
create index if not exists plan_items_school_issue_idx on plan_items (school_id, issue_on);

create table if not exists plan_early_discounts (
  school_id        bigint         not null,
  plan_id          bigint         not null,
  days_before_due  integer        not null,
  percent          numeric(5,2),
  amount           numeric(12,2),
  constraint plan_early_discounts_pkey primary key (plan_id, school_id, days_before_due),
  constraint plan_early_discounts_plan_fkey foreign key (plan_id, school_id)
    references plans (id, school_id) on update restrict on delete restrict,
  constraint plan_early_discounts_days_check check (days_before_due between 0 and 365),
  constraint plan_early_discounts_value_check check (num_nonnulls(percent, amount) = 1),
  constraint plan_early_discounts_percent_range_check check (percent > 0 and percent <= 100),
  constraint plan_early_discounts_amount_range_check check (amount > 0 and amount <= 9999999999.99)
);

create table if not exists discounts (
  id          bigserial      not null,
  school_id   bigint         not null,
  code        text           not null,
  name        text           not null,
  kind        text           not null,
  percent     numeric(5,2),
  amount      numeric(12,2),
  currency    text           not null,
  -- Categories of concepts it is given on; none named is all.
  categories  text[]         not null,
  stacking    text           not null,
  -- The first child of a family that a SIBLING discount is given to.
  from_child  integer,
  created_at  timestamptz(3) not null,
  updated_at  timestamptz(3) not null,
  constraint discounts_pkey primary key (id, school_id),
  constraint discounts_school_currency_fkey foreign key (school_id, currency)
    references schools (id, currency) on update restrict on delete restrict,
  constraint discounts_school_code_key unique (school_id, code),
  constraint discounts_code_length_check check (char_length(code) between 1 and 50),
  constraint discounts_name_length_check check (char_length(name) between 1 and 200),
  constraint discounts_kind_check check (kind in ('SCHOLARSHIP', 'DISCOUNT', 'SIBLING')),
  constraint discounts_value_check check (num_nonnulls(percent, amount) = 1),
  constraint discounts_percent_range_check check (percent > 0 and percent <= 100),
  constraint discounts_amount_range_check check (amount > 0 and amount <= 9999999999.99),
  constraint discounts_categories_check
    check (categories <@ array['ENROLMENT', 'TUITION', 'SERVICE', 'LATE_FEE', 'OTHER']),
  constraint discounts_stacking_check check (stacking in ('EXCLUSIVE', 'CUMULATIVE')),
  constraint discounts_from_child_check
    check ((kind = 'SIBLING') = (from_child is not null) and from_child between 2 and 20)
);
create unique index if not exists discounts_id_key on discounts (id);

create table if not exists enrolments (
  id                 bigserial      not null,
  school_id          bigint         not null,
  student_id         bigint         not null,
  period_id          bigint         not null,
  grade              text,
  group_name         text,
  starts_on          date           not null,
  ends_on            date,
  withdrawal_reason  text,
  created_at         timestamptz(3) not null,
  updated_at         timestamptz(3) not null,
  constraint enrolments_pkey primary key (id, school_id),
  constraint enrolments_id_period_key unique (id, school_id, period_id),
  constraint enrolments_student_period_key unique (student_id, school_id, period_id),
  constraint enrolments_student_fkey foreign key (student_id, school_id)
    references students (id, school_id) on update restrict on delete restrict,
  constraint enrolments_period_fkey foreign key (period_id, school_id)
    references periods (id, school_id) on update restrict on delete restrict,
  constraint enrolments_grade_length_check check (char_length(grade) between 1 and 50),
  constraint enrolments_group_name_length_check check (char_length(group_name) between 1 and 50),
  constraint enrolments_days_check check (ends_on >= starts_on),
  constraint enrolments_withdrawal_check
    check (withdrawal_reason is null or (ends_on is not null and char_length(withdrawal_reason) between 1 and 200))
);
create unique index if not exists enrolments_id_key on enrolments (id);
create index if not exists enrolments_school_idx on enrolments (school_id, id);
-- What a run reads: everybody of a period.
create index if not exists enrolments_period_idx on enrolments (period_id, id);

create table if not exists enrolment_plans (
  school_id     bigint not null,
  enrolment_id  bigint not null,
  plan_id       bigint not null,
  period_id     bigint not null,
  constraint enrolment_plans_pkey primary key (enrolment_id, school_id, plan_id),
  constraint enrolment_plans_enrolment_fkey foreign key (enrolment_id, school_id, period_id)
    references enrolments (id, school_id, period_id) on update restrict on delete restrict,
  constraint enrolment_plans_plan_fkey foreign key (plan_id, school_id, period_id)
    references plans (id, school_id, period_id) on update restrict on delete restrict
);
create index if not exists enrolment_plans_plan_idx on enrolment_plans (plan_id);

create table if not exists enrolment_discounts (
  school_id     bigint  not null,
  enrolment_id  bigint  not null,
  seq           integer not null,
  discount_id   bigint  not null,
  valid_from    date,
  valid_to      date,
  reason        text,
  constraint enrolment_discounts_pkey primary key (enrolment_id, school_id, seq),
  constraint enrolment_discounts_enrolment_fkey foreign key (enrolment_id, school_id)
    references enrolments (id, school_id) on update restrict on delete restrict,
  constraint enrolment_discounts_discount_fkey foreign key (discount_id, school_id)
    references discounts (id, school_id) on update restrict on delete restrict,
  constraint enrolment_discounts_seq_check check (seq between 1 and 50),
  constraint enrolment_discounts_days_check check (valid_to >= valid_from),
  constraint enrolment_discounts_reason_length_check check (char_length(reason) between 1 and 200)
);
create index if not exists enrolment_discounts_discount_idx on enrolment_discounts (discount_id);

-- migrate:next
alter table invoices
  add column if not exists concept_id bigint,
  add column if not exists plan_item_id bigint,
  add column if not exists billing_run_id bigint,
  add column if not exists origin_invoice_id bigint,
  add column if not exists lines json,
  add column if not exists early_discounts json;
do $$
begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, delete on periods, concepts, late_fee_policies, late_fee_steps, plans, plan_items, plan_early_discounts,
      discounts, enrolments, enrolment_plans, enrolment_discounts to mattilda_app;
    grant usage on sequence periods_id_seq, concepts_id_seq, late_fee_policies_id_seq, plans_id_seq, plan_items_id_seq,
      discounts_id_seq, enrolments_id_seq to mattilda_app;
    grant
      insert (school_id, name, starts_on, ends_on, created_at, updated_at),
      update (name, starts_on, ends_on, updated_at)
      on periods to mattilda_app;
    grant
      insert (school_id, code, name, category, tax_rate, created_at, updated_at),
      update (code, name, category, tax_rate, updated_at)
      on concepts to mattilda_app;
    grant
      insert (school_id, name, kind, percent, amount, currency, base, grace_days, cap_percent, cap_amount, created_at,
        updated_at),
      update (name, kind, percent, amount, base, grace_days, cap_percent, cap_amount, updated_at)
      on late_fee_policies to mattilda_app;
    grant insert (school_id, policy_id, from_day, percent, amount) on late_fee_steps to mattilda_app;
    grant
      insert (school_id, period_id, concept_id, name, currency, proration, late_fee_policy_id, created_at, updated_at),
      update (name, proration, late_fee_policy_id, updated_at)
      on plans to mattilda_app;
    grant
      insert (school_id, plan_id, seq, label, issue_on, due_on, covers_from, covers_to, amount),
      update (label, issue_on, due_on, covers_from, covers_to, amount)
      on plan_items to mattilda_app;
    grant insert (school_id, plan_id, days_before_due, percent, amount) on plan_early_discounts to mattilda_app;
    grant
      insert (school_id, code, name, kind, percent, amount, currency, categories, stacking, from_child, created_at,
        updated_at),
      update (code, name, kind, percent, amount, categories, stacking, from_child, updated_at)
      on discounts to mattilda_app;
    grant
      insert (school_id, student_id, period_id, grade, group_name, starts_on, ends_on, created_at, updated_at),
      update (grade, group_name, starts_on, ends_on, withdrawal_reason, updated_at)
      on enrolments to mattilda_app;
    grant insert (school_id, enrolment_id, plan_id, period_id) on enrolment_plans to mattilda_app;
    grant insert (school_id, enrolment_id, seq, discount_id, valid_from, valid_to, reason)
      on enrolment_discounts to mattilda_app;
    grant insert (concept_id, plan_item_id, billing_run_id, origin_invoice_id, lines, early_discounts)
      on invoices to mattilda_app;
  end if;
end $$;

-- migrate:next
-- Each for itself, so that whoever writes invoices waits for one short look at a time.
alter table invoices
  drop constraint if exists invoices_concept_fkey,
  add constraint invoices_concept_fkey foreign key (concept_id, school_id)
    references concepts (id, school_id) on update restrict on delete restrict not valid;

-- migrate:next
alter table invoices
  drop constraint if exists invoices_plan_item_fkey,
  add constraint invoices_plan_item_fkey foreign key (plan_item_id, school_id)
    references plan_items (id, school_id) on update restrict on delete restrict not valid;

-- migrate:next
alter table invoices
  drop constraint if exists invoices_origin_invoice_fkey,
  add constraint invoices_origin_invoice_fkey foreign key (origin_invoice_id, school_id)
    references invoices (id, school_id) on update restrict on delete restrict not valid;

-- migrate:next
alter table invoices
  validate constraint invoices_concept_fkey, validate constraint invoices_plan_item_fkey,
  validate constraint invoices_origin_invoice_fkey;

-- migrate:next
drop index concurrently if exists invoices_concept_idx;

-- migrate:next
-- What refers to a concept, an item, an invoice, a run: for those who delete, look up or void them. Few invoices of before are in them.
create index concurrently invoices_concept_idx on invoices (concept_id) where concept_id is not null;

-- migrate:next
drop index concurrently if exists invoices_plan_item_idx;

-- migrate:next
create index concurrently invoices_plan_item_idx on invoices (plan_item_id, student_id) where plan_item_id is not null;

-- migrate:next
drop index concurrently if exists invoices_origin_invoice_idx;

-- migrate:next
create index concurrently invoices_origin_invoice_idx on invoices (origin_invoice_id) where origin_invoice_id is not null;

-- migrate:next
drop index concurrently if exists invoices_billing_run_idx;

-- migrate:next
create index concurrently invoices_billing_run_idx on invoices (billing_run_id, id) where billing_run_id is not null;

-- migrate:next
drop index concurrently if exists invoices_student_plan_item_key;

-- migrate:next
-- Whatever runs at the same time: a student has one live invoice of an item. A voided one can be billed again.
create unique index concurrently invoices_student_plan_item_key on invoices (student_id, plan_item_id, school_id)
  where plan_item_id is not null and voided_at is null;
