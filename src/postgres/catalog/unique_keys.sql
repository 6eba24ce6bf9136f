-- Columns of every unique index of relation $1 that can serve an equality lookup; the primary key first.
SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS attnums
  FROM pg_catalog.pg_index i
 WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
 ORDER BY i.indisprimary DESC, i.indexrelid
