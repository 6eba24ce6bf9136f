-- The processes that hold what an installation waits for: a lock on one of the tables $1 (pg_class.oid) or on one below them, or the
-- lock of another installation. $2: whether those who only read the tables are in its way as well.
WITH RECURSIVE below(oid) AS (
    SELECT t.oid FROM pg_catalog.unnest($1) AS t(oid)
    UNION
    SELECT i.inhrelid FROM below JOIN pg_catalog.pg_inherits i ON i.inhparent = below.oid
)
SELECT DISTINCT l.pid
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
 WHERE l.granted AND l.pid <> pg_catalog.pg_backend_pid()
   AND CASE l.locktype
       WHEN 'relation' THEN l.relation IN (SELECT oid FROM below)
            AND ($2 OR l.mode NOT IN ('AccessShareLock', 'RowShareLock'))
       WHEN 'advisory' THEN l.objsubid = 1
            AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 = 7453010373645639777
       ELSE false END
 ORDER BY 1
