-- The relation that $1 names, and every table that has to be watched for it: itself, or what a view reads.
WITH RECURSIVE base(oid) AS (
    SELECT pg_catalog.to_regclass($1)::oid
    UNION
    SELECT r.oid
      FROM base b
      JOIN pg_catalog.pg_class v ON v.oid = b.oid AND v.relkind = 'v'
      JOIN pg_catalog.pg_rewrite w ON w.ev_class = b.oid
     CROSS JOIN LATERAL (
          SELECT d.refobjid FROM pg_catalog.pg_depend d
           WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid AND d.objid = w.oid
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
          UNION ALL
          -- Dependencies on system tables are not recorded.
          SELECT m[1]::oid FROM pg_catalog.regexp_matches(w.ev_action::text, ':relid (\d+) ', 'g') m
           WHERE m[1]::oid < 16384::oid) r(oid)
)
SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text, c.relpersistence::text,
       c.oid < 16384::oid OR n.nspname IN ('pg_catalog', 'information_schema', 'pg_toast') AS is_system,
       c.oid = pg_catalog.to_regclass($1)::oid AS is_named,
       n.nspname::text, c.relname::text
  FROM base
  JOIN pg_catalog.pg_class c ON c.oid = base.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
 ORDER BY is_named DESC, c.oid
