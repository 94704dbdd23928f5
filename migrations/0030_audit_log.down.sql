drop function forget_audit_entries();
drop table audit_seals;
drop table audit_log;
