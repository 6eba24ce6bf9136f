-- What the tables $1 (pg_class.oid) account for, as far as it exists: themselves, all that stands below them, and the
-- indexes and TOAST tables of these; of $2, which were read too, what needs no account.
WITH RECURSIVE tree(oid) AS (
    SELECT pg_catalog.unnest($1::pg_catalog.oid[])
    UNION
    SELECT inhrelid FROM tree JOIN pg_catalog.pg_inherits ON inhparent = tree.oid
), tables AS (
    SELECT c.oid, c.reltoastrelid FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
), stores(oid) AS (
    SELECT oid FROM tables UNION SELECT reltoastrelid FROM tables WHERE reltoastrelid <> 0::oid
)
SELECT oid FROM stores
UNION
SELECT indexrelid FROM stores JOIN pg_catalog.pg_index ON indrelid = stores.oid
UNION
SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($2::pg_catalog.oid[]) AND relkind NOT IN ('r', 'p', 'v', 'm', 'f')
ORDER BY oid
