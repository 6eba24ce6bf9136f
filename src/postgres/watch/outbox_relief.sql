-- A full outbox takes notices again from here on. Notices were left out: the new incarnation tells every server so.
SET TRANSACTION READ WRITE;
SET LOCAL statement_timeout = '5s';
UPDATE pgcache.outbox_state
   SET low = ids.last_value, incarnation = pg_catalog.gen_random_uuid()
  FROM pgcache.outbox_id_seq AS ids
 WHERE ids.last_value - low > @room@
RETURNING incarnation
