//! A row's JSON, made of its columns or by PostgreSQL: byte for byte what `row_to_json` writes.
#![allow(clippy::unwrap_used)]

mod support;

use support::{on_every_server, Client, Database, Postgres, Server};

/// Keys of one MULTIREAD.
const BATCH: usize = 500;

fn with_table(sql: &str, test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(sql);
        let server = Server::setup(&kind).on(&database).start();
        test(&database, &mut server.client());
    });
}

/// Reads every row of `t` and compares it with PostgreSQL's own JSON. Returns how many there were.
fn compare(database: &Database<'_>, client: &mut Client) -> usize {
    let sql = "SELECT n, row_to_json(t)::text FROM t ORDER BY n";
    let mut postgres = database.connect();
    // As every session of the module's has it.
    postgres.batch_execute("SET TimeZone = 'UTC'").unwrap();
    let expected: Vec<(i32, String)> =
        postgres.query(sql, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    for rows in expected.chunks(BATCH) {
        let keys: Vec<String> = rows.iter().map(|(n, _)| format!(r#"{{"n":{n}}}"#)).collect();
        let rows: Vec<&str> = rows.iter().map(|(_, json)| json.as_str()).collect();
        let found = client.multiread("t", &format!("[{}]", keys.join(",")));
        assert_eq!(found.text(), format!("[{}]", rows.join(",")));
    }
    expected.len()
}

/// A table with a row for each of `values`, which are SQL of the type `kind`.
fn table_of(kind: &str, values: &[&str]) -> String {
    let rows: Vec<String> = values.iter().enumerate().map(|(n, value)| format!("({n}, ({value})::{kind})")).collect();
    format!("CREATE TABLE t (n int PRIMARY KEY, v {kind}); INSERT INTO t VALUES {}", rows.join(", "))
}

fn assert_alike(kind: &str, values: &[&str]) {
    with_table(&table_of(kind, values), |database, client| {
        assert_eq!(compare(database, client), values.len(), "{kind}");
    });
}

/// Whether the rows of `t` come as columns, as INSPECT tells it.
fn loads_columns(client: &mut Client) -> bool {
    let sql = client.call(&["PGCACHE.INSPECT", "t", r#"{"n":1}"#]).field("sql").text();
    match (sql.contains("r.*"), sql.contains("row_to_json(r.*)")) {
        (true, is_json) => !is_json,
        (false, _) => panic!("{sql}"),
    }
}

#[test]
fn whole_numbers_and_booleans() {
    assert_alike("int2", &["0", "-32768", "32767", "NULL"]);
    assert_alike("int4", &["0", "-2147483648", "2147483647", "-1"]);
    assert_alike("int8", &["0", "'-9223372036854775808'", "9223372036854775807", "NULL"]);
    assert_alike("bool", &["true", "false", "NULL"]);
}

#[test]
fn numerics_of_every_size() {
    assert_alike(
        "numeric",
        &[
            "0",
            "'-0'",
            "0.00",
            "1",
            "-1",
            "10000",
            "100000000",
            "99999999",
            "0.0001",
            "0.00001",
            "1.10",
            "12345.678900",
            "-0.05",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "1e130",
            "-1e-130",
            "1e1000",
            "1e-1000",
            "123456789012345678901234567890.12345678901234567890",
            "9999.9999",
            "10000.0000",
            "1000000000000.000000000001",
            "NULL",
        ],
    );
    assert_alike("numeric(10,2)", &["0", "1", "99999999.99", "-0.01", "1.005"]);
    assert_alike("numeric(5,0)", &["0", "99999", "-1.5"]);
}

#[test]
fn texts_with_every_character() {
    let every_byte: Vec<String> = (1..=127).map(|code| format!("chr({code}) || 'x'")).collect();
    let mut values: Vec<&str> = every_byte.iter().map(String::as_str).collect();
    values.extend(["''", "'é😀\u{2028}\u{feff}'", r#"'"\/'"#, "repeat('x\"', 100000)", "NULL"]);
    for kind in ["text", "varchar", "varchar(200000)"] {
        assert_alike(kind, &values);
    }
    assert_alike("char(5)", &["''", "'ab'", "'é'", "'abcde'", "NULL"]);
    assert_alike("name", &["''", "'ab\"'", "NULL"]);
}

#[test]
fn json_stands_as_it_was_written() {
    let values = [r#"'{"b" : 1, "a":[1.50,  null]}'"#, "'null'", r#"'"\u00e9"'"#, "' 1 '", "'[\n1]'", "NULL"];
    assert_alike("json", &values);
    assert_alike("jsonb", &values);
}

#[test]
fn uuids_and_bytes() {
    assert_alike("uuid", &["'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000000000000000000000000000'"]);
    assert_alike("bytea", &["''", r"'\x00ff10'", "decode(repeat('ab', 10000), 'hex')", "NULL"]);
}

#[test]
fn dates_and_times_of_all_ages() {
    assert_alike(
        "date",
        &[
            "'2000-01-01'",
            "'1999-12-31'",
            "'2024-02-29'",
            "'0001-01-01'",
            "'0001-12-31 BC'",
            "'4713-11-24 BC'",
            "'0101-02-28 BC'",
            "'9999-12-31'",
            "'10000-01-01'",
            "'5874897-12-31'",
            "'infinity'",
            "'-infinity'",
            "NULL",
        ],
    );
    assert_alike("time", &["'00:00'", "'24:00'", "'23:59:59.999999'", "'04:05:06.7'", "NULL"]);
    assert_alike("time(0)", &["'04:05:06.7'"]);
    let moments = [
        "'2000-01-01 00:00:00'",
        "'1999-12-31 23:59:59.999999'",
        "'2024-02-29 12:00:00.1'",
        "'0001-01-01 00:00'",
        "'0001-12-31 23:00 BC'",
        "'4713-11-24 00:00 BC'",
        "'294276-12-31 23:59:59.999999'",
        "'infinity'",
        "'-infinity'",
        "'1582-10-10 01:02:03.000100'",
        "NULL",
    ];
    assert_alike("timestamp", &moments);
    assert_alike("timestamptz", &moments);
    assert_alike("timestamptz(3)", &["'2024-07-01 12:00:00.1239+05:30'"]);
}

#[test]
fn values_at_random() {
    let sql = "CREATE TABLE t (n int PRIMARY KEY, i int8, d date, s timestamp, z timestamptz, c time, m numeric, x text, b bytea, u uuid);
        INSERT INTO t SELECT n, (random() * 1e18)::int8 - 5e17::int8, '4000-01-01 BC'::date + (random() * 4000000)::int,
            '4000-01-01 BC'::timestamp + random() * interval '9000 years', '1900-01-01'::timestamptz + random() * interval '300 years',
            '0:00'::time + random() * interval '1 day',
            round(((random() - 0.5) * 10 ^ (random() * 60 - 30)::int)::numeric, (random() * 40)::int),
            (SELECT string_agg(chr(1 + (random() * 300)::int), '') FROM generate_series(n, n + 20) AS c),
            decode(md5(n::text), 'hex'), gen_random_uuid()
        FROM generate_series(1, 5000) AS n";
    with_table(sql, |database, client| {
        assert_eq!(compare(database, client), 5000);
        assert!(loads_columns(client));
    });
}

#[test]
fn names_and_domains() {
    let sql = r#"CREATE DOMAIN positive AS int CHECK (value > 0); CREATE DOMAIN more AS positive;
        CREATE TABLE t (n int PRIMARY KEY, "a ""b"" \ c" positive, "é" more, dropped text)"#;
    with_table(sql, |database, client| {
        database.execute("ALTER TABLE t DROP COLUMN dropped; INSERT INTO t VALUES (1, 2, 3), (2, NULL, NULL)");
        assert_eq!(compare(database, client), 2);
        assert!(loads_columns(client));
    });
}

#[test]
fn other_types_are_left_to_postgresql() {
    let sql = "CREATE TYPE mood AS ENUM ('sad', 'so \"so\"');
        CREATE TABLE t (n int PRIMARY KEY, f float8, g float4, a int[], e mood, i interval, o oid, c inet);
        INSERT INTO t SELECT n, random() * 10 ^ (n - 300), random() * 10 ^ (n / 10 - 30), ARRAY[n, NULL], 'so \"so\"',
            n * interval '1 hour', n, '10.0.0.1/8' FROM generate_series(1, 600) AS n;
        INSERT INTO t VALUES (0, 'NaN', '-Infinity')";
    with_table(sql, |database, client| {
        assert_eq!(compare(database, client), 601);
        assert!(!loads_columns(client));
    });
}

#[test]
fn a_table_whose_types_change_between_two_rows() {
    let sql = "CREATE TABLE t (n int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 20) AS n";
    with_table(sql, |database, client| {
        let row = |n| database.text(&format!("SELECT row_to_json(t)::text FROM t WHERE n = {n}")).unwrap();
        for (n, change) in [
            (1, "SELECT"),
            (2, "ALTER TABLE t ALTER v TYPE float8 USING v / 3.0"),
            (3, "ALTER TABLE t ALTER v TYPE text"),
            (4, "ALTER TABLE t ADD COLUMN w int[] DEFAULT '{1}'"),
            (5, "ALTER TABLE t RENAME v TO x"),
            (6, "ALTER TABLE t DROP COLUMN w"),
            (7, "ALTER TABLE t ADD COLUMN w timestamptz DEFAULT '2024-01-01 00:00Z'"),
            (8, "BEGIN; ALTER TABLE t RENAME x TO y; ALTER TABLE t RENAME w TO x; COMMIT"),
            (9, "ALTER TABLE t ALTER y TYPE int USING 7"),
            (10, "DROP TABLE t; CREATE TABLE t (other bool, n int PRIMARY KEY); INSERT INTO t VALUES (true, 10)"),
        ] {
            database.execute(change);
            assert_eq!(client.read("t", &format!(r#"{{"n":{n}}}"#)).text(), row(n), "{change}");
        }
    });
}
