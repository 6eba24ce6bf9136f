-- The relations $1 (pg_class.oid) that still exist, and whether another of them speaks for each: one that it is a
-- partition of, inherits to, or keeps the long values of.
WITH RECURSIVE above(oid, ancestor) AS (
    SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = ANY ($1::pg_catalog.oid[])
    UNION
    SELECT above.oid, inhparent FROM above JOIN pg_catalog.pg_inherits ON inhrelid = above.ancestor
), spoken_for(oid) AS (
    SELECT oid FROM above WHERE ancestor = ANY ($1::pg_catalog.oid[])
    UNION
    SELECT reltoastrelid FROM pg_catalog.pg_class WHERE oid = ANY ($1::pg_catalog.oid[])
)
SELECT c.oid, n.nspname::text, c.relname::text, c.oid::pg_catalog.regclass::text, c.relkind::text,
       c.oid IN (SELECT oid FROM spoken_for) AS is_spoken_for
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY ($1::pg_catalog.oid[])
 ORDER BY c.oid
