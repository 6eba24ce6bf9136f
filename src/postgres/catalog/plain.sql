-- Whether reading relation $1 (pg_class.oid) by its keys runs nobody's code: it and all below it are tables without row security,
-- every column is of a built-in type, and no index, constraint, statistics or virtual column has an expression with a function or
-- an operator of somebody's: PostgreSQL computes the constant parts of these whenever it plans a statement.
WITH RECURSIVE tree(oid) AS (
    SELECT $1::pg_catalog.oid
    UNION
    SELECT inhrelid FROM tree JOIN pg_catalog.pg_inherits ON inhparent = tree.oid
), parts AS (
    SELECT c.oid, c.relkind, c.relrowsecurity FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
), owned(classid, objid) AS MATERIALIZED (
    -- A few rows, found once: what each depends on is looked up by the index below. The planner would rather go through all that
    -- depends on code of anybody's in the database.
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, oid FROM parts
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, i.indexrelid FROM parts JOIN pg_catalog.pg_index i ON i.indrelid = parts.oid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid, c.oid
      FROM parts JOIN pg_catalog.pg_constraint c ON c.conrelid = parts.oid
    UNION ALL
    SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass::oid, s.oid
      FROM parts JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = parts.oid
    UNION ALL
    SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid, d.oid
      FROM parts JOIN pg_catalog.pg_attrdef d ON d.adrelid = parts.oid
     CROSS JOIN LATERAL (SELECT a.attgenerated FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = d.adrelid AND a.attnum = d.adnum OFFSET 0) a
     WHERE a.attgenerated = 'v'
)
SELECT NOT EXISTS (SELECT FROM parts WHERE relkind NOT IN ('r', 'p') OR relrowsecurity)
   AND NOT EXISTS (
       SELECT FROM parts
         JOIN pg_catalog.pg_attribute a ON a.attrelid = parts.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE t.oid IS NULL OR t.oid >= 16384::oid OR t.typtype NOT IN ('b', 'r', 'm'))
   AND NOT EXISTS (
       SELECT FROM owned
        CROSS JOIN LATERAL (SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
                             WHERE d.classid = owned.classid AND d.objid = owned.objid OFFSET 0) d
        WHERE d.refobjid >= 16384::oid
          AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass::oid, 'pg_catalog.pg_operator'::pg_catalog.regclass::oid,
                               'pg_catalog.pg_type'::pg_catalog.regclass::oid)) AS is_plain
