//! Hostile bytes in every argument of every command: a typed error or a right answer, and the server in step.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server};

/// In every row: must never come back, since no key below is that of a row.
const ROW_SECRET: &str = "SECRET-ROW";
/// In values that clients send: must never come back in an error.
const VALUE_SECRET: &str = "SECRET-VALUE";

const TEN_MEGABYTES: usize = 10 << 20;

fn database() -> Database<'static> {
    let database = Postgres::shared().database();
    database.execute(&format!(
        "CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE, name text);
         INSERT INTO users SELECT n, '{ROW_SECRET}' || n, '{ROW_SECRET}' FROM generate_series(1, 10) n"
    ));
    database
}

/// Runs `test`; then the server must still serve, and the table must be as it was.
fn with_server(test: impl Fn(&Kind, &Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        let database = database();
        let mut server = Server::start(&kind, &database);
        let mut client = server.client();
        test(&kind, &database, &mut client);
        server.assert_alive();
        assert_eq!(database.number(&format!("SELECT count(*) FROM users WHERE name = '{ROW_SECRET}'")), 10);
        assert_eq!(client.read("users", r#"{"id":7}"#).json()["name"], ROW_SECRET);
        assert!(!server.log().contains(ROW_SECRET) && !server.log().contains(VALUE_SECRET));
    });
}

const CODES: [&str; 7] = ["ERR", "NOPERM", "PGNOTABLE", "PGNOCOLUMN", "PGNOTUNIQUE", "PGBADVALUE", "PGERR"];

/// Sends a command whose right answer can be no row: a typed error, or what the command says when there is none.
fn check(client: &mut Client, command: &[&[u8]]) {
    let reply = client.call(command);
    let shown = || {
        let start = |argument: &&[u8]| String::from_utf8_lossy(&argument[..argument.len().min(60)]).into_owned();
        format!("{:?} -> {:.300}", command.iter().map(start).collect::<Vec<_>>(), format!("{reply:?}"))
    };
    assert!(!format!("{reply:?}").contains(ROW_SECRET), "a row of another key: {}", shown());
    match &reply {
        Reply::Error(text) => {
            assert!(CODES.contains(&reply.code()), "{}", shown());
            assert!(!text.contains("internal error") && !text.starts_with("PGERR XX"), "{}", shown());
            assert!(text.len() <= 1100 && !text.contains(char::is_control), "{}", shown());
            assert!(!text.to_uppercase().contains(VALUE_SECRET), "the value is in the error: {}", shown());
            assert!(text.split(' ').count() > 2, "says nothing: {}", shown());
        }
        answer => {
            assert!(is_right(command[0], answer), "{}", shown());
            if command[0] == b"PGCACHE.WRITE" {
                client.call(&[b"PGCACHE.INVALIDATE", command[1], command[2]]);
            }
        }
    }
    assert_eq!(client.call(&["PING"]), Reply::Simple("PONG".into()), "out of step: {}", shown());
}

fn is_right(command: &[u8], answer: &Reply) -> bool {
    match (command, answer) {
        (b"PGCACHE.READ", answer) => *answer == Reply::Nil,
        (b"PGCACHE.MULTIREAD", Reply::Bulk(_)) => {
            answer.json().as_array().is_some_and(|rows| rows.iter().all(serde_json::Value::is_null))
        }
        (b"PGCACHE.WRITE" | b"PGCACHE.INVALIDATE", answer) => *answer == Reply::Simple("OK".into()),
        (b"PGCACHE.KEY", Reply::Bulk(key)) => key.starts_with(b"pg_cache:"),
        (b"PGCACHE.INSPECT", Reply::Array(fields)) => fields.len() == 26,
        _ => false,
    }
}

/// A key that no row has.
const ABSENT: &[u8] = br#"{"id":4242}"#;

const COMMANDS: [&[&[u8]]; 6] = [
    &[b"PGCACHE.READ", b"users", ABSENT, b"60"],
    &[b"PGCACHE.MULTIREAD", b"users", br#"[{"id":4242},{"id":4243}]"#, b"60"],
    &[b"PGCACHE.WRITE", b"users", ABSENT, b"{}", b"60"],
    &[b"PGCACHE.INVALIDATE", b"users", ABSENT],
    &[b"PGCACHE.KEY", b"users", ABSENT],
    &[b"PGCACHE.INSPECT", b"users", ABSENT],
];

/// Puts `bytes` in the place of each argument of each command.
fn everywhere(client: &mut Client, bytes: &[u8]) {
    for command in COMMANDS {
        for position in 1..command.len() {
            let mut command = command.to_vec();
            command[position] = bytes;
            check(client, &command);
        }
    }
}

/// Puts `key` in the place of each command's lookup key.
fn as_key(client: &mut Client, table: &str, key: &[u8]) {
    let keys = [b"[", key, b"]"].concat();
    let mixed = [b"[{\"id\":4242},", key, b",", key, b"]"].concat();
    for command in COMMANDS {
        let mut command = command.to_vec();
        command[1] = table.as_bytes();
        command[2] = key;
        if command[0] == b"PGCACHE.MULTIREAD" {
            command[2] = &keys;
            check(client, &command);
            command[2] = &mixed;
        }
        check(client, &command);
    }
}

#[test]
fn bytes_that_are_no_argument_at_all() {
    with_server(|_, _, client| {
        let bytes: [&[u8]; 34] = [
            b"",
            b" ",
            b"\0",
            b"users\0",
            b"\0users",
            b"{\"id\":4242}\0",
            b"{\"id\":\x004242}",
            b"%n%s%n%s%999999999d",
            "\u{100}".as_bytes(),
            "\u{10a}".as_bytes(),
            "\u{feff}users".as_bytes(),
            "\u{202e}\u{1f4a9}".as_bytes(),
            b"\r\n",
            b"users\r\n+OK\r\n",
            b"$-1\r\n",
            b"*1\r\n$8\r\nFLUSHALL\r\n",
            b"\xff",
            b"\xc0\x80",
            b"\xed\xa0\x80",
            b"{\"id\":\"\xff\xfe\"}",
            b"users\xf0\x9f",
            b"null",
            b"true",
            b"[]]",
            b"[[]]",
            b"[null]",
            b"[1,2]",
            b"{}",
            b"\"x\"",
            b"{\"id\":4242}}",
            b"{\"id\":4242} SECRET-VALUE",
            b"{\"id\":\"SECRET-VALUE",
            b"NaN",
            b"-",
        ];
        bytes.iter().for_each(|bytes| everywhere(client, bytes));
    });
}

#[test]
fn very_long_and_very_deep_arguments() {
    with_server(|_, _, client| {
        let long = "x".repeat(TEN_MEGABYTES);
        let texts = [
            "{".repeat(100_000),
            "}".repeat(100_000),
            "[".repeat(200_000),
            format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)),
            format!("{}1{}", r#"{"a":"#.repeat(200_000), "}".repeat(200_000)),
            format!(r#"{{"id":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000)),
            format!(r#"{{"id":{}1{}}}"#, r#"{"a":"#.repeat(5_000), "}".repeat(5_000)),
            format!(r#"{{"id":{}}}"#, "9".repeat(60_000)),
            format!(r#"{{"id":-0.{}1e99999999999}}"#, "0".repeat(60_000)),
            format!(r#"{{"{}":1}}"#, "c".repeat(60_000)),
            format!(r#"{{"email":"{}"}}"#, "x".repeat(60_000)),
            format!(r#"{{"email":"{}"}}"#, "\\u0100".repeat(10_000)),
            format!("{{{}\"z\":1}}", (0..5000).map(|n| format!("\"c{n}\":1,")).collect::<String>()),
            format!("[{}{{\"id\":4242}}]", r#"{"id":4242},"#.repeat(20_000)),
            format!(r#"{{"id":"{long}"}}"#),
            format!("{}{{\"id\":4242}}", " ".repeat(TEN_MEGABYTES)),
            "9".repeat(100_000),
            long,
        ];
        texts.iter().for_each(|text| everywhere(client, text.as_bytes()));
    });
}

#[test]
fn lookup_keys_that_name_no_row() {
    with_server(|_, _, client| {
        let keys = [
            r#"{"id":null}"#,
            r#"{"id":4242,"name":null}"#,
            r#"{"id":4242,"id":1}"#,
            r#"{"id":4242,"\u0069d":1}"#,
            r#"{"id":4242,}"#,
            r#"{,"id":4242}"#,
            r#"{'id':4242}"#,
            r#"{id:4242}"#,
            r#"{"id":4242}{"id":1}"#,
            r#"{"id":4242} -- "#,
            r#"{"id":[1]}"#,
            r#"{"id":{"id":1}}"#,
            r#"{"id":true}"#,
            r#"{"id":""}"#,
            r#"{"id":1e400}"#,
            r#"{"id":0.5}"#,
            r#"{"id":01}"#,
            r#"{"id":0x1}"#,
            r#"{"id":"1 OR 1=1"}"#,
            r#"{"id":"1) OR (1=1"}"#,
            r#"{"id":"1; DROP TABLE users"}"#,
            r#"{"id":99999999999999999999}"#,
            r#"{"id":-9223372036854775809}"#,
            r#"{"id":"SECRET-VALUE"}"#,
            r#"{"id":["SECRET-VALUE"]}"#,
            r#"{"id":SECRET-VALUE}"#,
            r#"{"email":"' OR '1'='1"}"#,
            r#"{"email":"'; DROP TABLE users; --"}"#,
            r#"{"email":"$1"}"#,
            r#"{"email":"\\"}"#,
            r#"{"email":"\u0000"}"#,
            r#"{"email":"SECRET-VALUE\u0000"}"#,
            r#"{"email":"\ud800"}"#,
            r#"{"email":"SECRET-VALUE\udc00"}"#,
            r#"{"email":"%"}"#,
            r#"{"email":{"a":"SECRET-VALUE"}}"#,
            r#"{"email":"x\r\n+OK\r\n"}"#,
            "{\"email\":\"raw\ncontrol\"}",
            r#"{"name":"SECRET-ROW_"}"#,
            r#"{"":4242}"#,
            r#"{"id ":4242}"#,
            r#"{"ID":4242}"#,
            r#"{"id\u0000":4242}"#,
            r#"{"id OR 1=1 --":4242}"#,
            r#"{"id\" = 1 OR \"id":4242}"#,
            r#"{"users":4242}"#,
            r#"{"t":4242}"#,
            r#"{"k.c1":1}"#,
            r#"{"ctid":"(0,1)"}"#,
            r#"{"tableoid":1}"#,
            r#"{"xmin":1}"#,
            r#"{"%n%s":1}"#,
            "{\"\u{100}\u{10a}\":1}",
        ];
        keys.iter().for_each(|key| as_key(client, "users", key.as_bytes()));
    });
}

#[test]
fn sql_in_the_tables_name() {
    with_server(|_, database, client| {
        database.execute(&format!("CREATE TABLE secrets AS SELECT 4242::bigint AS id, '{ROW_SECRET}' AS name"));
        let names = [
            "users; DROP TABLE users",
            "users\"; DROP TABLE users; --",
            "users WHERE true --",
            "users, secrets",
            "users/**/secrets",
            "users AS secrets",
            "users UNION SELECT * FROM secrets",
            "(SELECT * FROM secrets)",
            "secrets)",
            "\"secrets\" --",
            "'secrets'",
            "$$secrets$$",
            "E'\\x73'",
            "U&\"secr\\0065ts\"",
            "generate_series(1, 2)",
            "users.id",
            "a.b.c.d",
            ".",
            "..",
            "users.",
            ".users",
            "\"",
            "\"\"",
            "\"users",
            "users\"",
            "\"\"\"\"",
            ":",
            "::",
            ":users",
            "default:",
            "default::users",
            "nope:users",
            "pg_catalog.pg_class",
            "pg_class",
            "pg_shadow",
            "\"pg_catalog\".\"pg_authid\"",
            "information_schema.tables",
            "pg_toast.pg_toast_1255",
            "users_pkey",
            "16384",
            "-",
            "public",
            "current_user",
            " users ",
            "users\t",
        ];
        for name in names {
            for command in COMMANDS {
                let mut command = command.to_vec();
                command[1] = name.as_bytes();
                check(client, &command);
            }
        }
        assert_eq!(database.number("SELECT count(*) FROM secrets"), 1);
    });
}

#[test]
fn a_ttl_is_whole_seconds_and_nothing_else() {
    with_server(|_, _, client| {
        let ttls: [&[u8]; 17] = [
            b"",
            b"0",
            b"-1",
            b"+1",
            b" 1",
            b"1 ",
            b"1.5",
            b"1e3",
            b"0x10",
            b"ten",
            b"2147483648",
            b"4294967297",
            b"18446744073709551617",
            b"99999999999999999999999",
            b"1\0",
            b"\xd9\xa1",
            b"SECRET-VALUE",
        ];
        for ttl in ttls {
            for (name, key) in [("READ", &b"{\"id\":1}"[..]), ("MULTIREAD", b"[{\"id\":1}]")] {
                let name = format!("PGCACHE.{name}");
                let command = [name.as_bytes(), b"users", key, ttl];
                check(client, &command);
                assert_eq!(client.call(&command).code(), "ERR");
            }
            let command: [&[u8]; 5] = [b"PGCACHE.WRITE", b"users", ABSENT, b"{}", ttl];
            check(client, &command);
            assert_eq!(client.call(&command).code(), "ERR");
        }
        assert_eq!(client.figure("keys_loaded"), 0);
        client.call(&["PGCACHE.READ", "users", r#"{"id":1}"#, "2147483647"]);
        let key = client.key("users", r#"{"id":1}"#);
        assert!(matches!(client.call(&["TTL", &key]), Reply::Integer(2_147_400_000..=2_147_483_647)));
    });
}

#[test]
fn far_too_many_arguments() {
    with_server(|_, _, client| {
        for command in COMMANDS {
            let many: Vec<&[u8]> = command.iter().copied().chain([&b"x"[..]; 10_000]).collect();
            check(client, &many);
        }
    });
}

#[test]
fn texts_of_any_bytes_are_keys_like_others() {
    with_server(|_, database, client| {
        database.execute("CREATE TABLE texts (t text PRIMARY KEY, n int UNIQUE)");
        let texts = [
            String::new(),
            " ".into(),
            "%n%s".into(),
            "a\"b\\c{d}e[f],:'".into(),
            "\r\n+OK\r\n".into(),
            (1..32u8).map(char::from).collect(),
            "\u{7f}\u{80}\u{a0}\u{100}\u{10a}\u{2028}\u{feff}\u{fffd}\u{10ffff}".into(),
            "é".into(),
            "e\u{301}".into(),
            "null".into(),
            "{\"t\":1}".into(),
            "'; DROP TABLE texts; --".into(),
            "x".repeat(2_000),
            "{".repeat(2_000),
        ];
        let mut connection = database.connect();
        for (n, text) in (0i32..).zip(&texts) {
            connection.execute("INSERT INTO texts VALUES ($1, $2)", &[text, &n]).unwrap();
        }
        for (n, text) in (0..).zip(&texts) {
            let key = serde_json::json!({ "t": text }).to_string();
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            for key in [key, format!(r#"{{"t":"{escaped}"}}"#)] {
                let row = client.read("texts", &key).json();
                assert_eq!((&row["n"], &row["t"]), (&n.into(), &text.as_str().into()), "{key}");
            }
        }
        assert_eq!(client.figure("keys_loaded"), texts.len() as u64);
    });
}

#[test]
fn no_error_quotes_a_value_whatever_the_columns_type() {
    with_server(|_, database, client| {
        database.execute(
            "CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (a int, b date);
             CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
             CREATE DOMAIN short AS text CHECK (length(VALUE) < 3)",
        );
        let types = [
            "int",
            "smallint",
            "numeric",
            "real",
            "float8",
            "bool",
            "uuid",
            "mood",
            "pair",
            "percent",
            "short",
            "date",
            "time",
            "timetz",
            "timestamp",
            "timestamptz",
            "interval",
            "bytea",
            "inet",
            "cidr",
            "macaddr",
            "macaddr8",
            "money",
            "bit(4)",
            "varbit",
            "oid",
            "int4range",
            "daterange",
            "int4multirange",
            "int[]",
            "date[]",
            "jsonb",
            "tsvector",
            "tsquery",
            "regclass",
            "regtype",
            "regrole",
            "regnamespace",
            "regproc",
            "regconfig",
            "pg_lsn",
            "tid",
            "xid8",
            "\"char\"",
            "char(3)",
            "varchar(3)",
            "name",
            "oidvector",
        ];
        for (n, sql_type) in types.into_iter().enumerate() {
            let table = format!("typed_{n}");
            database.execute(&format!("CREATE TABLE {table} (id {sql_type} PRIMARY KEY, note text)"));
            for value in [
                r#""SECRET-VALUE""#,
                r#""SECRET-VALUE & ( ' : \" \\""#,
                r#""'SECRET-VALUE""#,
                r#""[SECRET-VALUE,""#,
                r#""{SECRET-VALUE,""#,
                r#""(SECRET-VALUE,""#,
                r#"["SECRET-VALUE"]"#,
                r#"[["SECRET-VALUE"],[]]"#,
                r#"{"a":"SECRET-VALUE"}"#,
            ] {
                as_key(client, &table, format!(r#"{{"id":{value}}}"#).as_bytes());
            }
            assert_eq!(client.read("users", r#"{"id":4242}"#), Reply::Nil);
        }
    });
}

#[test]
fn a_bad_value_fails_its_own_reader_and_nobody_elses() {
    on_every_server(|kind| {
        let database = database();
        database.execute(
            "CREATE TABLE days (id date PRIMARY KEY); INSERT INTO days VALUES ('2024-01-01'), ('2024-01-02');
             CREATE TABLE queries (id tsquery PRIMARY KEY); INSERT INTO queries VALUES ('a & b'), ('c')",
        );
        let server = Server::setup(&kind).on(&database).setting("pool_size", "1").start();
        let mut client = server.client();
        for (table, good, bad) in
            [("days", ["2024-01-01", "2024-01-02"], "2024-02-31"), ("queries", ["a & b", "c"], "'")]
        {
            let key = |value: &str| serde_json::json!({ "id": value }).to_string();
            // Both tables are known, so that nothing but loads waits for a worker.
            client.call(&["PGCACHE.INSPECT", "users", r#"{"id":4242}"#]);
            client.call(&["PGCACHE.INSPECT", table, &key(good[0])]);
            let statements = client.figure("statements");
            // The only worker is held: all of them wait, and go in one batch.
            let mut lock = Lock::on(&database, "users");
            let mut readers = [server.client(), server.client(), server.client(), server.client()];
            readers[0].send(&["PGCACHE.READ", "users", r#"{"id":4242}"#]);
            lock.await_arrivals(1);
            for (reader, value) in readers[1..].iter_mut().zip([good[0], bad, good[1]]) {
                reader.send(&["PGCACHE.READ", table, &key(value)]);
            }
            eventually("all wait", || (client.figure("waiting_clients") == 4).then_some(()));
            lock.release();
            let [first, one, two, three] = readers.map(|mut reader| reader.receive());
            assert_eq!(first, Reply::Nil);
            for reply in [one, three] {
                assert!(matches!(reply, Reply::Bulk(_)), "{table} {reply:?}");
            }
            assert_eq!(two.code(), "PGBADVALUE", "{table} {two:?}");
            assert_eq!(client.figure("statements") - statements, 2, "{table}");
            client.call(&["FLUSHALL"]);
        }
    });
}

/// Always the same numbers for one seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(40)).map(|_| self.below(256) as u8).collect()
    }

    /// A few bytes of `original` replaced, removed or added.
    fn spoilt(&mut self, original: &[u8]) -> Vec<u8> {
        let mut bytes = original.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len().max(1));
            let byte = [b"\0\"\\{}[],:.;'\xff\n ", &b"abcxyz_-+ueEt%"[..]].concat()[self.below(28)];
            match self.below(3) {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 if bytes.len() > 8 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    }
}

#[test]
fn random_bytes_for_tables_and_keys() {
    with_server(|_, _, client| {
        for seed in 1..=2000u64 {
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut command = COMMANDS[random.below(COMMANDS.len())].to_vec();
            let position = 1 + random.below(2);
            let bytes = if random.below(4) == 0 { random.bytes() } else { random.spoilt(command[position]) };
            // One digit left of four is the key of a row.
            let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
            if position == 2 && (1..4).contains(&digits) {
                continue;
            }
            command[position] = &bytes;
            check(client, &command);
        }
    });
}
