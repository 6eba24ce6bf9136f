//! The stage of the attacks: tables, their forgeries, and functions that have effects.

use super::effect::{Effect, EFFECTS, MARKER, VOLATILITIES};

/// Tables that are read, what they would be forged by, and what effects leave traces in.
pub fn tables() -> String {
    format!(
        r#"
CREATE TABLE plain (id bigint PRIMARY KEY, note text, at timestamptz, span interval, bytes bytea, f float8);
INSERT INTO plain SELECT n, 'row ' || n, '2024-02-01 03:04:05Z', '1 day 02:00', '\x00ff41', 0.1 FROM generate_series(1, 20000) n;
CREATE TABLE other (id bigint PRIMARY KEY, note text);
INSERT INTO other SELECT n, 'other ' || n FROM generate_series(1, 20) n;
CREATE SCHEMA evil;
CREATE TABLE evil.plain AS SELECT id, 'FORGED'::text AS note, at, span, bytes, f FROM plain;
CREATE TABLE evil.other AS SELECT id, 'FORGED'::text AS note FROM other;
CREATE TABLE public.forged AS SELECT * FROM evil.plain;
CREATE TABLE ledger (what text);
CREATE TABLE secrets (id bigint PRIMARY KEY, code int);
INSERT INTO secrets VALUES (1, {MARKER});
CREATE TABLE parent (id bigint);
CREATE TABLE child (code int) INHERITS (parent);
INSERT INTO parent VALUES (2);
INSERT INTO child VALUES (1, {MARKER});
CREATE SEQUENCE numbers;
DO $$ BEGIN CREATE ROLE boss; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
{FORGE}
{PROBE}
"#
    )
}

/// Makes every statement of ours that reads `plain` one that reads `forged`, under the same name.
const FORGE: &str = r#"
CREATE FUNCTION public.forge() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ours record;
    text text;
BEGIN
    FOR ours IN SELECT * FROM pg_catalog.pg_prepared_statement() LOOP
        text := pg_catalog.regexp_replace(ours.statement, '\mplain\M', 'forged', 'g');
        CONTINUE WHEN text = ours.statement;
        EXECUTE 'DEALLOCATE ' || pg_catalog.quote_ident(ours.name);
        EXECUTE 'PREPARE ' || pg_catalog.quote_ident(ours.name)
            || CASE WHEN pg_catalog.cardinality(ours.parameter_types) = 0 THEN ''
                    ELSE ' (' || pg_catalog.array_to_string(ours.parameter_types, ', ') || ')' END
            || ' AS ' || text;
    END LOOP;
END $$;"#;

/// What the session that runs it is like. It reads no table, since catalogs are closed.
const PROBE: &str = r#"
CREATE FUNCTION public.probe() RETURNS jsonb LANGUAGE sql AS $$
SELECT pg_catalog.jsonb_build_object(
    'user', current_user, 'session', session_user,
    'locks', (SELECT count(*) FROM pg_catalog.pg_lock_status() l WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()),
    'prepared', (SELECT count(*) FROM pg_catalog.pg_prepared_statement() s WHERE from_sql AND name NOT LIKE 'pgcache%'),
    'cursors', (SELECT count(*) FROM pg_catalog.pg_cursor() c WHERE is_holdable),
    'listens', (SELECT count(*) FROM pg_catalog.pg_listening_channels() c),
    'temporary', pg_catalog.to_regclass('pg_temp.attack')::text,
    'plain', pg_catalog.to_regclass('plain')::oid::text)
$$;"#;

/// Functions with every effect, in every volatility, and what calls them by name: aggregates and views.
pub fn functions() -> String {
    each(|effect, letter, volatility| {
        let (id, body) = (format!("{}_{letter}", effect.name), effect.body);
        let make = |name: &str, arguments: &str, before: &str| {
            format!(
                "CREATE FUNCTION {name}_{id}({arguments}) RETURNS int {volatility} LANGUAGE plpgsql AS
                 $$ {before} BEGIN {body} RETURN n; END $$;\n"
            )
        };
        let declare = "DECLARE n int := 1;";
        [
            make("fx", "n int DEFAULT 1", ""),
            make("va", "VARIADIC ns int[]", declare),
            make("at", "r plain", declare),
            format!(
                "CREATE FUNCTION po_{id}(x anyelement) RETURNS anyelement {volatility} LANGUAGE plpgsql AS
                 $$ {declare} BEGIN {body} RETURN x; END $$;
                 CREATE FUNCTION sf_{id}(m int) RETURNS SETOF int {volatility} LANGUAGE plpgsql AS
                 $$ {declare} BEGIN {body} RETURN NEXT n; END $$;
                 CREATE FUNCTION sq_{id}(m int) RETURNS int {volatility} LANGUAGE sql AS 'SELECT fx_{id}(m)';
                 CREATE FUNCTION tr_{id}(s int, m int) RETURNS int {volatility} LANGUAGE plpgsql AS
                 $$ {declare} BEGIN {body} RETURN n; END $$;
                 CREATE AGGREGATE ag_{id}(int) (SFUNC = tr_{id}, STYPE = int, INITCOND = '0');
                 CREATE VIEW vw_{id} AS SELECT id, note, fx_{id}(1) AS a FROM plain WHERE id < 10;\n"
            ),
        ]
        .concat()
    })
}

/// Types that have every effect where they are cast, compared, checked or printed.
pub fn types() -> String {
    each(|effect, letter, volatility| {
        let id = format!("{}_{letter}", effect.name);
        let compare = |name: &str, operator: &str, result: &str| {
            format!(
                "CREATE FUNCTION {name}_{id}(a ty_{id}, b ty_{id}) RETURNS {result} {volatility} LANGUAGE plpgsql AS
                 $$ DECLARE n int := 1; BEGIN {} RETURN {operator}; END $$;\n",
                effect.body
            )
        };
        let operators = [("lt", "<"), ("le", "<="), ("eq", "="), ("ge", ">="), ("gt", ">")];
        let functions: String =
            operators.iter().map(|(name, sign)| compare(name, &format!("(a).n {sign} (b).n"), "boolean")).collect();
        let operators: String = operators
            .iter()
            .map(|(name, sign)| {
                format!("CREATE OPERATOR {sign} (LEFTARG = ty_{id}, RIGHTARG = ty_{id}, FUNCTION = {name}_{id});\n")
            })
            .collect();
        format!(
            "CREATE DOMAIN dm_{id} AS int CHECK (fx_{id}(VALUE) IS NOT NULL);
             CREATE TYPE ty_{id} AS (n int);
             CREATE TYPE en_{id} AS ENUM ('a', 'b');
             CREATE FUNCTION ca_{id}(t ty_{id}) RETURNS int {volatility} LANGUAGE sql AS 'SELECT fx_{id}((t).n)';
             CREATE CAST (ty_{id} AS int) WITH FUNCTION ca_{id}(ty_{id}) AS IMPLICIT;
             CREATE FUNCTION ac_{id}(n int) RETURNS ty_{id} {volatility} LANGUAGE plpgsql AS
             $$ BEGIN {body} RETURN ROW(n)::ty_{id}; END $$;
             CREATE CAST (int AS ty_{id}) WITH FUNCTION ac_{id}(int) AS ASSIGNMENT;
             CREATE FUNCTION ej_{id}(e en_{id}) RETURNS json {volatility} LANGUAGE plpgsql AS
             $$ DECLARE n int := 1; BEGIN {body} RETURN to_json(n); END $$;
             CREATE CAST (en_{id} AS json) WITH FUNCTION ej_{id}(en_{id}) AS IMPLICIT;
             {functions}{operators}{cmp}
             CREATE OPERATOR CLASS oc_{id} DEFAULT FOR TYPE ty_{id} USING btree AS
             OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 cm_{id}(ty_{id}, ty_{id});\n",
            body = effect.body,
            cmp = compare("cm", "(a).n - (b).n", "int"),
        )
    })
}

fn each(made: impl Fn(Effect, char, &str) -> String) -> String {
    let volatilities = |effect| VOLATILITIES.map(|(letter, volatility)| made(effect, letter, volatility)).concat();
    EFFECTS.into_iter().map(volatilities).collect()
}
