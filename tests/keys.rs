//! Lookup keys of every type: one entry for each row, whatever the spelling.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{json, Value};
use support::{on_every_server, Client, Database, Lock, Postgres, Reply, Server};

/// A row, and the ways to name it.
struct Row<'a> {
    /// Statements that make the table `t` with at least a text column `v`, without rows.
    table: &'a str,
    /// Lookup keys of one row.
    same: Vec<String>,
    /// Lookup keys that name no row.
    absent: Vec<String>,
    /// Lookup keys that no row can have.
    bad: Vec<String>,
}

impl Row<'_> {
    fn check(&self) {
        on_every_server(|kind| {
            let database = Postgres::shared().database();
            database.execute(self.table);
            self.insert(&database);
            let server = Server::start(&kind, &database);
            let mut client = server.client();
            self.every_spelling_reads_the_row_from_one_entry(&database, &mut client);
            self.what_names_no_row_is_nil_or_refused(&mut client);
            self.every_spelling_invalidates_what_another_filled(&database, &mut client);
            self.what_is_written_under_one_spelling_is_read_under_all(&mut client);
        });
    }

    fn insert(&self, database: &Database<'_>) {
        let sql = r#"INSERT INTO t SELECT * FROM jsonb_populate_record(NULL::t, $1::text::jsonb || '{"v":"first"}')"#;
        database.connect().execute(sql, &[&self.same[0]]).unwrap();
    }

    fn every_spelling_reads_the_row_from_one_entry(&self, database: &Database<'_>, client: &mut Client) {
        let expected = stored(database);
        for key in &self.same {
            // The second time from memory.
            for _ in 0..2 {
                assert_eq!(client.read("t", key), expected, "{key}");
            }
        }
        assert_eq!(entries(client).len(), 1, "{:?}", entries(client));
        let together = client.multiread("t", &format!("[{}]", self.same.join(",")));
        assert_eq!(together.text(), format!("[{}]", vec![expected.text(); self.same.len()].join(",")));
        assert_eq!(entries(client).len(), 1, "{:?}", entries(client));
        assert!(!self.known(client).is_empty());
    }

    /// The spellings that need no PostgreSQL, now that each was read. What depends on a clock is always asked.
    fn known(&self, client: &mut Client) -> Vec<&String> {
        let is_hit = |key: &&String| {
            let hits = client.figure("hits");
            client.read("t", key);
            client.figure("hits") > hits
        };
        self.same.iter().filter(is_hit).collect()
    }

    fn what_names_no_row_is_nil_or_refused(&self, client: &mut Client) {
        for key in &self.absent {
            assert_eq!(client.read("t", key), Reply::Nil, "{key}");
            let both = client.multiread("t", &format!("[{key},{}]", self.same[0])).json();
            assert_eq!((&both[0], &both[1]["v"]), (&Value::Null, &json!("first")), "{key}");
        }
        for key in &self.bad {
            assert_eq!(client.read("t", key).code(), "PGBADVALUE", "{key}");
            let both = client.multiread("t", &format!("[{key},{}]", self.same[0]));
            assert_eq!(both.code(), "PGBADVALUE", "{key}");
            assert_eq!(client.read("t", &self.same[0]).json()["v"], "first");
        }
    }

    /// FLUSHALL makes the module forget which spellings it has met.
    fn every_spelling_invalidates_what_another_filled(&self, database: &Database<'_>, client: &mut Client) {
        for (i, invalidated) in self.same.iter().enumerate() {
            let filled = &self.same[(i + 1) % self.same.len()];
            for forgets in [true, false] {
                if forgets {
                    client.call(&["FLUSHALL"]);
                }
                assert_eq!(client.read("t", filled), stored(database));
                database.execute(&format!("UPDATE t SET v = 'changed {i} {forgets}'"));
                assert_eq!(client.invalidate("t", invalidated), Reply::Simple("OK".into()));
                let expected = stored(database);
                assert_eq!(client.read("t", filled), expected, "{filled} after INVALIDATE {invalidated}");
                assert_eq!(client.read("t", invalidated), expected, "{invalidated}");
            }
        }
    }

    fn what_is_written_under_one_spelling_is_read_under_all(&self, client: &mut Client) {
        for key in &self.same {
            client.read("t", key);
        }
        let known = self.known(client);
        for (i, written) in self.same.iter().enumerate() {
            let data = json!({ "written": i }).to_string();
            let reply = client.call(&["PGCACHE.WRITE", "t", written, &data]);
            assert_eq!(reply, Reply::Simple("OK".into()), "{written}");
            for read in &known {
                assert_eq!(client.read("t", read).text(), data, "{read} after WRITE {written}");
            }
        }
    }
}

/// The table's only row as PostgreSQL writes it.
fn stored(database: &Database<'_>) -> Reply {
    Reply::Bulk(database.text("SELECT row_to_json(t)::text FROM t").unwrap().into_bytes())
}

/// The cache keys of all entries.
fn entries(client: &mut Client) -> Vec<Vec<u8>> {
    let Reply::Array(keys) = client.call(&["KEYS", "pg_cache:*"]) else { panic!("KEYS answers an array") };
    keys.into_iter()
        .map(|key| match key {
            Reply::Bulk(key) => key,
            other => panic!("no key: {other:?}"),
        })
        .collect()
}

/// Checks a table with a primary key `id` of one type; `values` are JSON texts.
fn check_type(sql_type: &str, same: &[&str], absent: &[&str], bad: &[&str]) {
    check_made("", sql_type, same, absent, bad);
}

/// The same after the statements `first`.
fn check_made(first: &str, sql_type: &str, same: &[&str], absent: &[&str], bad: &[&str]) {
    let keys = |values: &[&str]| values.iter().map(|value| format!("{{\"id\":{value}}}")).collect();
    let table = format!("{first}; CREATE TABLE t (id {sql_type} PRIMARY KEY, v text)");
    Row { table: &table, same: keys(same), absent: keys(absent), bad: keys(bad) }.check();
}

#[test]
fn int2() {
    check_type(
        "int2",
        &["-32768", "\"-32768\"", "\" -032768 \"", " -32768 "],
        &["32767", "0"],
        &["-32769", "1.0", "1e0", "true", "\"abc\"", "\"\"", "[1]", "{}"],
    );
}

#[test]
fn int4() {
    check_type("int4", &["7", "\"7\"", "\"+7\"", "\"\\u0037\"", "\"007\""], &["-7"], &["2147483648", "\"7 7\""]);
}

#[test]
fn int8_beyond_what_a_double_can_hold() {
    check_type(
        "int8",
        &["9007199254740993", "\"9007199254740993\"", "\"\\t9007199254740993\\n\""],
        &["9007199254740992", "9007199254740994", "9223372036854775807"],
        &["9223372036854775808", "-9223372036854775809", "9007199254740993.0"],
    );
}

#[test]
fn numeric() {
    check_type(
        "numeric",
        &["1", "1.0", "1e0", "10e-1", "\"1.000\"", "\"+1\"", "\" 1 \"", "\"01.\"", "0.1E1"],
        &["1.0001", "-1", "\"Infinity\"", "\"NaN\""],
        &["\"abc\"", "true", "[1]", "\"\"", "\"1 1\"", "1e200000"],
    );
}

#[test]
fn numeric_stored_with_trailing_zeros() {
    check_type("numeric", &["1.5000", "1.5", "\"1.50\"", "15e-1"], &["1.5001"], &[]);
}

#[test]
fn numeric_of_thirty_digits() {
    check_type(
        "numeric",
        &[
            "123456789012345678901234567890",
            "123456789012345678901234567890.000",
            "\"123456789012345678901234567890\"",
            "12345678901234567890123456789e1",
        ],
        &["123456789012345678901234567891", "1.2345678901234568e29"],
        &[],
    );
}

#[test]
fn numeric_that_is_no_number() {
    check_type("numeric", &["\"NaN\"", "\"nan\"", "\" NAN \""], &["0", "\"Infinity\""], &[]);
}

#[test]
fn numeric_with_a_scale() {
    check_type("numeric(10,2)", &["12.30", "12.3", "\"12.300\"", "123e-1"], &["12.31", "12"], &["\"x\""]);
}

#[test]
fn float4() {
    check_type("float4", &["0.1", "0.100000001490116", "\"1e-1\"", "\".1\""], &["0.2"], &["1e39", "\"x\""]);
}

#[test]
fn float8() {
    check_type(
        "float8",
        &["1e300", "\"1e+300\"", "10e299", "\"1E300\""],
        &["1e301", "0"],
        &["1e400", "1e-400", "\"x\"", "true", "[1]"],
    );
}

#[test]
fn float8_nan_infinity_and_minus_zero() {
    check_type("float8", &["\"NaN\"", "\"nan\""], &["0"], &[]);
    check_type("float8", &["\"-Infinity\"", "\"-inf\"", "\"-INFINITY\""], &["\"Infinity\""], &[]);
    check_type("float8", &["\"-0\"", "0", "-0.0", "\"0\"", "0e5"], &["5e-324"], &[]);
}

#[test]
fn bool() {
    check_type(
        "bool",
        &["true", "\"t\"", "\"TRUE\"", "\"yes\"", "\"tr\"", "\" on \"", "\"1\"", "1"],
        &["false", "\"of\""],
        &["\"maybe\"", "\"\"", "2", "[true]"],
    );
}

#[test]
fn char_with_and_without_padding() {
    check_type("char(5)", &["\"ab\"", "\"ab   \"", "\"ab \"", "\"\\u0061b\""], &["\" ab\"", "\"abc\"", "\"AB\""], &[]);
}

#[test]
fn varchar() {
    check_type("varchar", &["\"a b\"", "\"\\u0061\\u0020b\""], &["\"a b \"", "\"A b\""], &["\"a\\u0000b\""]);
}

#[test]
fn varchar_with_a_length() {
    check_type("varchar(3)", &["\"abc\"", "\"\\u0061bc\""], &["\"abcd\"", "\"abc \"", "\"ab\""], &[]);
}

#[test]
fn text() {
    check_type("text", &["\"1.0\"", "1.0"], &["\"1\"", "1", "true", "\"\""], &["\"\\u0000\""]);
}

#[test]
fn text_that_looks_like_json_and_sql() {
    let text = "\"';{}[]:,\\ --'\"\" $1 %s %n";
    let plain = serde_json::to_string(text).unwrap();
    let escaped: String = text.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    check_type("text", &[&plain, &format!("\"{escaped}\"")], &["\"\\\"\""], &[]);
}

#[test]
fn text_of_all_control_characters() {
    let text: String = (1u8..32).chain([127]).map(char::from).collect();
    let plain = serde_json::to_string(&text).unwrap();
    let escaped: String = text.bytes().map(|byte| format!("\\u{byte:04X}")).collect();
    check_type("text", &[&plain, &format!("\"{escaped}\"")], &["\"\\u0001\""], &[]);
}

#[test]
fn text_of_any_unicode() {
    let plain = "\"\u{e9}e\u{301}\u{df}\u{200b}\u{2028}\u{feff}\u{1f600}\u{10ffff}\u{85}\"";
    let escaped = "\"\\u00e9e\\u0301\\u00DF\\u200b\\u2028\\ufeff\\ud83d\\ude00\\udbff\\udfff\\u0085\"";
    check_type("text", &[plain, escaped], &["\"\u{e9}\u{e9}\""], &[]);
}

#[test]
fn text_of_ten_kilobytes() {
    let text = "0123456789".repeat(1000);
    let plain = format!("\"{text}\"");
    check_type("text", &[&plain, &format!("\"\\u0030{}\"", &text[1..])], &[&format!("\"{text}0\"")], &[]);
}

#[test]
fn text_given_as_array_or_object() {
    check_type("text", &["\"[1]\"", "[1]"], &["\"[1] \"", "{}"], &[]);
}

#[test]
fn citext() {
    check_made(
        "CREATE EXTENSION citext",
        "citext",
        &["\"Ann@Example.com\"", "\"ann@example.com\"", "\"ANN@EXAMPLE.COM\""],
        &["\"bob@example.com\"", "\"\""],
        &["\"\\u0000\""],
    );
}

#[test]
fn text_with_a_nondeterministic_collation() {
    check_made(
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "text COLLATE ci",
        &["\"Ann\"", "\"ann\"", "\"ANN\""],
        &["\"ban\""],
        &[],
    );
}

#[test]
fn name() {
    let cut = format!("\"{}\"", "n".repeat(63));
    let long = format!("\"{}\"", "n".repeat(80));
    check_type("name", &[&cut, &long], &["\"n\""], &[]);
}

#[test]
fn uuid() {
    check_type(
        "uuid",
        &[
            "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
            "\"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11\"",
            "\"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}\"",
            "\"a0eebc999c0b4ef8bb6d6bb9bd380a11\"",
            "\"a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11\"",
        ],
        &["\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12\""],
        &["\"a0eebc99\"", "5", "\"\"", "\"g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""],
    );
}

#[test]
fn date() {
    check_type(
        "date",
        &["\"2024-02-29\"", "\"20240229\"", "\"Feb 29, 2024\"", "\"2024-02-29 13:00\""],
        &["\"2024-03-01\"", "\"infinity\""],
        &["\"2023-02-29\"", "\"x\"", "5"],
    );
}

#[test]
fn time() {
    check_type(
        "time",
        &["\"13:30:00\"", "\"1:30 PM\"", "\"13:30\"", "\"133000\"", "\"13:30:00.000000\""],
        &["\"13:30:01\""],
        &["\"25:00\"", "\"x\""],
    );
}

#[test]
fn timetz() {
    check_type(
        "timetz",
        &["\"13:30:00+02\"", "\"13:30+02:00\"", "\"1:30 PM +02\""],
        // The same moment, but not equal.
        &["\"11:30:00+00\""],
        &["\"x\""],
    );
}

#[test]
fn timestamp() {
    check_type(
        "timestamp",
        &["\"2024-01-02T03:04:05.6\"", "\"2024-01-02 03:04:05.600\"", "\"Jan 2, 2024 3:04:05.6 AM\""],
        &["\"2024-01-02 03:04:05\"", "\"infinity\""],
        &["\"2024-13-01\"", "\"x\""],
    );
}

#[test]
fn timestamptz_in_several_zones() {
    check_type(
        "timestamptz",
        &[
            "\"2024-07-01T12:00:00+00:00\"",
            "\"2024-07-01T12:00:00Z\"",
            "\"2024-07-01 14:00 Europe/Berlin\"",
            "\"2024-07-01 08:00:00-04\"",
            "\"2024-07-01 12:00\"",
            "\"2024-07-01 17:30:00.000+05:30\"",
        ],
        &["\"2024-07-01T12:00:00+01:00\"", "\"-infinity\""],
        &["\"2024-07-01 12:00 Nowhere/Land\"", "\"x\""],
    );
}

#[test]
fn interval() {
    check_type(
        "interval",
        &["\"1 day\"", "\"24:00:00\"", "\"24 hours\"", "\"P1D\"", "\"1440 min\""],
        &["\"1 day 1 sec\"", "\"2 days\""],
        &["\"x\""],
    );
}

#[test]
fn bytea() {
    check_type(
        "bytea",
        &[r#""\\x00ff5c""#, r#""\\x00FF5C""#, r#""\\000\\377\\\\""#, r#""\\x00 ff 5c""#],
        &[r#""\\x00ff""#, r#""""#],
        &[r#""\\x0""#, r#""\\xzz""#],
    );
}

#[test]
fn inet() {
    check_type(
        "inet",
        &["\"10.1.2.3\"", "\"10.1.2.3/32\""],
        &["\"10.1.2.3/24\"", "\"::1\""],
        &["\"10.1.2\"", "\"x\"", "5"],
    );
    check_type("inet", &["\"2001:db8::1\"", "\"2001:DB8:0:0:0:0:0:1\"", "\"2001:db8::0001/128\""], &["\"::1\""], &[]);
}

#[test]
fn cidr() {
    check_type("cidr", &["\"10.1.0.0/16\"", "\"10.1/16\""], &["\"10.1.0.0/17\""], &["\"10.1.2.3/16\""]);
}

#[test]
fn macaddr() {
    check_type(
        "macaddr",
        &[
            "\"08:00:2b:01:02:03\"",
            "\"08-00-2B-01-02-03\"",
            "\"08002b:010203\"",
            "\"0800.2b01.0203\"",
            "\"08002b010203\"",
        ],
        &["\"08:00:2b:01:02:04\""],
        &["\"08:00:2b:01:02\"", "\"x\""],
    );
}

#[test]
fn money() {
    check_type("money", &["\"$1,234.50\"", "\"1234.5\"", "1234.50", "\"1,234.50\""], &["1234.51"], &["\"x\""]);
}

#[test]
fn bit() {
    check_type("bit(8)", &["\"00001111\"", "\"x0f\"", "\"b00001111\"", "\"X0F\""], &["\"00001110\""], &["\"2\""]);
    check_type("varbit", &["\"101\"", "\"b101\""], &["\"0101\"", "\"10\""], &["\"12\""]);
}

#[test]
fn an_enum() {
    check_made(
        "CREATE TYPE mood AS ENUM ('sad', 'so so', 'Happy \"x\"')",
        "mood",
        &["\"Happy \\\"x\\\"\"", "\"\\u0048appy \\\"x\\\"\""],
        &["\"sad\"", "\"so so\""],
        &["\"happy\"", "\"\"", "5", "\"sad \""],
    );
}

#[test]
fn a_domain_with_a_check() {
    check_made(
        "CREATE DOMAIN positive AS int CHECK (value > 0); CREATE DOMAIN small AS positive CHECK (value < 1000)",
        "small",
        &["7", "\"7\"", "\"07\""],
        &["8"],
        &["0", "-7", "1000", "\"x\"", "7.0"],
    );
}

#[test]
fn a_domain_over_a_type_that_only_postgresql_can_read() {
    check_made(
        "CREATE DOMAIN birthday AS date CHECK (value > '1900-01-01')",
        "birthday",
        &["\"2000-01-31\"", "\"20000131\"", "\"31 Jan 2000\""],
        &["\"2000-02-01\""],
        &["\"1899-01-01\"", "\"2000-02-30\""],
    );
}

#[test]
fn a_range() {
    check_type(
        "int4range",
        &["\"[1,5)\"", "\"[1,4]\"", "\"(0,5)\"", "\" [ 1 , 5 ) \""],
        &["\"[1,5]\"", "\"empty\""],
        &["\"[5,1)\"", "\"x\""],
    );
    check_type("numrange", &["\"[1.0,2.50)\"", "\"[1,2.5)\""], &["\"[1,2.5]\""], &[]);
}

#[test]
fn an_array() {
    check_type(
        "int4[]",
        &["[1,2]", "[ 1, \"2\" ]", "[\"01\",2]"],
        &["[2,1]", "[]", "[[1,2]]"],
        &["[\"x\"]", "\"x\"", "5"],
    );
    check_type("numeric[]", &["[1.0,2]", "[1,2.00]"], &["[1,2.01]"], &[]);
    check_type(
        "text[]",
        &[r#"["a,\"b\\","NULL",null,""]"#, r#"[ "\u0061,\u0022b\\" , "NULL", null,"" ]"#],
        &[r#"["a"]"#],
        &[],
    );
}

/// Bounds count, and the JSON of an array does not tell them.
#[test]
fn an_array_by_its_literal() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute("CREATE TABLE t (id int[] PRIMARY KEY, v text)");
        database.execute("INSERT INTO t VALUES ('{1,2}', 'plain'), ('[5:6]={1,2}', 'bounds')");
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        for _ in 0..2 {
            assert_eq!(client.read("t", r#"{"id":"[5:6]={1,2}"}"#).json()["v"], "bounds");
            assert_eq!(client.read("t", r#"{"id":[1,2]}"#).json()["v"], "plain");
            assert_eq!(client.read("t", r#"{"id":"{1,2}"}"#).json()["v"], "plain");
        }
        database.execute("UPDATE t SET v = 'new ' || v");
        assert_eq!(client.invalidate("t", r#"{"id":"{1,2}"}"#), Reply::Simple("OK".into()));
        assert_eq!(client.read("t", r#"{"id":[1,2]}"#).json()["v"], "new plain");
        assert_eq!(client.read("t", r#"{"id":"[5:6]={1,2}"}"#).json()["v"], "new bounds");
    });
}

/// Citext reads an array as the text that it is: with a space more it is another text.
#[test]
fn a_type_that_reads_json_as_text_tells_spaces_apart() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute("CREATE EXTENSION citext");
        database.execute("CREATE TABLE t (id citext PRIMARY KEY, v text)");
        database.execute("INSERT INTO t VALUES ('[1,2]', 'narrow'), ('[1, 2]', 'wide')");
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        for _ in 0..2 {
            assert_eq!(client.read("t", r#"{"id":[1, 2]}"#).json()["v"], "wide");
            assert_eq!(client.read("t", r#"{"id":[1,2]}"#).json()["v"], "narrow");
        }
    });
}

/// Text is spelled with more bytes than it was asked for with: every quote takes a backslash.
#[test]
fn a_key_may_be_longer_in_its_one_spelling() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute("CREATE TABLE t (id text PRIMARY KEY, v text)");
        let value = format!("[{}]", vec![r#""""#; 20_000].join(","));
        database.execute(&format!("INSERT INTO t VALUES ('{value}', 'long')"));
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        let key = format!(r#"{{"id":{value}}}"#);
        for _ in 0..2 {
            assert_eq!(client.read("t", &key).json()["v"], "long");
        }
        assert_eq!(client.invalidate("t", &key), Reply::Simple("OK".into()));
        assert_eq!(client.read("t", &key).json()["v"], "long");
    });
}

#[test]
fn jsonb() {
    check_type(
        "jsonb",
        &[
            r#"{"b":[1,null,"x"],"a":1.0}"#,
            r#"{"a":1,"b":[1.00,null,"\u0078"]}"#,
            r#"{ "a":1.0 , "a":1, "b":[1, null ,"x"] }"#,
        ],
        &["{}", "[]", r#"{"a":1,"b":[1,null]}"#, "\"x\"", "5"],
        &["\"\\u0000\""],
    );
}

#[test]
fn a_composite_type() {
    check_made(
        "CREATE TYPE place AS (x int, name text)",
        "place",
        &[r#"{"x":1,"name":"a b"}"#, r#"{"name":"a b","x":1}"#, r#""(1,\"a b\")""#],
        &[r#"{"x":2,"name":"a b"}"#],
        &[r#"{"x":"q"}"#],
    );
}

#[test]
fn composite_keys_in_any_order() {
    Row {
        table: "CREATE TABLE t (a int, \"B c\" numeric, d timestamptz, v text, PRIMARY KEY (d, a, \"B c\"))",
        same: vec![
            r#"{"a":1,"B c":2.50,"d":"2024-01-01T00:00:00+00:00"}"#.into(),
            r#"{"d":"2024-01-01T00:00:00Z","B c":2.5,"a":1}"#.into(),
            r#"{ "\u0042 c" : "25e-1", "d":"2024-01-01 01:00+01", "a":"01" }"#.into(),
        ],
        absent: vec![r#"{"a":2,"B c":2.50,"d":"2024-01-01T00:00:00Z"}"#.into()],
        bad: vec![
            r#"{"a":"x","B c":2.50,"d":"2024-01-01T00:00:00Z"}"#.into(),
            r#"{"a":1,"B c":2.50,"d":"never"}"#.into(),
        ],
    }
    .check();
}

#[test]
fn what_is_written_is_read_under_a_spelling_that_was_never_met() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute("CREATE TABLE t (id date PRIMARY KEY, v text); INSERT INTO t VALUES ('2024-01-02', 'x')");
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.call(&["PGCACHE.WRITE", "t", r#"{"id":"2024-01-02"}"#, r#"{"written":1}"#]);
        assert_eq!(client.read("t", r#"{"id":"20240102"}"#).text(), r#"{"written":1}"#);
        assert_eq!(client.read("t", r#"{"id":"2024-01-02"}"#).text(), r#"{"written":1}"#);
    });
}

#[test]
fn a_value_that_no_row_can_have_fails_its_own_key_only() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE t (id date PRIMARY KEY, v text);
             INSERT INTO t SELECT date '2024-01-01' + n, n FROM generate_series(0, 49) n",
        );
        // One worker: what it does not take at once waits and goes in one statement.
        let server = Server::setup(&kind).on(&database).setting("pool_size", "1").start();
        let mut client = server.client();
        assert_eq!(client.read("t", r#"{"id":"2024-01-01"}"#).json()["v"], "0");
        let lock = Lock::on(&database, "t");
        let mut readers: Vec<Client> = (1..50).map(|_| server.client()).collect();
        for (reader, n) in readers.iter_mut().zip(1..) {
            reader.send(&["PGCACHE.READ", "t", &format!("{{\"id\":\"{}\"}}", day(n))]);
        }
        support::eventually("all wait", || (client.figure("waiting_clients") == 49).then_some(()));
        lock.release();
        for (reader, n) in readers.iter_mut().zip(1..) {
            match reader.receive() {
                error @ Reply::Error(_) => assert_eq!((error.code(), n % 7), ("PGBADVALUE", 0), "{n}"),
                row => assert_eq!((row.json()["v"].as_str().unwrap(), n % 7 > 0), (&*n.to_string(), true)),
            }
        }
    });
}

/// The `n`th day of 2024 as no entry has it, or, every seventh time, a day that there is not.
fn day(n: usize) -> String {
    match (n % 7, n) {
        (0, _) => format!("2024-02-{}", 40 + n),
        (_, 0..=30) => format!("202401{:02}", n + 1),
        _ => format!("202402{:02}", n - 30),
    }
}
