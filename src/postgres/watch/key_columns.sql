-- Columns of table $1 that belong to a unique key of it or of a table below it ($2: all of them), and whether the
-- text of their values is the same whatever a session's settings, and whether they may be NULL.
SELECT a.attname::text, pg_catalog.quote_ident(a.attname),
       t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typname IN ('int2', 'int4', 'int8') AS is_integer,
       t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
           AND t.typname IN ('int2', 'int4', 'int8', 'oid', 'bool', 'numeric', 'text', 'varchar', 'bpchar', 'name',
                             'uuid', 'date', 'timestamp') AS is_settled,
       NOT a.attnotnull AS is_nullable
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
   AND EXISTS (SELECT FROM pg_catalog.pg_index i
                 JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indrelid
                                               AND k.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                WHERE i.indrelid = ANY ($2) AND k.attname = a.attname
                  AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL)
 ORDER BY a.attname
