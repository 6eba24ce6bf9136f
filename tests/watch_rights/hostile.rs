//! Hostile names, values, settings and statements.

/// Names of schemas, tables, columns and types, at most 63 bytes each.
pub const AS_NAMES: [&str; 24] = [
    "it's",
    "a\"b",
    "a\\b",
    "a\nb",
    "a\r\n\\! touch pwned\n",
    "\\! touch pwned",
    "\n\\! touch pwned\n--",
    "`touch pwned`",
    "\\gexec",
    "$$",
    "$pgcache$",
    "$pgcache$;\n\\! touch pwned",
    "$pgcache1$ $pgcache$",
    "$watch$",
    "';INSERT INTO public.effects VALUES (1);--",
    "\n;INSERT INTO public.effects VALUES (1);--",
    "*/ INSERT INTO public.effects VALUES (1) /*",
    ":x :'x' :\"x\"",
    "%s %1$s %n %%",
    "@function@",
    "@relation@ @quote@ @title@",
    "E'\\",
    "\u{2028}é\u{feff}",
    "{\"pgcache\":1}",
];

/// Values of a column of text.
pub const AS_VALUES: [&str; 14] = [
    "it's",
    "\"}]}",
    "\\",
    "\\\"",
    "a\nb\r\n\t\u{1}\u{7f}",
    "$$ $pgcache$ $1 %s %",
    "'); INSERT INTO public.effects VALUES (1);--",
    "{\"pgcache\":1,\"rel\":1}",
    "],\"ddl\":[1",
    "pgcache:2:AAAA",
    "\u{2028}é\u{feff}\u{10ffff}",
    "",
    "null",
    "\\u0000",
];

/// What a session may set to have texts read and written in other ways.
pub const HOSTILE_SETTINGS: [&str; 3] = [
    "SET search_path = evil, public",
    "SET search_path = evil, public, pg_catalog",
    "SET standard_conforming_strings = off; SET escape_string_warning = off; SET transform_null_equals = on; SET array_nulls = off;
     SET quote_all_identifiers = on; SET bytea_output = 'escape'; SET search_path = evil, public",
];

/// Statements that event triggers tell of.
pub const DDL: [&str; 18] = [
    "CREATE TABLE evil.a (id bigint PRIMARY KEY, note text)",
    "ALTER TABLE evil.a ADD b int DEFAULT 1",
    "CREATE TABLE evil.b AS SELECT 1 AS x",
    "CREATE TABLE evil.\"@function@ $watch$\" (\"'; ALTER ROLE postgres NOSUPERUSER; --\" int)",
    "CREATE INDEX \"$pgcache$\" ON evil.a (note)",
    "CREATE VIEW evil.v AS SELECT id FROM evil.a",
    "CREATE OR REPLACE RULE \"_RETURN\" AS ON SELECT TO evil.v DO INSTEAD SELECT id FROM evil.a",
    "CREATE MATERIALIZED VIEW evil.m AS SELECT id FROM evil.a",
    "REFRESH MATERIALIZED VIEW evil.m",
    "ALTER TABLE evil.a ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY \"a\"\"b\" ON evil.a USING (true)",
    "CREATE TABLE evil.p (id bigint PRIMARY KEY) PARTITION BY RANGE (id)",
    "CREATE TABLE evil.\"p'1\" PARTITION OF evil.p FOR VALUES FROM (0) TO (10)",
    "CREATE TYPE evil.mood AS ENUM ('a'); ALTER TYPE evil.mood ADD VALUE 'b'",
    "CREATE DOMAIN evil.nice AS int; ALTER DOMAIN evil.nice ADD CHECK (VALUE IS NOT NULL)",
    "ALTER TABLE evil.a RENAME TO \"a\nb\"",
    "DROP TABLE evil.b",
    "ALTER TABLE evil.p DETACH PARTITION evil.\"p'1\"",
];
