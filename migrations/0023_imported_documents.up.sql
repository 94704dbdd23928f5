-- 0023: under which document of the system before an opening balance was imported.
--
-- Why: a file of balances may be sent again, and then nothing of it is written twice. The key is the document's number in the
-- system before; `content` is what the file said of it, so that a file that says something else is refused instead of
-- changing money.

create table imported_documents (
  school_id   bigint         not null,
  document    text           not null,
  content     text           not null,
  -- What became of it: the invoice of a debt, or the payment of a credit.
  invoice_id  bigint,
  payment_id  bigint,
  created_at  timestamptz(3) not null,
  constraint imported_documents_pkey primary key (school_id, document),
  constraint imported_documents_invoice_fkey foreign key (invoice_id, school_id)
    references invoices (id, school_id) on update restrict on delete restrict,
  constraint imported_documents_payment_fkey foreign key (payment_id, school_id)
    references payments (id, school_id) on update restrict on delete restrict,
  constraint imported_documents_document_length_check check (char_length(document) between 1 and 100),
  constraint imported_documents_kind_check check (num_nonnulls(invoice_id, payment_id) = 1)
);

do $$ begin
  if exists (select from pg_roles where rolname = 'mattilda_app') then
    grant select, insert (school_id, document, content, invoice_id, payment_id, created_at)
      on imported_documents to mattilda_app;
  end if;
end $$;
