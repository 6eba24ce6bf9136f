-- Whether the database has functions that are run without being called by name: behind operators, casts, the order of types
-- and what domains check. Those in C and PostgreSQL's own compute; others may read tables.
WITH written AS (
    SELECT p.oid
      FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('internal', 'c')
     WHERE p.oid >= 16384
)
SELECT EXISTS (SELECT FROM written
                WHERE oid IN (SELECT oprcode FROM pg_catalog.pg_operator WHERE oid >= 16384)
                   OR oid IN (SELECT castfunc FROM pg_catalog.pg_cast WHERE oid >= 16384)
                   OR oid IN (SELECT amproc FROM pg_catalog.pg_amproc WHERE oid >= 16384))
       OR EXISTS (SELECT FROM pg_catalog.pg_constraint c,
                              pg_catalog.regexp_matches(c.conbin::text, ':(?:funcid|opfuncid) (\d+) ', 'g') AS m(oid)
                   WHERE c.contypid <> 0 AND m.oid[1]::pg_catalog.oid IN (SELECT oid FROM written)) AS are_there
