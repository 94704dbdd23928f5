-- Takes everything of 0001 away, data included. The role stays: other databases of the cluster may use it.
drop table payments;
drop table invoices;
drop table students;
drop table schools;
drop extension if exists pg_trgm;
