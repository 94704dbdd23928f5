-- Names are searched and ordered by their letters as they are.
drop index if exists students_school_name_idx, students_search_idx, schools_name_key_country_key;
create index students_search_idx on students using gin ((first_name || ' ' || last_name || ' ' || email) gin_trgm_ops);
create index students_school_name_idx on students (school_id, last_name, first_name, id);
alter table schools drop column name_key;
drop function search_text, name_key;
-- The extension stays: somebody else may use it by now.
