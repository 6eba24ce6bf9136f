-- Columns of every unique index of relation $1 that can serve an equality lookup, the primary key first, and whether notices
-- name rows by them. By the write-ahead log ($2 = 'wal') those do whose columns all belong to the replica identity of every
-- table that rows of $1 may stand in: of others it does not carry the value that a row had.
WITH RECURSIVE below(oid) AS (
    SELECT $1::pg_catalog.oid
    UNION
    SELECT i.inhrelid FROM below JOIN pg_catalog.pg_inherits i ON i.inhparent = below.oid
), identity AS (
    SELECT c.oid, c.relreplident, a.attname
      FROM below
      JOIN pg_catalog.pg_class c ON c.oid = below.oid AND c.relkind = 'r'
      LEFT JOIN pg_catalog.pg_index r ON r.indrelid = c.oid AND r.indisvalid AND r.indimmediate
                AND CASE c.relreplident WHEN 'd' THEN r.indisprimary WHEN 'i' THEN r.indisreplident ELSE false END
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.indrelid
                AND a.attnum = ANY ((r.indkey::int2[])[0:r.indnkeyatts - 1])
)
SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS attnums,
       $2::text <> 'wal' OR NOT EXISTS (
           SELECT FROM pg_catalog.pg_attribute k
            WHERE k.attrelid = $1 AND k.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
              AND (k.attgenerated <> '' OR EXISTS (
                   SELECT FROM identity
                    GROUP BY identity.oid, identity.relreplident
                   HAVING identity.relreplident <> 'f'
                      AND pg_catalog.bool_and(identity.attname IS DISTINCT FROM k.attname)))) AS is_named
  FROM pg_catalog.pg_index i
 WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
 ORDER BY i.indisprimary DESC, i.indexrelid
