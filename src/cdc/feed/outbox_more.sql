-- The next rows of a poll that found more than it could take: those that snapshot @next@ sees and the one before it
-- did not, behind the last one taken.
SELECT pg_catalog.set_config('statement_timeout', '5s', true), pg_catalog.set_config('enable_seqscan', 'off', true),
       pg_catalog.set_config('jit', 'off', true);
SELECT rows.xid, rows.id, rows.notice
  FROM (SELECT xid, id, notice FROM pgcache.outbox WHERE xid >= '@xmax@'
        UNION ALL
        SELECT xid, id, notice FROM pgcache.outbox WHERE xid = ANY ('{@running@}')) AS rows
 WHERE rows.xid >= '@xid@' AND (rows.xid > '@xid@' OR rows.id > @id@)
   AND pg_catalog.pg_visible_in_snapshot(rows.xid, '@next@')
 ORDER BY rows.xid, rows.id
 LIMIT @limit@
