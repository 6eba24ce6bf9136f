-- The relation that $1 names, resolved as PostgreSQL resolves it (search_path, quoting).
SELECT c.oid, n.nspname::text, c.relname::text, c.oid::pg_catalog.regclass::text, c.relkind::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = pg_catalog.to_regclass($1)::oid
