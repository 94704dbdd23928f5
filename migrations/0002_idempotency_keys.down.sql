-- Forgets every Idempotency-Key: repeats of requests made before are new requests afterwards.
drop table idempotency_keys;
