-- migrate:no-transaction
-- 0011: stored answers that name a person are found by that person's id.
--
-- Why: whoever deletes a student deletes the name and the e-mail too, which also stand in the answer that is kept with
-- the Idempotency-Key of the enrolment. Why an index and no column: what it is about stands in the answer itself, so
-- answers kept before this, and by servers of the version before while both run, are found like all others, and no row
-- has to be rewritten (docs/decisions/0034). Only answers about people are in it: those with an e-mail.

drop index concurrently if exists idempotency_keys_person_idx;

-- migrate:next
create index concurrently idempotency_keys_person_idx on idempotency_keys
  ((substring(body from '^\{"id":([0-9]{1,18}),')::bigint)) where body like '%"email":%';

-- migrate:next
-- Students who were deleted before this. An erased answer is one without a fingerprint.
update idempotency_keys set fingerprint = '', body = ''
where body like '%"email":%'
  and not exists (select from students where id = substring(body from '^\{"id":([0-9]{1,18}),')::bigint);
