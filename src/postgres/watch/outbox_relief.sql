-- A full outbox takes notices again from here on. Notices were left out: the new incarnation tells every server so.
SET TRANSACTION READ WRITE;
SET LOCAL statement_timeout = '5s';
UPDATE pgcache.outbox_state
   SET low = (SELECT last_value FROM pgcache.outbox_id_seq), incarnation = pg_catalog.gen_random_uuid()
 WHERE (SELECT last_value FROM pgcache.outbox_id_seq) - low > @room@
RETURNING incarnation
