-- For each relation of $1 (pg_class.oid) a number that changes with its definition, or NULL when $2, its name as
-- regclass printed it, is not its name any more. What a relation is made of counts as its definition: partitions
-- and inheritance in both directions, and what a view reads from (a materialised one has rows of its own). Nothing is read that ANALYZE, VACUUM or changes
-- of rows alter. Whoever alters a catalog's row gives it a new xmin: where rows are only altered, added and taken
-- away, the sum of those is as good as the rows themselves, and costs a tenth.
WITH RECURSIVE wanted(oid, name) AS MATERIALIZED (
    SELECT * FROM unnest($1::pg_catalog.oid[], $2::pg_catalog.text[])
), reach(root, oid, way) AS (
    SELECT wanted.oid, wanted.oid, 'both' FROM wanted
     WHERE EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = wanted.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = wanted.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE pg_class.oid = wanted.oid AND relkind = 'v')
    UNION
    SELECT reach.root, next.oid, next.way
      FROM reach
     CROSS JOIN LATERAL (
           SELECT inhparent, 'up' FROM pg_catalog.pg_inherits WHERE inhrelid = reach.oid AND reach.way <> 'down'
           UNION ALL
           SELECT inhrelid, 'down' FROM pg_catalog.pg_inherits WHERE inhparent = reach.oid AND reach.way <> 'up'
           UNION ALL
           SELECT d.refobjid, 'both'
             FROM pg_catalog.pg_class v
             JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'
             JOIN pg_catalog.pg_depend d ON d.objid = r.oid
            WHERE v.oid = reach.oid AND v.relkind = 'v' AND d.refobjid <> r.ev_class
              AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid) AS next(oid, way)
), parts AS MATERIALIZED (
    SELECT root, oid FROM reach UNION SELECT oid, oid FROM wanted
), schemas AS MATERIALIZED (
    SELECT oid, nspname, pg_catalog.has_schema_privilege(oid, 'USAGE') AS is_open FROM pg_catalog.pg_namespace
), hashes AS MATERIALIZED (
    SELECT c.oid, pg_catalog.hashtextextended(pg_catalog.concat_ws('|',
               c.oid, c.relname, schemas.nspname, schemas.is_open, c.relkind, c.relfilenode, c.relowner,
               c.relreplident, c.relrowsecurity, c.relforcerowsecurity, CASE WHEN c.relrowsecurity THEN pg_catalog.row_security_active(c.oid)::text END, c.relacl, pg_catalog.has_table_privilege(c.oid, 'SELECT'),
               -- Even REFRESH MATERIALIZED VIEW CONCURRENTLY alters this row.
               CASE c.relkind WHEN 'm' THEN c.xmin END,
               CASE c.relkind WHEN 'f' THEN
                   (SELECT f.xmin::text::int8 + s.xmin::text::int8 FROM pg_catalog.pg_foreign_table f
                      JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid) END,
               (SELECT pg_catalog.sum(a.xmin::text::int8 + CASE WHEN a.atttypid < 16384::oid THEN 0 ELSE (
                       -- Types that are not built in: domains, enums, composites, and arrays of them.
                       SELECT pg_catalog.sum(t.xmin::text::int8
                              + coalesce((SELECT pg_catalog.sum(e.xmin::text::int8)::int8 FROM pg_catalog.pg_enum e
                                           WHERE e.enumtypid = t.oid), 0)
                              + coalesce((SELECT pg_catalog.sum(m.xmin::text::int8)::int8 FROM pg_catalog.pg_attribute m
                                           WHERE m.attrelid = t.typrelid), 0))::int8
                         FROM pg_catalog.pg_type declared
                         JOIN pg_catalog.pg_type t ON t.oid IN (declared.oid, declared.typbasetype, declared.typelem)
                        WHERE declared.oid = a.atttypid) END)
                  FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0), '/',
               (SELECT pg_catalog.sum(i.xmin::text::int8 + i.indexrelid::int8 + i.indisvalid::int)
                  FROM pg_catalog.pg_index i
                 WHERE i.indrelid = c.oid AND (i.indisunique OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)), '/',
               -- Whose expressions may call functions of others.
               (SELECT pg_catalog.sum(k.xmin::text::int8 + k.oid::int8)
                  FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'), '/',
               (SELECT pg_catalog.sum(x.xmin::text::int8 + x.oid::int8)
                  FROM pg_catalog.pg_statistic_ext x WHERE x.stxrelid = c.oid), '/',
               CASE WHEN c.relrowsecurity THEN
                   (SELECT pg_catalog.sum(p.xmin::text::int8 + p.oid::int8)
                      FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) END, '/',
               CASE WHEN c.relkind IN ('v', 'm') THEN
                   (SELECT pg_catalog.sum(r.xmin::text::int8 + r.oid::int8)
                      FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid) END, '/',
               (SELECT pg_catalog.count(*) FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = c.oid), '/',
               (SELECT pg_catalog.sum(p.xmin::text::int8 + r.xmin::text::int8 * 2 + p.oid::int8 + r.oid::int8)
                  FROM pg_catalog.pg_publication_rel r
                  JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid AND p.pubname = 'pgcache'
                 WHERE r.prrelid = c.oid), '/',
               (SELECT pg_catalog.sum(t.xmin::text::int8 + p.xmin::text::int8 * 2 + t.oid::int8
                          + coalesce((SELECT s.xmin::text::int8 FROM pg_catalog.pg_class s
                                       WHERE s.relname = 'secret' AND s.relnamespace = p.pronamespace), 0))
                  FROM pg_catalog.pg_trigger t
                  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
                 WHERE t.tgrelid = c.oid AND t.tgname >= 'pgcache_' AND t.tgname < 'pgcache`')), 0) AS hash
      FROM (SELECT DISTINCT oid FROM parts) AS part
      JOIN pg_catalog.pg_class c ON c.oid = part.oid
      JOIN schemas ON schemas.oid = c.relnamespace
), combined AS (
    SELECT parts.root, pg_catalog.sum(hashes.hash) AS sum
      FROM parts JOIN hashes ON hashes.oid = parts.oid
     GROUP BY parts.root
)
SELECT wanted.oid,
       CASE WHEN wanted.name = wanted.oid::pg_catalog.regclass::pg_catalog.text
            THEN pg_catalog.hashtextextended(combined.sum::text, 0) END AS fingerprint
  FROM wanted
  LEFT JOIN combined ON combined.root = wanted.oid
