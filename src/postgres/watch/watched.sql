-- For each of the relations $1 that is watched, how: 'notify' or 'outbox'. It is when every table that it reads
-- carries our triggers, enabled whoever writes and in one mode, and every table below those does.
WITH RECURSIVE base(asked, oid) AS (
    SELECT o, o FROM pg_catalog.unnest($1::oid[]) AS o
    UNION
    SELECT b.asked, c.oid
      FROM base b
      JOIN pg_catalog.pg_class v ON v.oid = b.oid AND v.relkind = 'v'
      JOIN pg_catalog.pg_rewrite w ON w.ev_class = b.oid
     CROSS JOIN LATERAL (
          SELECT d.refobjid FROM pg_catalog.pg_depend d
           WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          UNION ALL
          -- Dependencies on system tables are not recorded.
          SELECT m[1]::oid FROM pg_catalog.regexp_matches(w.ev_action::text, ':relid (\d+) ', 'g') m
           WHERE m[1]::oid < 16384) r(oid)
      JOIN pg_catalog.pg_class c ON c.oid = r.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
), below(asked, oid) AS (
    SELECT b.asked, b.oid FROM base b JOIN pg_catalog.pg_class c ON c.oid = b.oid AND c.relkind <> 'v'
    UNION
    SELECT b.asked, c.oid
      FROM below b
      JOIN pg_catalog.pg_inherits i ON i.inhparent = b.oid
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relpersistence <> 't'
), above(member, oid) AS (
    SELECT oid, oid FROM below
    UNION
    SELECT a.member, i.inhparent FROM above a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.oid
), carried AS (
    SELECT c.oid, pg_catalog.min(f.mode) AS one, pg_catalog.max(f.mode) AS other,
           pg_catalog.array_agg(g.tgname::text) @> CASE
               WHEN c.relkind NOT IN ('r', 'p') THEN '{nothing can}'
               WHEN NOT EXISTS (SELECT FROM above a JOIN pg_catalog.pg_subscription_rel s ON s.srrelid = a.oid
                                 WHERE a.member = c.oid)
                   THEN '{pgcache_insert, pgcache_update, pgcache_delete, pgcache_truncate}'
               WHEN c.relkind = 'r' THEN '{pgcache_row, pgcache_truncate}'
               ELSE '{pgcache_truncate}' END::text[] AS is_whole
      FROM (SELECT DISTINCT oid FROM below) b
      JOIN pg_catalog.pg_class c ON c.oid = b.oid
      JOIN pg_catalog.pg_trigger g ON g.tgrelid = c.oid AND g.tgenabled = 'A' AND g.tgname LIKE 'pgcache\_%'
      JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
                               AND p.pronamespace = pg_catalog.to_regnamespace('pgcache')
     CROSS JOIN LATERAL (SELECT CASE WHEN p.prosrc LIKE '%pg\_notify%' THEN 'notify' ELSE 'outbox' END) f(mode)
     GROUP BY c.oid, c.relkind
)
SELECT b.asked, pg_catalog.min(c.one)
  FROM below b LEFT JOIN carried c ON c.oid = b.oid
 GROUP BY b.asked
HAVING pg_catalog.bool_and(coalesce(c.is_whole, false)) AND pg_catalog.min(c.one) = pg_catalog.max(c.other)
