-- Columns of relation $1 (pg_class.oid) with the types that stand behind them: domains unwrapped to their
-- base, arrays to their element, ranges to their subtype, so that the caller can tell how a value is spelled.
WITH RECURSIVE behind(oid) AS (
    SELECT a.atttypid FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT part.oid
      FROM behind
      JOIN pg_catalog.pg_type t ON t.oid = behind.oid
      LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
     CROSS JOIN LATERAL (VALUES (t.typbasetype),
                                (CASE WHEN t.typcategory = 'A' THEN t.typelem END),
                                (r.rngsubtype)) AS part(oid)
     WHERE part.oid <> 0::oid
)
SELECT NULL::int2 AS attnum, NULL::text AS attname, true AS deterministic, t.oid,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname) AS sql_type,
       t.typname::text, n.nspname = 'pg_catalog' AS builtin, t.typtype::text AS typtype, t.typbasetype,
       coalesce(r.rngsubtype, CASE WHEN t.typcategory = 'A' THEN t.typelem END, 0::oid) AS element,
       equality.operator
  FROM behind
  JOIN pg_catalog.pg_type t ON t.oid = behind.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
  LEFT JOIN LATERAL (
       SELECT 'OPERATOR(' || pg_catalog.quote_ident(opn.nspname) || '.' || o.oprname::text || ')' AS operator
         FROM pg_catalog.pg_opclass oc
         JOIN pg_catalog.pg_am am ON am.oid = oc.opcmethod AND am.amname = 'btree'
         JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
                                   AND ao.amoplefttype = t.oid AND ao.amoprighttype = t.oid
         JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
         JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
        WHERE oc.opcdefault AND oc.opcintype = t.oid
        LIMIT 1) AS equality ON true
UNION ALL
SELECT a.attnum, a.attname::text, coalesce(c.collisdeterministic, true), a.atttypid,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_attribute a
  LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY attnum NULLS FIRST
