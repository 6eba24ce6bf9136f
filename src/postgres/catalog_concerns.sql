-- Which relations' changes concern the rows of relation $1 (pg_class.oid), and whether all of them are told in the way
-- $2 ('notify' or 'outbox'): every table among them carries our triggers, enabled whoever writes. A statement fires
-- the triggers of the table that it names only, so a partition's ancestors count as well as what is below it.
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
             FROM pg_catalog.pg_rewrite r
             JOIN pg_catalog.pg_depend d ON d.objid = r.oid
            WHERE r.ev_class = reach.oid AND r.rulename = '_RETURN' AND d.refobjid <> r.ev_class
              AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) AS next(oid, way)
), relations AS (
    SELECT c.oid, c.relkind, c.relrowsecurity
      FROM (SELECT DISTINCT oid FROM reach) AS distinct_reach
      JOIN pg_catalog.pg_class c ON c.oid = distinct_reach.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
), carried AS (
    SELECT t.tgrelid AS oid, pg_catalog.array_agg(t.tgname::text) AS names
      FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
     WHERE t.tgrelid IN (SELECT oid FROM relations) AND t.tgenabled = 'A'
       AND (p.prosrc LIKE '%pgcache.outbox%') = ($2::text = 'outbox')
     GROUP BY t.tgrelid
), rules AS (
    SELECT r.ev_action::text AS action
      FROM pg_catalog.pg_rewrite r
     WHERE r.ev_class IN (SELECT oid FROM relations WHERE relkind = 'v') AND r.rulename = '_RETURN'
)
SELECT (SELECT pg_catalog.array_agg(oid ORDER BY oid) FROM relations) AS concerns,
       $2::text <> 'off'
       AND EXISTS (SELECT FROM relations WHERE relkind IN ('r', 'p'))
       AND NOT EXISTS (
           SELECT FROM relations
             LEFT JOIN carried ON carried.oid = relations.oid
            WHERE relkind IN ('m', 'f')
               OR relkind IN ('r', 'p')
                  AND (coalesce(carried.names, '{}') @> '{pgcache_insert,pgcache_update,pgcache_delete,pgcache_truncate}'
                       OR coalesce(carried.names, '{}') @> '{pgcache_row,pgcache_truncate}') IS NOT TRUE)
       -- Policies may read other tables.
       AND NOT EXISTS (SELECT FROM relations WHERE relrowsecurity
                        AND (relations.oid <> $1 OR pg_catalog.row_security_active(relations.oid)))
       -- A view over a system table, which no dependency records, or with a clock, a user or a function in it whose
       -- result changes with no change of a table.
       AND NOT EXISTS (SELECT FROM rules WHERE action LIKE '%SQLVALUEFUNCTION%')
       AND NOT EXISTS (SELECT FROM rules, pg_catalog.regexp_matches(action, ':relid (\d+) ', 'g') AS m(relid)
                        WHERE m.relid[1]::oid BETWEEN 1 AND 16383)
       AND NOT EXISTS (SELECT FROM rules, pg_catalog.regexp_matches(action, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+) ', 'g') AS m(oid)
                         JOIN pg_catalog.pg_proc p ON p.oid = m.oid[1]::oid AND p.provolatile <> 'i') AS is_watched
