-- What was committed since the last poll, each row once whatever the order of commits: the rows that this poll sees
-- and the last one did not. One statement, so that what is seen and the snapshot that says so are of one moment.
SELECT pg_catalog.set_config('statement_timeout', '5s', true), pg_catalog.set_config('enable_seqscan', 'off', true),
       pg_catalog.set_config('jit', 'off', true);
SELECT pg_catalog.pg_current_snapshot(), state.incarnation, ids.last_value - low.last_value,
       EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()), pg_catalog.pg_current_wal_insert_lsn(), news.xid, news.id, news.notice
  FROM pgcache.outbox_id_seq AS ids CROSS JOIN pgcache.outbox_state_low_seq AS low
  LEFT JOIN pgcache.outbox_state AS state ON true
  LEFT JOIN LATERAL (
       SELECT rows.xid, rows.id, rows.notice
         FROM (SELECT xid, id, notice FROM pgcache.outbox WHERE xid >= '@xmax@'
               UNION ALL
               SELECT xid, id, notice FROM pgcache.outbox WHERE xid = ANY ('{@running@}')) AS rows
        ORDER BY rows.xid, rows.id
        LIMIT @limit@) AS news ON true
