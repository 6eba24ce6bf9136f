//! The attacks that were seen to work, word for word but for the names.

/// Statements that reach an effect past whoever reads their text or their plan.
pub const SEEN: [&str; 17] = [
    "SELECT * FROM (VALUES (fx_write_v/**/(1),(1))) v(a,b)",
    "SELECT * FROM (VALUES (fx_write_v/**/(1)),(1)) v(a)",
    "SELECT * FROM (VALUES (set_config/**/('role','boss',false)),('x')) v(a)",
    "(VALUES (set_config/**/('role','boss',false)),('x'))",
    "SELECT * FROM (VALUES (set_config/**/('search_path','evil, public',false)),('x')) v(a)",
    "SELECT * FROM (VALUES (U&\"set\\005fconfig\"('search_path','evil, public',false)),('x')) v(a)",
    "SELECT * FROM (VALUES ('\"', set_config/* \" */('TimeZone','Asia/Tokyo',false)),('x','\"')) v(a,b)",
    "SELECT * FROM (VALUES (set_config -- (\n('DateStyle','SQL, DMY',false)),('x')) v(a)",
    "SELECT id FROM plain WHERE id < 3 LIMIT set_config/**/('extra_float_digits','1',false)::int",
    "SELECT set_config/**/('role','boss',false) IN (SELECT note FROM other) AS a",
    "SELECT * FROM (VALUES ((SELECT u.at_write_v FROM plain u WHERE id = 1)),(1)) v(a)",
    "SELECT * FROM (VALUES ((SELECT u.at_path_v FROM plain u WHERE id = 1)),(1)) v(a)",
    "SELECT * FROM (VALUES (lo_create/**/(0)),(1)) v(a)",
    "SELECT * FROM (VALUES (lo_from_bytea/**/(0, 'evil')),(1)) v(a)",
    "SELECT * FROM (VALUES (pg_try_advisory_lock/**/(9)),(true)) v(a)",
    "SELECT * FROM (VALUES (nextval/**/('numbers')),(1)) v(a)",
    "SELECT * FROM (VALUES (fx_forge_v/**/(1)),(1)) v(a)",
];

/// Statements that read a forbidden table where `plain`, `other`, `parent` and views are allowed.
pub const FORBIDDEN: [&str; 14] = [
    "SELECT code FROM secrets",
    "SELECT c.* FROM parent p, child c",
    "SELECT c.code FROM parent p JOIN child c ON true",
    "SELECT (SELECT max(code) FROM child) AS a FROM parent",
    "SELECT code FROM plain, secrets LIMIT 1",
    "SELECT id FROM plain WHERE id < 3 AND (SELECT code FROM secrets) > 0 UNION SELECT code FROM secrets",
    "WITH c AS (SELECT code FROM secrets) SELECT * FROM c",
    "TABLE secrets",
    "SELECT s FROM secrets s",
    "SELECT query_to_xml('SELECT code FROM secrets', true, false, '')::text AS a",
    "SELECT table_to_xml('secrets', true, false, '')::text AS a",
    "SELECT schema_to_xml('public', true, false, '')::text AS a",
    "SELECT fx_secret_caught_s(1) AS a FROM plain WHERE id < 3",
    "SELECT * FROM (VALUES (fx_secret_caught_i/**/(1)), (1)) v(a)",
];
