-- Who came by a link is signed out.
delete from sessions where link_id is not null;
alter table sessions
  drop constraint sessions_of_check,
  drop column link_id,
  alter column user_id set not null;
drop table family_links;
