-- The columns that belong to a unique key of relation @relation@ (pg_class.oid) or of a table that it stands below: name, type,
-- and the built-in type whose values stand in JSON as this column's do (25: as strings; 0: nobody can tell).
WITH RECURSIVE line(oid) AS (
    SELECT @relation@::pg_catalog.oid
    UNION
    SELECT i.inhparent FROM line JOIN pg_catalog.pg_inherits i ON i.inhrelid OPERATOR(pg_catalog.=) line.oid
), keyed AS (
    SELECT DISTINCT k.attname
      FROM line
      JOIN pg_catalog.pg_index i ON i.indrelid OPERATOR(pg_catalog.=) line.oid AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
      JOIN pg_catalog.pg_attribute k ON k.attrelid OPERATOR(pg_catalog.=) i.indrelid
       AND k.attnum OPERATOR(pg_catalog.=) ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1])
), made_of(name, type, part) AS (
    SELECT a.attname, a.atttypid, a.atttypid
      FROM keyed
      JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) @relation@::pg_catalog.oid
       AND a.attname OPERATOR(pg_catalog.=) keyed.attname AND NOT a.attisdropped
    UNION
    SELECT m.name, m.type, t.typbasetype
      FROM made_of m
      JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) m.part AND t.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog."char"
)
SELECT m.name, m.type,
       CASE WHEN t.typtype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char" THEN 25::pg_catalog.oid
            WHEN t.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid THEN t.oid
            WHEN t.typtype OPERATOR(pg_catalog.=) 'b'::pg_catalog."char" AND t.typelem OPERATOR(pg_catalog.=) 0::pg_catalog.oid
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast c
                              WHERE c.castsource OPERATOR(pg_catalog.=) t.oid AND c.casttarget OPERATOR(pg_catalog.=) 114::pg_catalog.oid)
            THEN 25::pg_catalog.oid
            ELSE 0::pg_catalog.oid END
  FROM made_of m
  JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) m.part AND t.typtype OPERATOR(pg_catalog.<>) 'd'::pg_catalog."char"
