-- Removes rows that everybody has had a minute to read: those that the snapshot in the state, taken a minute ago or
-- more, sees. A slice at a time, by one server at a time; after the last slice another snapshot is taken.
SET TRANSACTION READ WRITE;
SET LOCAL statement_timeout = '5s';
SET LOCAL enable_seqscan = off;
SET LOCAL jit = off;
WITH due AS (
    SELECT trim_snapshot FROM pgcache.outbox_state
     WHERE trimmed_at IS NULL OR trimmed_at <= pg_catalog.now() - interval '@age@'
       FOR UPDATE SKIP LOCKED
), old AS MATERIALIZED (
    SELECT outbox.ctid AS place
      FROM due, pgcache.outbox
     WHERE outbox.xid < pg_catalog.pg_snapshot_xmax(due.trim_snapshot)
       AND pg_catalog.pg_visible_in_snapshot(outbox.xid, due.trim_snapshot)
     ORDER BY outbox.xid LIMIT @limit@
), gone AS (
    DELETE FROM pgcache.outbox WHERE ctid = ANY (ARRAY(SELECT place FROM old)) RETURNING id
), slice AS (
    SELECT pg_catalog.count(*) AS size, pg_catalog.max(id) AS last FROM gone
)
UPDATE pgcache.outbox_state
   SET trim_snapshot = CASE WHEN slice.size < @limit@ THEN pg_catalog.pg_current_snapshot() ELSE outbox_state.trim_snapshot END,
       trimmed_at = CASE WHEN slice.size < @limit@ THEN pg_catalog.now() ELSE trimmed_at END
  FROM slice, due
RETURNING slice.size, pg_catalog.setval('pgcache.outbox_state_low_seq',
          greatest((SELECT last_value FROM pgcache.outbox_state_low_seq), slice.last))
