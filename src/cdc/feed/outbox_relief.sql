-- A full outbox takes notices again from here on. Notices were left out: the new incarnation tells every server so.
SET TRANSACTION READ WRITE;
SET LOCAL statement_timeout = '5s';
-- One server at a time, each looking anew: a statement decides by what it found when it began.
SELECT FROM pgcache.outbox_state FOR UPDATE;
UPDATE pgcache.outbox_state
   SET incarnation = pg_catalog.gen_random_uuid()
 WHERE (SELECT last_value FROM pgcache.outbox_id_seq) - (SELECT last_value FROM pgcache.outbox_state_low_seq) > @room@
RETURNING incarnation, pg_catalog.setval('pgcache.outbox_state_low_seq', (SELECT last_value FROM pgcache.outbox_id_seq))
