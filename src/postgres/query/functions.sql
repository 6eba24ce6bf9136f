-- The functions that are called $2 in the schemas $1, one by one; without a schema what the search path finds.
SELECT DISTINCT p.oid, p.proname::text, p.provolatile::text, n.nspname = 'pg_catalog' AS is_builtin,
       -- Of an aggregate there is none.
       CASE WHEN n.nspname <> 'pg_catalog' AND p.provolatile = 's' AND p.prokind = 'f' THEN
           pg_catalog.pg_get_functiondef(p.oid) END AS source
  FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
  JOIN pg_catalog.pg_proc p ON p.proname = wanted.name
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE CASE WHEN wanted.schema IS NULL THEN pg_catalog.pg_function_is_visible(p.oid) ELSE n.nspname = wanted.schema END
