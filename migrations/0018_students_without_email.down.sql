-- Every student needs an e-mail again. None can be made up: refused while there is one without.
do $$
begin
  if exists (select from students where email is null) then
    raise exception 'there are students without an e-mail, whom the version before does not know';
  end if;
end $$;
alter table students alter column email set not null;
