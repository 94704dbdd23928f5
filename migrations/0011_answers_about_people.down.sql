-- Answers that were erased stay erased: to the version before, a repeat under their key is one of another request.
drop index if exists idempotency_keys_person_idx;
