-- What is to be known of the query that the function pg_temp.pgcache_described has as its body, a row each: the relations that are
-- named in it or in its views (schema, relation, and the name as regclass prints it), and
-- why the result of the function pg_temp.pgcache_described may change without a change of a table: a sentence (reason), and whether code of somebody's runs in it (is_code). All of that is from PostgreSQL's own
-- parse trees: of its body, and of the views that this reads. What is not known to depend on rows and parameters alone is a
-- reason; names in a tree cannot look like a part of it, since PostgreSQL escapes what they hold. $1: whether the statement may
-- hold one of the words that mean another moment at another time, which the tree no longer shows.
WITH RECURSIVE trees(relation, tree) AS (
    SELECT 0::pg_catalog.oid, p.prosqlbody::pg_catalog.text
      FROM pg_catalog.pg_proc p
     WHERE p.pronamespace = pg_catalog.pg_my_temp_schema() AND p.proname = 'pgcache_described'
    UNION
    SELECT r.ev_class, r.ev_action::pg_catalog.text
      FROM trees
     CROSS JOIN LATERAL pg_catalog.regexp_matches(trees.tree, ':relid (\d+) ', 'g') AS m(relid)
      JOIN pg_catalog.pg_class c ON c.oid = m.relid[1]::pg_catalog.oid AND c.relkind = 'v'
      JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
), named(oid) AS (
    SELECT m.oid[1]::pg_catalog.oid
      FROM trees
     CROSS JOIN LATERAL pg_catalog.regexp_matches(
           trees.tree, ':(?:funcid|opfuncid|hashfuncid|negfuncid|aggfnoid|winfnoid|startInRangeFunc|endInRangeFunc) (\d+)\M', 'g') AS m(oid)
), operators(oid) AS (
    SELECT m.oid[1]::pg_catalog.oid
      FROM trees
     CROSS JOIN LATERAL pg_catalog.regexp_matches(trees.tree, ':(?:opno|eqop|sortop) (\d+)\M', 'g') AS m(oid)
    UNION
    SELECT word::pg_catalog.oid
      FROM trees
     CROSS JOIN LATERAL pg_catalog.regexp_matches(trees.tree, ':opnos \(o ([0-9 ]+)\)', 'g') AS m(oids)
     CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(pg_catalog.btrim(m.oids[1]), ' +') AS word
), functions AS (
    SELECT DISTINCT p.oid, p.proname, p.provolatile, l.lanname
      FROM (SELECT oid FROM named UNION SELECT o.oprcode FROM operators JOIN pg_catalog.pg_operator o USING (oid)) AS called
      JOIN pg_catalog.pg_proc p ON p.oid = called.oid
      JOIN pg_catalog.pg_language l ON l.oid = p.prolang
), types(oid) AS (
    SELECT DISTINCT m.oid[1]::pg_catalog.oid
      FROM trees
     CROSS JOIN LATERAL pg_catalog.regexp_matches(
           trees.tree, ':(?:vartype|consttype|paramtype|resulttype|funcresulttype|aggtype|wintype|array_typeid|row_typeid) (\d+)\M', 'g')
           AS m(oid)
), relations(oid) AS (
    SELECT DISTINCT m.relid[1]::pg_catalog.oid
      FROM trees CROSS JOIN LATERAL pg_catalog.regexp_matches(trees.tree, ':relid (\d+) ', 'g') AS m(relid)
     WHERE m.relid[1] <> '0'
), labels(label) AS (
    SELECT DISTINCT m.label[1]
      FROM trees CROSS JOIN LATERAL pg_catalog.regexp_matches(trees.tree, '(?<!\\)\{([A-Z_]+)', 'g') AS m(label)
)
SELECT NULL::text AS schema, NULL::text AS relation, NULL::text AS display, pg_catalog.format('%s() %s', proname, CASE
           WHEN provolatile = 'v' THEN 'is volatile'
           WHEN proname IN ('now', 'transaction_timestamp', 'statement_timestamp', 'age') THEN 'reads the clock'
           WHEN oid < 16384::pg_catalog.oid THEN 'tells of the server''s state, or may'
           ELSE 'is not one of PostgreSQL''s own functions' END) AS reason, oid >= 16384::pg_catalog.oid AS is_code
  FROM functions
 WHERE oid >= 16384::pg_catalog.oid OR lanname NOT IN ('internal', 'sql') OR provolatile = 'v'
    OR provolatile = 's' AND NOT (proname IN (
           'row_to_json', 'to_json', 'to_jsonb', 'json_agg', 'jsonb_agg', 'json_object_agg', 'jsonb_object_agg', 'array_to_json',
           'json_build_object', 'jsonb_build_object', 'json_build_array', 'jsonb_build_array', 'concat', 'concat_ws', 'format',
           'array_to_string', 'to_char', 'to_date', 'to_timestamp', 'date_trunc', 'date_part', 'extract', 'timezone', 'timestamp',
           'date', 'time', 'timetz', 'textanycat', 'anytextcat', 'quote_literal', 'quote_nullable', 'enum_first', 'enum_last',
           'enum_range', 'pg_typeof', 'generate_series')
       OR proname::pg_catalog.text LIKE 'timestamptz%' OR proname::pg_catalog.text LIKE '%\_timestamptz')
UNION ALL
SELECT NULL, NULL, NULL,
       pg_catalog.format('it holds %s, which is not known to be a function of rows and parameters', pg_catalog.lower(label)), true
  FROM labels
 WHERE label NOT IN (
           'QUERY', 'TARGETENTRY', 'VAR', 'CONST', 'PARAM', 'AGGREF', 'GROUPINGFUNC', 'GROUPINGSET', 'WINDOWFUNC', 'WINDOWCLAUSE',
           'WINDOWDEF', 'SUBSCRIPTINGREF', 'FUNCEXPR', 'NAMEDARGEXPR', 'OPEXPR', 'DISTINCTEXPR', 'NULLIFEXPR', 'SCALARARRAYOPEXPR',
           'BOOLEXPR', 'SUBLINK', 'FIELDSELECT', 'RELABELTYPE', 'COERCEVIAIO', 'ARRAYCOERCEEXPR', 'COLLATEEXPR', 'CASE', 'CASEEXPR',
           'WHEN', 'CASEWHEN', 'CASETESTEXPR', 'ARRAY', 'ARRAYEXPR', 'ROW', 'ROWEXPR', 'ROWCOMPARE', 'ROWCOMPAREEXPR', 'COALESCE',
           'COALESCEEXPR', 'MINMAX', 'MINMAXEXPR', 'NULLTEST', 'BOOLEANTEST', 'ALIAS', 'RTE', 'RANGETBLENTRY', 'RTEPERMISSIONINFO',
           'RANGETBLREF', 'RANGETBLFUNCTION', 'JOINEXPR', 'FROMEXPR', 'SORTGROUPCLAUSE', 'SETOPERATIONSTMT', 'COMMONTABLEEXPR',
           'CTESEARCHCLAUSE', 'CTECYCLECLAUSE', 'SQLVALUEFUNCTION', 'TABLESAMPLECLAUSE')
UNION ALL
SELECT NULL, NULL, NULL, CASE WHEN m.op[1]::int4 <= 8 THEN
           (ARRAY['CURRENT_DATE', 'CURRENT_TIME', 'CURRENT_TIME', 'CURRENT_TIMESTAMP', 'CURRENT_TIMESTAMP', 'LOCALTIME', 'LOCALTIME',
                  'LOCALTIMESTAMP', 'LOCALTIMESTAMP'])[m.op[1]::int4 + 1] || ' reads the clock'
       ELSE 'it tells of the role or the schema of its session' END, false
  FROM trees CROSS JOIN LATERAL pg_catalog.regexp_matches(trees.tree, '\{SQLVALUEFUNCTION :op (\d+) ', 'g') AS m(op)
UNION ALL
SELECT NULL, NULL, NULL,
       pg_catalog.concat('TABLESAMPLE takes some rows of ', m.relid[1]::pg_catalog.oid::pg_catalog.regclass), false
  FROM trees
 CROSS JOIN LATERAL pg_catalog.regexp_matches(trees.tree, ':relid (\d+) [^{]*:tablesample \{TABLESAMPLECLAUSE', 'g') AS m(relid)
UNION ALL
SELECT NULL, NULL, NULL, 'a text becomes a date or a time in it, which may mean the moment', false
  FROM trees
 WHERE $1 AND trees.relation = 0::pg_catalog.oid AND trees.tree ~ ':consttype (?:1082|1083|1114|1184|1266)\M'
UNION ALL
SELECT NULL, NULL, NULL, 'a text becomes a date, a time or the name of an object in it', false
  FROM trees
 WHERE trees.tree ~ '\{COERCEVIAIO :arg .*? :resulttype (?:1082|1083|1114|1184|1266|24|2202|2203|2204|2205|2206|3734|3769|4089|4096|4191)\M'
UNION ALL
SELECT NULL, NULL, NULL, 'rows of a system catalog are in it', false FROM relations WHERE oid < 16384::pg_catalog.oid
UNION ALL
SELECT n.nspname::text, c.relname::text, c.oid::pg_catalog.regclass::text, NULL, false
  FROM relations JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
UNION ALL
SELECT NULL, NULL, NULL,
       pg_catalog.format('it uses the row type of %s, whose rows it does not read', c.oid::pg_catalog.regclass), false
  FROM types
  JOIN pg_catalog.pg_type t USING (oid)
  JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind <> 'c'
 WHERE c.oid NOT IN (SELECT oid FROM relations)
UNION ALL
SELECT NULL, NULL, NULL, 'its types have casts to json by functions of somebody''s', true
 WHERE EXISTS (SELECT FROM types WHERE oid >= 16384::pg_catalog.oid)
   AND EXISTS (SELECT FROM pg_catalog.pg_cast k
                 JOIN pg_catalog.pg_proc p ON p.oid = k.castfunc
                 JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('internal', 'c')
                WHERE k.oid >= 16384::pg_catalog.oid AND k.casttarget IN (114::pg_catalog.oid, 3802::pg_catalog.oid))
UNION ALL
SELECT NULL, NULL, NULL, 'its parse tree is not there', true WHERE NOT EXISTS (SELECT FROM trees WHERE relation = 0::pg_catalog.oid AND tree IS NOT NULL)
