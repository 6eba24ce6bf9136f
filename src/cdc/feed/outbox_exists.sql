-- Whether there is an outbox: asked of the catalog, because an error would stand in PostgreSQL's log each time.
SELECT pg_catalog.count(*)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'pgcache' AND c.relname IN ('outbox', 'outbox_state')
