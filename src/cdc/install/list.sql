-- Every watched table (a function's name tells, or publication pgcache has it): what it is called, how it is watched, the tables
-- below it, how many triggers they all carry, whether event triggers tell of changed definitions, as what it is
-- published, and with which columns (none: all).
WITH RECURSIVE published AS (
    SELECT r.prrelid AS oid, pg_catalog.jsonb_extract_path(pg_catalog.to_jsonb(r), 'prattrs') AS columns
      FROM pg_catalog.pg_publication_rel r
      JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid AND p.pubname = 'pgcache'
), root AS (
    SELECT c.oid, CASE WHEN p.prosrc LIKE '%pg\_notify%' THEN 'notify' ELSE 'outbox' END AS mode
      FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_class c ON p.proname = pg_catalog.concat('changed_', c.oid)
     WHERE p.pronamespace = pg_catalog.to_regnamespace('pgcache')::oid
    UNION ALL
    -- Heirs come with the table that they inherit from.
    SELECT oid, 'wal' FROM published
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i
                        WHERE i.inhrelid = published.oid AND i.inhparent IN (SELECT oid FROM published))
), below(root, oid) AS (
    SELECT DISTINCT oid, oid FROM root
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
         WHERE e.evtname IN ('pgcache_ddl', 'pgcache_drop') AND e.evtenabled = 'A') AS has_event_trigger,
       CASE WHEN r.mode = 'wal' THEN CASE WHEN c.relispartition THEN 'leaf' WHEN c.relkind = 'p' THEN 'root' ELSE 'table' END END
           AS published_as,
       (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FROM published
          JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
           AND published.columns OPERATOR(pg_catalog.@>) pg_catalog.to_jsonb(a.attnum)
         WHERE r.mode = 'wal' AND published.oid = r.oid) AS columns
  FROM root r
  JOIN pg_catalog.pg_class c ON c.oid = r.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 2
