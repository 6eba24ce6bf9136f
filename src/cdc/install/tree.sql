-- Table $1 and all that stand below it, each with the watched table (a function's name tells) that its triggers
-- speak for: the topmost. $2: whether $1 counts as watched. Temporary tables are their session's own affair.
WITH RECURSIVE below(oid) AS (
    SELECT $1::oid
    UNION
    SELECT c.oid
      FROM below
      JOIN pg_catalog.pg_inherits i ON i.inhparent = below.oid
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relpersistence <> 't'
), above(member, oid, distance) AS (
    SELECT oid, oid, 0 FROM below
    UNION
    SELECT a.member, i.inhparent, a.distance + 1
      FROM above a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.oid
)
SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text,
       EXISTS (SELECT FROM above a JOIN pg_catalog.pg_subscription_rel s ON s.srrelid = a.oid
                WHERE a.member = c.oid) AS is_subscribed,
       (SELECT a.oid FROM above a
         WHERE a.member = c.oid
           AND CASE WHEN a.oid = $1 THEN $2 ELSE EXISTS (
                   SELECT FROM pg_catalog.pg_proc p
                    WHERE p.pronamespace = pg_catalog.to_regnamespace('pgcache')::oid
                      AND p.proname = pg_catalog.concat('changed_', a.oid)) END
         ORDER BY a.distance DESC, a.oid LIMIT 1) AS top,
       EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname::text LIKE 'pgcache\_%')
           AS has_triggers,
       n.nspname::text, c.relname::text,
       EXISTS (SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
                WHERE p.pubname = 'pgcache' AND r.prrelid = c.oid) AS is_published
  FROM below
  JOIN pg_catalog.pg_class c ON c.oid = below.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY c.oid <> $1, c.oid
