-- Which relations' changes concern the rows of relation $1 (pg_class.oid), and whether all of them are told in the way
-- $2. By triggers ('notify' or 'outbox'): every table among them carries ours, enabled whoever writes. A statement fires
-- the triggers of the table that it names only, so a partition's ancestors count as well as what is below it. By the write-ahead
-- log ('wal'): publication pgcache has all that is done to each table whose rows are read, and names rows by their whole replica
-- identity. A materialised view changes when it is refreshed, not with what it was made from.
WITH RECURSIVE reach(oid, way) AS (
    SELECT $1::pg_catalog.oid, 'both'
    UNION
    SELECT next.oid, next.way
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
), relations AS (
    SELECT c.oid, c.relkind, c.relrowsecurity
      FROM (SELECT DISTINCT oid FROM reach) AS distinct_reach
      JOIN pg_catalog.pg_class c ON c.oid = distinct_reach.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
), streamed AS (
    SELECT c.oid, c.relkind, EXISTS (
               SELECT FROM pg_catalog.pg_publication p
                WHERE p.pubname = 'pgcache' AND p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND NOT p.pubviaroot
                  AND (SELECT pg_catalog.bool_and(pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(r), 'prqual') IS NULL)
                         FROM pg_catalog.pg_publication_rel r
                        WHERE r.prpubid = p.oid
                          AND (r.prrelid = c.oid OR r.prrelid IN (SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(c.oid)))))
           AND c.relpersistence = 'p' AND (c.relkind = 'p' OR identity.is_told) AS is_told
      FROM (SELECT DISTINCT oid FROM reach WHERE way <> 'up') AS read_from
      JOIN pg_catalog.pg_class c ON c.oid = read_from.oid AND c.relkind IN ('r', 'p')
     CROSS JOIN LATERAL (@identity@) AS identity
     WHERE $2::text = 'wal'
), carried AS (
    SELECT relations.oid, relations.relkind, coalesce(pg_catalog.array_agg(t.tgname::text) FILTER (
               WHERE t.tgenabled = 'A' AND p.prosrc LIKE '%pgcache form 2%' AND (p.prosrc LIKE '%pgcache.outbox%') = ($2::text = 'outbox')), '{}') AS names,
           -- A subscription's worker fires nothing but row triggers.
           EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s
                    WHERE s.srrelid = relations.oid
                       OR s.srrelid IN (SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(relations.oid))) AS is_subscribed
      FROM relations
      LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = relations.oid
      LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
     GROUP BY relations.oid, relations.relkind
), told AS (
    SELECT carried.oid, CASE
               WHEN names OPERATOR(pg_catalog.@>) '{pgcache_row,pgcache_truncate}' THEN true
               WHEN relkind = 'r' AND is_subscribed THEN false
               WHEN names OPERATOR(pg_catalog.@>) '{pgcache_insert,pgcache_update,pgcache_delete,pgcache_truncate}' THEN true
               -- Row triggers tell of a partition's rows whichever table the statement names.
               ELSE relkind = 'p' AND names OPERATOR(pg_catalog.@>) '{pgcache_truncate}' AND NOT EXISTS (
                   SELECT FROM carried AS leaf
                    WHERE leaf.relkind = 'r' AND NOT leaf.names OPERATOR(pg_catalog.@>) '{pgcache_row}'
                      AND carried.oid IN (SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(leaf.oid)))
           END AS is_told
      FROM carried
     WHERE relkind IN ('r', 'p') AND $2::text <> 'wal'
    UNION ALL
    SELECT oid, is_told FROM streamed
), rules AS (
    SELECT r.ev_action::text AS action
      FROM pg_catalog.pg_rewrite r
     WHERE r.ev_class IN (SELECT oid FROM relations WHERE relkind = 'v') AND r.rulename = '_RETURN'
)
SELECT (SELECT pg_catalog.array_agg(oid ORDER BY oid) FROM relations) AS concerns,
       $2::text <> 'off'
       -- Whoever cannot read the secret cannot tell our notices from those of others.
       AND ($2::text <> 'notify' OR EXISTS (
            SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'pgcache' AND c.relname = 'secret' AND c.relkind = 'm' AND c.relispopulated
               AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')))
       AND EXISTS (SELECT FROM told)
       AND NOT EXISTS (SELECT FROM told WHERE NOT is_told)
       AND NOT EXISTS (SELECT FROM relations WHERE relkind IN ('m', 'f'))
       -- Policies may read other tables.
       AND NOT EXISTS (SELECT FROM relations WHERE relrowsecurity
                        AND (relations.oid <> $1 OR pg_catalog.row_security_active(relations.oid)))
       -- A view over a system table, which no dependency records, or with a clock, a user or a function in it whose
       -- result changes with no change of a table.
       AND NOT EXISTS (SELECT FROM rules WHERE action LIKE '%SQLVALUEFUNCTION%')
       AND NOT EXISTS (SELECT FROM rules, pg_catalog.regexp_matches(action, ':relid (\d+) ', 'g') AS m(relid)
                        WHERE m.relid[1]::oid BETWEEN 1::oid AND 16383::oid)
       AND NOT EXISTS (SELECT FROM rules, pg_catalog.regexp_matches(action, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+) ', 'g') AS m(oid)
                         JOIN pg_catalog.pg_proc p ON p.oid = m.oid[1]::oid AND p.provolatile <> 'i') AS is_watched
