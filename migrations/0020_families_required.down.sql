create index payments_invoice_paid_idx on payments (invoice_id, paid_at, id);
