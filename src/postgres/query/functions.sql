-- The functions that are called $2 in the schemas $1, one by one; without a schema what the search path finds.
SELECT DISTINCT p.oid, p.proname::text, p.provolatile::text, n.nspname = 'pg_catalog' AS is_builtin,
       -- Of an aggregate there is none.
       CASE WHEN n.nspname <> 'pg_catalog' AND p.provolatile = 's' AND p.prokind = 'f' THEN
           pg_catalog.pg_get_functiondef(p.oid) END AS source,
       -- Of PostgreSQL's own that are not volatile only those in SQL, and those that write XML, read tables.
       n.nspname = 'pg_catalog' AND p.provolatile <> 'v' AND p.proname NOT LIKE '%to\_xml%'
           AND p.prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'internal') AS is_plain
  FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
  JOIN pg_catalog.pg_proc p ON p.proname = wanted.name
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE CASE WHEN wanted.schema IS NULL THEN pg_catalog.pg_function_is_visible(p.oid) ELSE n.nspname = wanted.schema END
