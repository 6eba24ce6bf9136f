//! The cast: every kind of actor.

use super::actor::{Role, NOBODY};

/// All of them.
pub const CAST: &[&Role] = &[
    &FUNCTION,
    &NESTED,
    &ZONE,
    &OVERLOAD,
    &EARLIER,
    &BUILT_IN,
    &READING,
    &DEFAULTS,
    &RENAMED_FUNCTIONS,
    &CATCHING,
    &OPERATOR,
    &CLOSER_OPERATOR,
    &EARLIER_OPERATOR,
    &CAST_TO_INT,
    &CAST_TO_JSON,
    &IMPLICIT,
    &AGGREGATE,
    &ENUM,
    &DOMAIN,
    &COMPOSITE,
    &RANGE,
    &REMADE_TYPE,
    &EARLIER_TYPE,
    &SEARCH,
    &TABLE_RIGHT,
    &COLUMN_RIGHT,
    &SCHEMA_RIGHT,
    &FUNCTION_RIGHT,
    &ROW_SECURITY,
    &VIEW_OWNER,
    &MEMBER,
    &TABLE_NAMES,
    &COLUMN_NAMES,
    &SCHEMA_NAMES,
    &EARLIER_TABLE,
    &COLUMNS,
    &VIEW,
    &REMADE_TABLE,
    &SCHEMA,
    &PARTITIONS,
    &CHILDREN,
    &MATERIALISED,
    &ROWS,
];

const FUNCTION: Role = Role {
    setup: "CREATE FUNCTION f@i(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
            CREATE VIEW fv@i AS SELECT id, f@i(id::int) AS v FROM base;
            CREATE FUNCTION free@i(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'",
    steps: &[
        "CREATE OR REPLACE FUNCTION f@i(int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 + 2; END'",
        "DROP FUNCTION free@i(int); CREATE FUNCTION free@i(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2'",
        "CREATE OR REPLACE FUNCTION f@i(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1'",
        "DROP FUNCTION free@i(int)",
        "CREATE FUNCTION free@i(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'",
    ],
    queries: &[
        "SELECT id, f@i(id::int) AS v FROM base ORDER BY id",
        "SELECT v FROM fv@i ORDER BY id",
        "SELECT free@i(1) AS v",
    ],
    expressions: &["f@i(7)", "(SELECT sum(v) FROM fv@i)", "free@i(2)"],
    rows: &[("fv@i", 1), ("fv@i", 2)],
    ..NOBODY
};

const NESTED: Role = Role {
    setup: "CREATE FUNCTION inner@i() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
            CREATE FUNCTION middle@i() RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner@i() * 10; END';
            CREATE FUNCTION outer@i() RETURNS int STABLE LANGUAGE sql AS 'SELECT middle@i() + 1';
            CREATE VIEW nested@i AS SELECT id, outer@i() AS v FROM base",
    steps: &[
        "CREATE OR REPLACE FUNCTION inner@i() RETURNS int STABLE LANGUAGE sql AS 'SELECT 2'",
        "CREATE OR REPLACE FUNCTION middle@i() RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner@i() * 20; END'",
        "CREATE OR REPLACE FUNCTION inner@i() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION middle@i() RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner@i() * 10; END'",
    ],
    queries: &["SELECT outer@i() AS v", "SELECT id, v FROM nested@i ORDER BY id"],
    expressions: &["outer@i()", "middle@i() + inner@i()"],
    rows: &[("nested@i", 1)],
    ..NOBODY
};

const ZONE: Role = Role {
    setup: "CREATE FUNCTION zone@i() RETURNS text STABLE LANGUAGE sql SET TimeZone = 'UTC' AS $$SELECT current_setting('TimeZone')$$",
    steps: &[
        "ALTER FUNCTION zone@i() SET TimeZone = 'Europe/Berlin'",
        "ALTER FUNCTION zone@i() SET TimeZone = 'Asia/Tokyo'",
        "ALTER FUNCTION zone@i() SET TimeZone = 'UTC'",
    ],
    queries: &["SELECT zone@i() AS v"],
    expressions: &["zone@i()"],
    ..NOBODY
};

const OVERLOAD: Role = Role {
    setup: "CREATE FUNCTION kind@i(numeric) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'numeric'$$",
    steps: &[
        "CREATE FUNCTION kind@i(int) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'int'$$",
        "DROP FUNCTION kind@i(int)",
        "CREATE FUNCTION kind@i(bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'bigint'$$",
        "CREATE FUNCTION kind@i(float8) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'float8'$$",
        "DROP FUNCTION kind@i(bigint)",
        "DROP FUNCTION kind@i(float8)",
    ],
    queries: &["SELECT kind@i(1) AS v", "SELECT kind@i(id) AS v FROM base ORDER BY id"],
    expressions: &["kind@i(1)", "kind@i(1::bigint)"],
    ..NOBODY
};

const EARLIER: Role = Role {
    setup: "CREATE FUNCTION public.here@i() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'public'$$",
    steps: &[
        "CREATE FUNCTION @reader.here@i() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'earlier'$$",
        "ALTER FUNCTION @reader.here@i() RENAME TO there@i",
        "ALTER FUNCTION @reader.there@i() RENAME TO here@i",
        "DROP FUNCTION @reader.here@i()",
    ],
    queries: &["SELECT here@i() AS v"],
    expressions: &["here@i()"],
    ..NOBODY
};

const BUILT_IN: Role = Role {
    steps: &[
        "CREATE OR REPLACE FUNCTION public.length(varchar) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 42'",
        "CREATE OR REPLACE FUNCTION public.length(varchar) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 43'",
        "DROP FUNCTION IF EXISTS public.length(varchar)",
    ],
    queries: &["SELECT length(name::varchar) AS v FROM base ORDER BY id"],
    expressions: &["length('abc'::varchar)"],
    ..NOBODY
};

const READING: Role = Role {
    setup: "CREATE TABLE read_a@i (id int PRIMARY KEY, v int); INSERT INTO read_a@i VALUES (1, 10), (2, 20);
            CREATE TABLE read_b@i (id int PRIMARY KEY, v int); INSERT INTO read_b@i VALUES (1, 1), (2, 2);
            GRANT SELECT ON read_a@i, read_b@i TO @reader;
            CREATE FUNCTION reading@i() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT sum(v) FROM read_a@i'",
    steps: &[
        "CREATE OR REPLACE FUNCTION reading@i() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT sum(v) FROM read_b@i'",
        "UPDATE read_b@i SET v = v + 1",
        "CREATE OR REPLACE FUNCTION reading@i() RETURNS bigint STABLE LANGUAGE plpgsql
             AS 'BEGIN RETURN (SELECT sum(v) FROM read_a@i); END'",
        "UPDATE read_a@i SET v = v + 1",
        "ALTER TABLE read_a@i RENAME TO read_c@i; ALTER TABLE read_b@i RENAME TO read_a@i; ALTER TABLE read_c@i RENAME TO read_b@i",
    ],
    queries: &["SELECT reading@i() AS v", "SELECT id, v FROM read_a@i ORDER BY id"],
    expressions: &["reading@i()", "(SELECT max(v) FROM read_b@i)"],
    rows: &[("read_a@i", 1), ("read_b@i", 2)],
    watched: &["read_a@i", "read_b@i"],
};

const DEFAULTS: Role = Role {
    setup: "CREATE FUNCTION given@i(n int DEFAULT 1) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n'",
    steps: &[
        "CREATE OR REPLACE FUNCTION given@i(n int DEFAULT 2) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n'",
        "CREATE OR REPLACE FUNCTION given@i(n int DEFAULT 1) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n'",
    ],
    queries: &["SELECT given@i() AS v"],
    expressions: &["given@i()"],
    ..NOBODY
};

const RENAMED_FUNCTIONS: Role = Role {
    setup: "CREATE FUNCTION left@i() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'left'$$;
            CREATE FUNCTION right@i() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'right'$$;
            CREATE VIEW sides@i AS SELECT 1 AS id, left@i() AS v",
    steps: &[
        "ALTER FUNCTION left@i() RENAME TO aside@i; ALTER FUNCTION right@i() RENAME TO left@i; ALTER FUNCTION aside@i() RENAME TO right@i",
        "ALTER FUNCTION left@i() SET SCHEMA @reader",
        "ALTER FUNCTION @reader.left@i() SET SCHEMA public",
    ],
    queries: &["SELECT left@i() AS v", "SELECT v FROM sides@i"],
    expressions: &["left@i() || right@i()"],
    rows: &[("sides@i", 1)],
    ..NOBODY
};

const CATCHING: Role = Role {
    setup: "CREATE TABLE caught@i (id int PRIMARY KEY, v int); INSERT INTO caught@i VALUES (1, 1); GRANT SELECT ON caught@i TO @reader;
            CREATE FUNCTION may_read@i() RETURNS int STABLE LANGUAGE plpgsql AS
                'BEGIN RETURN (SELECT sum(v) FROM caught@i); EXCEPTION WHEN insufficient_privilege OR undefined_table THEN RETURN -1; END'",
    steps: &[
        "REVOKE SELECT ON caught@i FROM @reader",
        "GRANT SELECT ON caught@i TO @reader",
        "CREATE OR REPLACE FUNCTION may_read@i() RETURNS int STABLE LANGUAGE plpgsql AS
                'BEGIN RETURN (SELECT sum(v) + 1 FROM caught@i); EXCEPTION WHEN insufficient_privilege THEN RETURN -2; END'",
    ],
    queries: &["SELECT may_read@i() AS v"],
    expressions: &["may_read@i()"],
    rows: &[("caught@i", 1)],
    watched: &["caught@i"],
};

const OPERATOR: Role = Role {
    setup: "CREATE FUNCTION less@i(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2';
            CREATE SCHEMA ops@i; GRANT USAGE ON SCHEMA ops@i TO @reader;
            CREATE OPERATOR ops@i.<<< (FUNCTION = less@i, LEFTARG = int, RIGHTARG = int)",
    steps: &[
        "DROP OPERATOR ops@i.<<< (int, int); CREATE OPERATOR ops@i.<<< (FUNCTION = int4gt, LEFTARG = int, RIGHTARG = int)",
        "DROP OPERATOR ops@i.<<< (int, int); CREATE OPERATOR ops@i.<<< (FUNCTION = less@i, LEFTARG = int, RIGHTARG = int)",
        "CREATE OR REPLACE FUNCTION less@i(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 = $2'",
        "CREATE OR REPLACE FUNCTION less@i(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2'",
    ],
    queries: &["SELECT 1 OPERATOR(ops@i.<<<) 2 AS v", "SELECT id FROM base WHERE id::int OPERATOR(ops@i.<<<) 3 ORDER BY id"],
    expressions: &["(1 OPERATOR(ops@i.<<<) 2)"],
    ..NOBODY
};

const CLOSER_OPERATOR: Role = Role {
    setup: "CREATE FUNCTION far@i(numeric, numeric) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'numeric'$$;
            CREATE FUNCTION near@i(int, int) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'int'$$;
            CREATE SCHEMA close@i; GRANT USAGE ON SCHEMA close@i TO @reader;
            CREATE OPERATOR close@i.=== (FUNCTION = far@i, LEFTARG = numeric, RIGHTARG = numeric)",
    steps: &[
        "CREATE OPERATOR close@i.=== (FUNCTION = near@i, LEFTARG = int, RIGHTARG = int)",
        "DROP OPERATOR close@i.=== (int, int)",
    ],
    queries: &["SELECT 1 OPERATOR(close@i.===) 2 AS v"],
    expressions: &["(3 OPERATOR(close@i.===) 4)"],
    ..NOBODY
};

const EARLIER_OPERATOR: Role = Role {
    setup: "CREATE DOMAIN word@i AS text; CREATE TABLE words@i (id int PRIMARY KEY, v text); INSERT INTO words@i VALUES (1, 'a'), (2, 'b');
            GRANT SELECT ON words@i TO @reader;
            CREATE TYPE coin@i AS (n int); CREATE FUNCTION coins@i(coin@i, coin@i) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1.n + $2.n';
            CREATE FUNCTION coins_other@i(coin@i, coin@i) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1.n * $2.n';
            CREATE OPERATOR public.+ (FUNCTION = coins@i, LEFTARG = coin@i, RIGHTARG = coin@i)",
    steps: &[
        "CREATE OPERATOR @reader.+ (FUNCTION = coins_other@i, LEFTARG = coin@i, RIGHTARG = coin@i)",
        "DROP OPERATOR @reader.+ (coin@i, coin@i)",
    ],
    queries: &["SELECT ROW(3)::coin@i + ROW(4)::coin@i AS v", "SELECT id, v::word@i FROM words@i ORDER BY id"],
    expressions: &["(ROW(5)::coin@i + ROW(6)::coin@i)"],
    rows: &[("words@i", 1)],
    watched: &["words@i"],
};

const CAST_TO_INT: Role = Role {
    setup: "CREATE TYPE feel@i AS ENUM ('sad', 'glad');
            CREATE FUNCTION feel_one@i(feel@i) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
            CREATE FUNCTION feel_two@i(feel@i) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2';
            CREATE CAST (feel@i AS int) WITH FUNCTION feel_one@i(feel@i)",
    steps: &[
        "DROP CAST (feel@i AS int); CREATE CAST (feel@i AS int) WITH FUNCTION feel_two@i(feel@i)",
        "DROP CAST (feel@i AS int)",
        "CREATE CAST (feel@i AS int) WITH FUNCTION feel_one@i(feel@i)",
    ],
    queries: &["SELECT 'sad'::feel@i::int AS v"],
    expressions: &["'glad'::feel@i::int"],
    ..NOBODY
};

const CAST_TO_JSON: Role = Role {
    setup: "CREATE TYPE shade@i AS ENUM ('dark', 'light'); CREATE TABLE shades@i (id int PRIMARY KEY, v shade@i);
            INSERT INTO shades@i VALUES (1, 'dark'), (2, 'light'); GRANT SELECT ON shades@i TO @reader;
            CREATE FUNCTION shade_json@i(shade@i) RETURNS json IMMUTABLE LANGUAGE sql AS $$SELECT '{\"shade\": 1}'::json$$;
            CREATE FUNCTION shade_other@i(shade@i) RETURNS json IMMUTABLE LANGUAGE sql AS $$SELECT '{\"shade\": 2}'::json$$",
    steps: &[
        "CREATE CAST (shade@i AS json) WITH FUNCTION shade_json@i(shade@i)",
        "CREATE OR REPLACE FUNCTION shade_json@i(shade@i) RETURNS json IMMUTABLE LANGUAGE sql AS $$SELECT '{\"shade\": 3}'::json$$",
        "DROP CAST (shade@i AS json); CREATE CAST (shade@i AS json) WITH FUNCTION shade_other@i(shade@i)",
        "DROP CAST (shade@i AS json)",
    ],
    queries: &["SELECT id, v FROM shades@i ORDER BY id", "SELECT to_json('dark'::shade@i) AS v", "SELECT json_agg(v ORDER BY id) AS v FROM shades@i"],
    expressions: &["to_json('light'::shade@i)::text"],
    rows: &[("shades@i", 1), ("shades@i", 2)],
    watched: &["shades@i"],
};

const IMPLICIT: Role = Role {
    setup: "CREATE TYPE unit@i AS ENUM ('m', 'km'); CREATE FUNCTION unit_number@i(unit@i) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 7';
            CREATE FUNCTION takes@i(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2'",
    steps: &["CREATE CAST (unit@i AS int) WITH FUNCTION unit_number@i(unit@i) AS IMPLICIT", "DROP CAST (unit@i AS int)"],
    queries: &["SELECT takes@i('m'::unit@i) AS v"],
    ..NOBODY
};

const AGGREGATE: Role = Role {
    setup: "CREATE AGGREGATE total@i(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')",
    steps: &[
        "CREATE OR REPLACE AGGREGATE total@i(int) (SFUNC = int4pl, STYPE = int, INITCOND = '100')",
        "DROP AGGREGATE total@i(int); CREATE AGGREGATE total@i(int) (SFUNC = int4larger, STYPE = int)",
        "CREATE OR REPLACE AGGREGATE total@i(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')",
    ],
    queries: &[
        "SELECT total@i(id::int) AS v FROM base",
        "SELECT id, total@i(id::int) OVER (ORDER BY id) AS v FROM base ORDER BY id",
    ],
    expressions: &["(SELECT total@i(id::int) FROM base)"],
    ..NOBODY
};

const ENUM: Role = Role {
    setup: "CREATE TYPE hue@i AS ENUM ('red', 'green'); CREATE TYPE hues@i AS (one hue@i, many hue@i[]); CREATE DOMAIN tint@i AS hue@i;
            CREATE TABLE painted@i (id int PRIMARY KEY, h hue@i, c hues@i, t tint@i, l tint@i[]);
            INSERT INTO painted@i VALUES (1, 'red', ROW('green', '{red,green}'), 'red', '{red}'); GRANT SELECT ON painted@i TO @reader",
    steps: &[
        "ALTER TYPE hue@i RENAME VALUE 'red' TO 'crimson'",
        "ALTER TYPE hue@i ADD VALUE IF NOT EXISTS 'blue' BEFORE 'green'",
        "ALTER TYPE hue@i RENAME VALUE 'green' TO 'lime'",
        "ALTER TYPE hue@i RENAME VALUE 'crimson' TO 'red'",
        "ALTER TYPE hue@i RENAME VALUE 'lime' TO 'green'",
    ],
    queries: &["SELECT enum_range(NULL::hue@i)::text AS v", "SELECT * FROM painted@i ORDER BY id", "SELECT (c).many, l FROM painted@i", "SELECT 'red'::hue@i AS v"],
    expressions: &["enum_last(NULL::hue@i)::text", "(SELECT t FROM painted@i)::text"],
    rows: &[("painted@i", 1)],
    watched: &["painted@i"],
};

const DOMAIN: Role = Role {
    setup: "CREATE DOMAIN small@i AS int; CREATE DOMAIN smaller@i AS small@i;
            CREATE TABLE sized@i (id int PRIMARY KEY, v smaller@i); INSERT INTO sized@i VALUES (1, 3); GRANT SELECT ON sized@i TO @reader",
    steps: &[
        "ALTER DOMAIN small@i ADD CONSTRAINT limit@i CHECK (VALUE < 5)",
        "ALTER DOMAIN small@i DROP CONSTRAINT limit@i",
        "ALTER DOMAIN smaller@i ADD CONSTRAINT other@i CHECK (VALUE < 100)",
        "ALTER DOMAIN small@i SET NOT NULL",
        "ALTER DOMAIN small@i DROP NOT NULL",
        "ALTER DOMAIN smaller@i DROP CONSTRAINT other@i",
    ],
    // Not of the upper domain: PostgreSQL's own sessions keep the NOT NULL that the lower one had when they first saw it.
    queries: &["SELECT 7::small@i AS v", "SELECT 700::smaller@i AS v", "SELECT NULL::small@i AS v", "SELECT ARRAY[6]::small@i[] AS v", "SELECT id, v FROM sized@i"],
    expressions: &["3::smaller@i"],
    rows: &[("sized@i", 1)],
    watched: &["sized@i"],
};

const COMPOSITE: Role = Role {
    setup: "CREATE TYPE spot@i AS (x int, y int); CREATE TYPE edge@i AS (a spot@i, b spot@i);
            CREATE TABLE edges@i (id int PRIMARY KEY, e edge@i, s spot@i[]);
            INSERT INTO edges@i VALUES (1, ROW(ROW(1, 2), ROW(3, 4)), ARRAY[ROW(5, 6)::spot@i]); GRANT SELECT ON edges@i TO @reader",
    steps: &[
        "ALTER TYPE spot@i RENAME ATTRIBUTE x TO left_of",
        "ALTER TYPE spot@i ADD ATTRIBUTE z text",
        "ALTER TYPE edge@i RENAME ATTRIBUTE b TO to_there",
        "ALTER TYPE spot@i RENAME ATTRIBUTE left_of TO x",
        "ALTER TYPE spot@i DROP ATTRIBUTE z",
        "ALTER TYPE edge@i RENAME ATTRIBUTE to_there TO b",
    ],
    queries: &["SELECT to_json(e) AS v FROM edges@i", "SELECT s FROM edges@i", "SELECT to_json(ROW(1, 2)::spot@i) AS v", "SELECT (e).b FROM edges@i"],
    expressions: &["(SELECT to_json(e)::text FROM edges@i)"],
    rows: &[("edges@i", 1)],
    watched: &["edges@i"],
};

const RANGE: Role = Role {
    setup: "CREATE TYPE span@i AS RANGE (subtype = int4)",
    steps: &[
        "ALTER TYPE span@i RENAME TO spans@i",
        "CREATE TYPE span@i AS RANGE (subtype = float8, multirange_type_name = many_spans@i)",
        "DROP TYPE span@i",
        "ALTER TYPE spans@i RENAME TO span@i",
    ],
    queries: &["SELECT '[1,5)'::span@i AS v", "SELECT upper('[1,6]'::span@i) AS v", "SELECT span@i(1, 2)::text AS v"],
    expressions: &["('[1,7)'::span@i)::text"],
    ..NOBODY
};

const REMADE_TYPE: Role = Role {
    setup: "CREATE TYPE pair@i AS (a int, b int)",
    steps: &[
        "DROP TYPE pair@i; CREATE TYPE pair@i AS (b int, a int)",
        "DROP TYPE pair@i",
        "CREATE TYPE pair@i AS (a int, b int)",
    ],
    queries: &["SELECT ROW(1, 2)::pair@i AS v", "SELECT (ROW(1, 2)::pair@i).a AS v"],
    expressions: &["to_json(ROW(3, 4)::pair@i)::text"],
    ..NOBODY
};

const EARLIER_TYPE: Role = Role {
    setup: "CREATE DOMAIN public.rounded@i AS numeric(10, 2)",
    steps: &["CREATE DOMAIN @reader.rounded@i AS numeric(10, 1)", "DROP DOMAIN @reader.rounded@i"],
    queries: &["SELECT 1.234::rounded@i AS v"],
    expressions: &["2.345::rounded@i"],
    ..NOBODY
};

const SEARCH: Role = Role {
    setup: "CREATE TEXT SEARCH CONFIGURATION words_of@i (COPY = english);
            CREATE TEXT SEARCH DICTIONARY plain@i (TEMPLATE = simple)",
    steps: &[
        "ALTER TEXT SEARCH CONFIGURATION words_of@i ALTER MAPPING FOR asciiword WITH plain@i",
        "ALTER TEXT SEARCH DICTIONARY plain@i (StopWords = english)",
        "ALTER TEXT SEARCH CONFIGURATION words_of@i ALTER MAPPING FOR asciiword WITH english_stem",
        "ALTER TEXT SEARCH DICTIONARY plain@i (StopWords)",
    ],
    queries: &["SELECT to_tsvector('words_of@i', 'the cats')::text AS v"],
    expressions: &["to_tsvector('words_of@i', 'the dogs')::text"],
    ..NOBODY
};

const TABLE_RIGHT: Role = Role {
    setup: "CREATE TABLE closed@i (id int PRIMARY KEY, v int); INSERT INTO closed@i VALUES (1, 1), (2, 2); GRANT SELECT ON closed@i TO @reader",
    steps: &["REVOKE SELECT ON closed@i FROM @reader", "GRANT SELECT ON closed@i TO @reader", "GRANT SELECT ON closed@i TO PUBLIC", "REVOKE SELECT ON closed@i FROM PUBLIC, @reader", "GRANT SELECT ON closed@i TO @reader"],
    queries: &["SELECT id, v FROM closed@i ORDER BY id", "SELECT count(*) FROM closed@i", "SELECT b.id FROM base b JOIN closed@i c ON c.id = b.id ORDER BY 1"],
    expressions: &["(SELECT sum(v) FROM closed@i)"],
    rows: &[("closed@i", 1), ("closed@i", 2)],
    watched: &["closed@i"],
};

const COLUMN_RIGHT: Role = Role {
    setup: "CREATE TABLE parts@i (id int PRIMARY KEY, v int, w int); INSERT INTO parts@i VALUES (1, 1, 2);
            REVOKE SELECT ON parts@i FROM @reader; GRANT SELECT (id, v, w) ON parts@i TO @reader",
    steps: &[
        "REVOKE SELECT (w) ON parts@i FROM @reader",
        "REVOKE SELECT (v) ON parts@i FROM @reader",
        "GRANT SELECT (v) ON parts@i TO @reader",
        "GRANT SELECT (w) ON parts@i TO @reader",
    ],
    queries: &["SELECT id, v FROM parts@i", "SELECT id, w FROM parts@i", "SELECT id FROM parts@i"],
    expressions: &["(SELECT v FROM parts@i)"],
    rows: &[("parts@i", 1)],
    watched: &["parts@i"],
};

const SCHEMA_RIGHT: Role = Role {
    setup: "CREATE SCHEMA apart@i; CREATE TABLE apart@i.things (id int PRIMARY KEY, v int); INSERT INTO apart@i.things VALUES (1, 1);
            CREATE FUNCTION apart@i.f() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
            CREATE VIEW through@i AS SELECT id, v FROM apart@i.things; GRANT SELECT ON through@i TO @reader;
            GRANT USAGE ON SCHEMA apart@i TO @reader; GRANT SELECT ON apart@i.things TO @reader",
    steps: &["REVOKE USAGE ON SCHEMA apart@i FROM @reader", "GRANT USAGE ON SCHEMA apart@i TO @reader"],
    queries: &["SELECT id, v FROM apart@i.things", "SELECT apart@i.f() AS v", "SELECT id FROM through@i"],
    expressions: &["apart@i.f()"],
    rows: &[("apart@i.things", 1), ("through@i", 1)],
    watched: &["apart@i.things"],
};

const FUNCTION_RIGHT: Role = Role {
    setup: "CREATE FUNCTION secret@i() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 42'; CREATE VIEW secrets@i AS SELECT 1 AS id, secret@i() AS v;
            GRANT SELECT ON secrets@i TO @reader",
    steps: &["REVOKE EXECUTE ON FUNCTION secret@i FROM PUBLIC", "GRANT EXECUTE ON FUNCTION secret@i TO @reader", "REVOKE EXECUTE ON FUNCTION secret@i FROM @reader", "GRANT EXECUTE ON FUNCTION secret@i TO PUBLIC"],
    queries: &["SELECT secret@i() AS v", "SELECT v FROM secrets@i"],
    expressions: &["secret@i()"],
    rows: &[("secrets@i", 1)],
    ..NOBODY
};

const ROW_SECURITY: Role = Role {
    setup: "CREATE TABLE rows@i (id int PRIMARY KEY, v int); INSERT INTO rows@i VALUES (1, 1), (2, 2), (3, 3); GRANT SELECT ON rows@i TO @reader;
            CREATE VIEW of_rows@i AS SELECT id, v FROM rows@i; GRANT SELECT ON of_rows@i TO @reader; CREATE POLICY seen@i ON rows@i USING (id < 3)",
    steps: &[
        "ALTER TABLE rows@i ENABLE ROW LEVEL SECURITY",
        "ALTER POLICY seen@i ON rows@i USING (id < 2)",
        "ALTER ROLE @reader BYPASSRLS",
        "ALTER ROLE @reader NOBYPASSRLS",
        "CREATE POLICY more@i ON rows@i USING (id = 3)",
        "DROP POLICY more@i ON rows@i",
        "ALTER VIEW of_rows@i OWNER TO @owner; GRANT SELECT ON rows@i TO @owner",
        "ALTER TABLE rows@i DISABLE ROW LEVEL SECURITY",
        "ALTER VIEW of_rows@i OWNER TO postgres",
        "ALTER POLICY seen@i ON rows@i USING (id < 3)",
    ],
    queries: &["SELECT id, v FROM rows@i ORDER BY id", "SELECT count(*) FROM of_rows@i"],
    expressions: &["(SELECT sum(v) FROM rows@i)"],
    rows: &[("rows@i", 1), ("rows@i", 2), ("rows@i", 3), ("of_rows@i", 3)],
    watched: &["rows@i"],
};

const VIEW_OWNER: Role = Role {
    setup: "CREATE TABLE owned@i (id int PRIMARY KEY, v int); INSERT INTO owned@i VALUES (1, 1);
            CREATE VIEW seen_by@i AS SELECT id, v FROM owned@i; ALTER VIEW seen_by@i OWNER TO @owner; GRANT SELECT ON owned@i TO @owner;
            GRANT SELECT ON seen_by@i TO @reader",
    steps: &[
        "REVOKE SELECT ON owned@i FROM @owner",
        "ALTER ROLE @owner SUPERUSER",
        "ALTER ROLE @owner NOSUPERUSER",
        "GRANT SELECT ON owned@i TO @owner",
        "REVOKE SELECT ON seen_by@i FROM @reader",
        "GRANT SELECT ON seen_by@i TO @reader",
    ],
    queries: &["SELECT id, v FROM seen_by@i", "SELECT count(*) AS n FROM seen_by@i"],
    expressions: &["(SELECT v FROM seen_by@i)"],
    rows: &[("seen_by@i", 1)],
    watched: &["owned@i"],
};

const MEMBER: Role = Role {
    setup: "CREATE TABLE shared@i (id int PRIMARY KEY, v int); INSERT INTO shared@i VALUES (1, 1);
            REVOKE SELECT ON shared@i FROM @reader; GRANT SELECT ON shared@i TO @group",
    steps: &[
        "GRANT @group TO @reader",
        "ALTER ROLE @reader NOINHERIT",
        "ALTER ROLE @reader INHERIT",
        "REVOKE @group FROM @reader",
    ],
    queries: &["SELECT id, v FROM shared@i"],
    expressions: &["(SELECT v FROM shared@i)"],
    rows: &[("shared@i", 1)],
    watched: &["shared@i"],
};

const TABLE_NAMES: Role = Role {
    setup: "CREATE TABLE one@i (id int PRIMARY KEY, v text); INSERT INTO one@i VALUES (1, 'one'); CREATE TABLE two@i (id int PRIMARY KEY, v text);
            INSERT INTO two@i VALUES (1, 'two'), (2, 'two'); GRANT SELECT ON one@i, two@i TO @reader",
    steps: &[
        "ALTER TABLE one@i RENAME TO none@i; ALTER TABLE two@i RENAME TO one@i; ALTER TABLE none@i RENAME TO two@i",
        "ALTER TABLE one@i RENAME TO none@i",
        "ALTER TABLE none@i RENAME TO one@i",
        "ALTER TABLE two@i SET SCHEMA @reader",
        "ALTER TABLE @reader.two@i SET SCHEMA public",
    ],
    queries: &["SELECT id, v FROM one@i ORDER BY id", "SELECT v FROM two@i WHERE id = 1", "SELECT a.v, b.v AS w FROM one@i a JOIN two@i b USING (id)"],
    expressions: &["(SELECT max(v) FROM one@i)"],
    rows: &[("one@i", 1), ("one@i", 2), ("two@i", 1), ("two@i", 2)],
    watched: &["one@i", "two@i"],
};

const COLUMN_NAMES: Role = Role {
    setup: "CREATE TABLE cols@i (id int PRIMARY KEY, a text, b text); INSERT INTO cols@i VALUES (1, 'a', 'b'); GRANT SELECT ON cols@i TO @reader;
            CREATE VIEW of_cols@i AS SELECT id, a FROM cols@i; GRANT SELECT ON of_cols@i TO @reader",
    steps: &[
        "ALTER TABLE cols@i RENAME a TO c; ALTER TABLE cols@i RENAME b TO a; ALTER TABLE cols@i RENAME c TO b",
        "ALTER VIEW of_cols@i RENAME a TO z",
        "ALTER VIEW of_cols@i RENAME z TO a",
    ],
    queries: &["SELECT a FROM cols@i", "SELECT * FROM cols@i", "SELECT a FROM of_cols@i", "SELECT * FROM of_cols@i"],
    expressions: &["(SELECT a FROM cols@i)"],
    rows: &[("cols@i", 1), ("of_cols@i", 1)],
    watched: &["cols@i"],
};

const SCHEMA_NAMES: Role = Role {
    setup: "CREATE SCHEMA left_one@i; CREATE SCHEMA right_one@i; GRANT USAGE ON SCHEMA left_one@i, right_one@i TO @reader;
            CREATE TABLE left_one@i.t (id int PRIMARY KEY, v text); INSERT INTO left_one@i.t VALUES (1, 'left');
            CREATE TABLE right_one@i.t (id int PRIMARY KEY, v text); INSERT INTO right_one@i.t VALUES (1, 'right');
            CREATE FUNCTION left_one@i.g() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'left'$$;
            CREATE FUNCTION right_one@i.g() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'right'$$;
            GRANT SELECT ON left_one@i.t, right_one@i.t TO @reader",
    steps: &[
        "ALTER SCHEMA left_one@i RENAME TO no_one@i; ALTER SCHEMA right_one@i RENAME TO left_one@i; ALTER SCHEMA no_one@i RENAME TO right_one@i",
        "ALTER SCHEMA left_one@i RENAME TO no_one@i",
        "ALTER SCHEMA no_one@i RENAME TO left_one@i",
    ],
    queries: &["SELECT id, v FROM left_one@i.t", "SELECT right_one@i.g() AS v", "SELECT v FROM right_one@i.t"],
    expressions: &["left_one@i.g()"],
    rows: &[("left_one@i.t", 1), ("right_one@i.t", 1)],
    watched: &["left_one@i.t", "right_one@i.t"],
};

const EARLIER_TABLE: Role = Role {
    setup: "CREATE TABLE public.over@i (id int PRIMARY KEY, v text); INSERT INTO public.over@i VALUES (1, 'public'); GRANT SELECT ON public.over@i TO @reader",
    steps: &[
        "CREATE TABLE @reader.over@i (id int PRIMARY KEY, v text); INSERT INTO @reader.over@i VALUES (1, 'earlier'); GRANT SELECT ON @reader.over@i TO @reader",
        "DROP TABLE @reader.over@i",
        "CREATE VIEW @reader.over@i AS SELECT 1 AS id, 'view' AS v; GRANT SELECT ON @reader.over@i TO @reader",
        "DROP VIEW @reader.over@i",
    ],
    queries: &["SELECT id, v FROM over@i", "SELECT count(*) AS n FROM public.over@i"],
    expressions: &["(SELECT v FROM over@i)"],
    rows: &[("over@i", 1), ("public.over@i", 1)],
    watched: &["public.over@i"],
};

const COLUMNS: Role = Role {
    setup: "CREATE TABLE wide@i (id int PRIMARY KEY, v text); INSERT INTO wide@i VALUES (1, 'a'); GRANT SELECT ON wide@i TO @reader",
    steps: &[
        "ALTER TABLE wide@i ADD COLUMN n int DEFAULT 7",
        "ALTER TABLE wide@i ALTER COLUMN n TYPE numeric(5, 2)",
        "ALTER TABLE wide@i ADD COLUMN g int GENERATED ALWAYS AS (id + 1) STORED",
        "ALTER TABLE wide@i DROP COLUMN g",
        "ALTER TABLE wide@i DROP COLUMN n",
    ],
    queries: &["SELECT * FROM wide@i", "SELECT n FROM wide@i", "SELECT to_json(w) AS v FROM wide@i w"],
    expressions: &["(SELECT to_json(w)::text FROM wide@i w)"],
    rows: &[("wide@i", 1)],
    watched: &["wide@i"],
};

const VIEW: Role = Role {
    setup: "CREATE TABLE under@i (id int PRIMARY KEY, v int); INSERT INTO under@i VALUES (1, 1); CREATE TABLE beside@i (id int PRIMARY KEY, v int);
            INSERT INTO beside@i VALUES (1, 100); CREATE VIEW low@i AS SELECT id, v FROM under@i; CREATE VIEW high@i AS SELECT id, v FROM low@i;
            GRANT SELECT ON low@i, high@i TO @reader",
    steps: &[
        "CREATE OR REPLACE VIEW low@i AS SELECT id, v FROM beside@i",
        "UPDATE beside@i SET v = v + 1",
        "CREATE OR REPLACE VIEW low@i AS SELECT id, v + 1 AS v FROM under@i",
        "UPDATE under@i SET v = v + 1",
        "CREATE OR REPLACE VIEW high@i AS SELECT id, -v AS v FROM low@i",
        "CREATE OR REPLACE VIEW high@i AS SELECT id, v FROM low@i",
    ],
    queries: &["SELECT v FROM low@i", "SELECT id, v FROM high@i"],
    expressions: &["(SELECT v FROM high@i)"],
    rows: &[("low@i", 1), ("high@i", 1)],
    watched: &["under@i", "beside@i"],
};

const REMADE_TABLE: Role = Role {
    setup: "CREATE TABLE remade@i (id int PRIMARY KEY, v text); INSERT INTO remade@i VALUES (1, 'first'); GRANT SELECT ON remade@i TO @reader",
    steps: &[
        "DROP TABLE remade@i; CREATE TABLE remade@i (id int PRIMARY KEY, v text); INSERT INTO remade@i VALUES (1, 'second'); GRANT SELECT ON remade@i TO @reader",
        "DROP TABLE remade@i",
        "CREATE VIEW remade@i AS SELECT 1 AS id, 'view' AS v; GRANT SELECT ON remade@i TO @reader",
        "DROP VIEW remade@i; CREATE TABLE remade@i (v text, id int PRIMARY KEY); INSERT INTO remade@i VALUES ('first', 1); GRANT SELECT ON remade@i TO @reader",
    ],
    queries: &["SELECT * FROM remade@i", "SELECT count(*) AS n FROM remade@i"],
    expressions: &["(SELECT max(v) FROM remade@i)"],
    rows: &[("remade@i", 1)],
    watched: &["remade@i"],
};

const SCHEMA: Role = Role {
    setup: "CREATE SCHEMA whole@i; GRANT USAGE ON SCHEMA whole@i TO @reader; CREATE TABLE whole@i.t (id int PRIMARY KEY, v int);
            INSERT INTO whole@i.t VALUES (1, 1); GRANT SELECT ON whole@i.t TO @reader",
    steps: &[
        "DROP SCHEMA whole@i CASCADE",
        "CREATE SCHEMA whole@i; GRANT USAGE ON SCHEMA whole@i TO @reader; CREATE TABLE whole@i.t (id int PRIMARY KEY, v int);
             INSERT INTO whole@i.t VALUES (1, 2); GRANT SELECT ON whole@i.t TO @reader",
    ],
    queries: &["SELECT id, v FROM whole@i.t"],
    expressions: &["(SELECT v FROM whole@i.t)"],
    rows: &[("whole@i.t", 1)],
    watched: &["whole@i.t"],
};

const PARTITIONS: Role = Role {
    setup: "CREATE TABLE log@i (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE log_0@i PARTITION OF log@i FOR VALUES FROM (0) TO (10);
            INSERT INTO log@i VALUES (1, 'low'), (2, 'low'); CREATE TABLE log_1@i (id int PRIMARY KEY, v text); INSERT INTO log_1@i VALUES (11, 'high'), (12, 'high');
            GRANT SELECT ON log@i, log_1@i TO @reader",
    steps: &[
        "ALTER TABLE log@i ATTACH PARTITION log_1@i FOR VALUES FROM (10) TO (20)",
        "UPDATE log@i SET v = v || '!'",
        "CREATE TABLE log_2@i PARTITION OF log@i FOR VALUES FROM (20) TO (30); INSERT INTO log@i VALUES (21, 'new')",
        "UPDATE log_1@i SET v = 'mine'",
        "ALTER TABLE log@i DETACH PARTITION log_1@i",
        "DROP TABLE log_2@i",
        "UPDATE log_1@i SET v = 'high'",
    ],
    queries: &["SELECT id, v FROM log@i ORDER BY id", "SELECT count(*) AS n FROM log@i", "SELECT v FROM log@i WHERE id = 11", "SELECT v FROM log_1@i ORDER BY id"],
    expressions: &["(SELECT count(*) FROM log@i)"],
    rows: &[("log@i", 1), ("log@i", 11), ("log@i", 21), ("log_1@i", 12)],
    watched: &["log@i", "log_1@i"],
};

const CHILDREN: Role = Role {
    setup: "CREATE TABLE parent@i (id int PRIMARY KEY, v text); INSERT INTO parent@i VALUES (1, 'parent'); CREATE TABLE child@i (id int PRIMARY KEY, v text);
            INSERT INTO child@i VALUES (2, 'child'); GRANT SELECT ON parent@i, child@i TO @reader",
    steps: &["ALTER TABLE child@i INHERIT parent@i", "UPDATE child@i SET v = v || '!'", "ALTER TABLE child@i NO INHERIT parent@i", "UPDATE child@i SET v = v || '?'"],
    queries: &["SELECT id, v FROM parent@i ORDER BY id", "SELECT v FROM ONLY parent@i", "SELECT count(*) AS n FROM child@i"],
    expressions: &["(SELECT count(*) FROM parent@i)"],
    rows: &[("parent@i", 1), ("parent@i", 2), ("child@i", 2)],
    watched: &["parent@i", "child@i"],
};

const MATERIALISED: Role = Role {
    setup: "CREATE TABLE source@i (id int PRIMARY KEY, v int); INSERT INTO source@i VALUES (1, 1);
            CREATE MATERIALIZED VIEW made@i AS SELECT id, v FROM source@i; CREATE UNIQUE INDEX ON made@i (id); GRANT SELECT ON source@i, made@i TO @reader",
    steps: &[
        "UPDATE source@i SET v = v + 1",
        "REFRESH MATERIALIZED VIEW made@i",
        "UPDATE source@i SET v = v + 1; REFRESH MATERIALIZED VIEW made@i",
        "UPDATE source@i SET v = v + 1",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY made@i",
    ],
    queries: &["SELECT id, v FROM made@i", "SELECT v FROM source@i"],
    expressions: &["(SELECT v FROM made@i)"],
    rows: &[("made@i", 1), ("source@i", 1)],
    watched: &["source@i"],
};

const ROWS: Role = Role {
    setup: "CREATE TABLE plain@i (id int PRIMARY KEY, v int); INSERT INTO plain@i VALUES (1, 1), (2, 2); GRANT SELECT ON plain@i TO @reader",
    steps: &["UPDATE plain@i SET v = v + 1", "DELETE FROM plain@i WHERE id = 2", "INSERT INTO plain@i VALUES (2, 5)", "TRUNCATE plain@i; INSERT INTO plain@i VALUES (1, 0), (2, 0)"],
    queries: &["SELECT id, v FROM plain@i ORDER BY id"],
    expressions: &["(SELECT sum(v) FROM plain@i)"],
    rows: &[("plain@i", 1), ("plain@i", 2)],
    watched: &["plain@i"],
};
