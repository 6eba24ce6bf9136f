-- Every watched table (a function's name tells): what it is called, how it is watched, the tables below it, how
-- many triggers they all carry, and whether event triggers tell of changed definitions.
WITH RECURSIVE root AS (
    SELECT c.oid, CASE WHEN p.prosrc LIKE '%pg\_notify%' THEN 'notify' ELSE 'outbox' END AS mode
      FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_class c ON p.proname = pg_catalog.concat('changed_', c.oid)
     WHERE p.pronamespace = pg_catalog.to_regnamespace('pgcache')::oid
), below(root, oid) AS (
    SELECT oid, oid FROM root
    UNION
    SELECT b.root, c.oid
      FROM below b
      JOIN pg_catalog.pg_inherits i ON i.inhparent = b.oid
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relpersistence <> 't'
)
SELECT r.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), r.mode,
       (SELECT pg_catalog.count(*) FROM below b JOIN pg_catalog.pg_trigger g ON g.tgrelid = b.oid
         WHERE b.root = r.oid AND g.tgname::text LIKE 'pgcache\_%') AS triggers,
       (SELECT pg_catalog.count(*) - 1 FROM below b WHERE b.root = r.oid) AS partitions,
       (SELECT pg_catalog.count(*) = 2 FROM pg_catalog.pg_event_trigger e
         WHERE e.evtname IN ('pgcache_ddl', 'pgcache_drop') AND e.evtenabled = 'A') AS has_event_trigger
  FROM root r
  JOIN pg_catalog.pg_class c ON c.oid = r.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 2
