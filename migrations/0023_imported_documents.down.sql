-- Files of balances that are sent again would be written twice: refused while there are any.
lock table imported_documents in access exclusive mode;
do $$
begin
  if exists (select from imported_documents) then
    raise exception 'there are imported balances, which the version before would import again';
  end if;
end $$;
drop table imported_documents;
