-- Columns of table $1 that belong to a unique key of it or of a table below it ($2: all of them), and how their values
-- can be told without running code of a type's owner, who may make casts:
--   json   to_json looks for no cast: a built-in type, or a domain over one, or an array of those
--   text   only the type's own output function, which a superuser made, may be used: enums, ranges, extensions' types
--   table  not at all: composites, types with a cast to json, and what is spelled by the search path
-- `proof` holds while a statement is parsed only if the column has the built-in type that it had at the installation.
WITH RECURSIVE keyed AS (
    SELECT a.attname, a.atttypid, a.attnotnull
      FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
       AND EXISTS (SELECT FROM pg_catalog.pg_index i
                     JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indrelid
                                                   AND k.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                    WHERE i.indrelid = ANY ($2) AND k.attname = a.attname
                      AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL)
), made_of(attname, oid, is_array) AS (
    SELECT attname, atttypid, false FROM keyed
    UNION
    SELECT m.attname, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END, m.is_array OR t.typtype <> 'd'
      FROM made_of m
      JOIN pg_catalog.pg_type t ON t.oid = m.oid
     WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0::oid
)
SELECT k.attname::text, pg_catalog.quote_ident(k.attname),
       t.oid < 16384::oid AND t.typname IN ('int2', 'int4', 'int8') AS is_integer,
       t.oid < 16384::oid AND t.typname IN ('int2', 'int4', 'int8', 'oid', 'bool', 'numeric', 'text', 'varchar', 'bpchar', 'name',
                                       'uuid', 'date', 'timestamp') OR t.typtype = 'e' AS is_settled,
       NOT k.attnotnull AS is_nullable,
       CASE WHEN leaf.typcategory = 'A' OR leaf.typtype NOT IN ('b', 'e', 'r', 'm') OR leaf.typarray = 0::oid
              OR leaf.typname::text LIKE 'reg%' AND leaf.oid < 16384::oid
              OR EXISTS (SELECT FROM pg_catalog.pg_type v WHERE v.oid = t.oid AND v.typname IN ('int2vector', 'oidvector'))
              OR EXISTS (SELECT FROM pg_catalog.pg_cast c
                          WHERE c.castsource = leaf.oid AND c.casttarget = 'pg_catalog.json'::pg_catalog.regtype::oid
                            AND leaf.oid >= 16384::oid) THEN 'table'
            WHEN leaf.oid < 16384::oid THEN 'json'
            WHEN m.is_array THEN 'table'
            ELSE 'text' END AS told_as,
       k.atttypid AS type,
       CASE WHEN t.oid < 16384::oid THEN pg_catalog.format(
           CASE t.typcategory WHEN 'A' THEN '%s, NULL::pg_catalog.%I' ELSE 'ARRAY[%s], NULL::pg_catalog.%I[]' END,
           '@value@', t.typname) END AS proof
  FROM keyed k
  JOIN pg_catalog.pg_type t ON t.oid = k.atttypid
  JOIN made_of m ON m.attname = k.attname
  JOIN pg_catalog.pg_type leaf ON leaf.oid = m.oid
 WHERE NOT (leaf.typtype = 'd' OR leaf.typcategory = 'A' AND leaf.typelem <> 0::oid)
 ORDER BY k.attname
