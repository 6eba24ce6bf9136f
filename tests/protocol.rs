//! The bytes on the wire in RESP2 and RESP3, and what the server says about the commands.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, Client, Database, Lock, Postgres, Reply, Server};

fn with_server(test: impl Fn(&Database<'_>, &Server)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        test(&database, &server);
    });
}

const ROW: &str = r#"{"id":1,"email":"user1@example.com","name":"User 1"}"#;
const USER_1: &str = r#"{"id":1}"#;
const USER_99: &str = r#"{"id":99}"#;

/// Sends a command and expects exactly these lines.
fn expect(client: &mut Client, command: &[&str], lines: &[&str]) {
    client.send(command);
    for line in lines {
        assert_eq!(client.line().unwrap(), *line, "{command:?}");
    }
    client.send(&["PING"]);
    assert_eq!(client.line().unwrap(), "+PONG", "{command:?}");
}

#[test]
fn a_row_is_a_bulk_string_whether_missed_or_hit() {
    with_server(|_, server| {
        let length = format!("${}", ROW.len());
        for mut client in [server.client(), server.client3()] {
            client.invalidate("users", USER_1);
            for _ in 0..2 {
                expect(&mut client, &["PGCACHE.READ", "users", USER_1], &[&length, ROW]);
            }
        }
    });
}

#[test]
fn an_absent_row_is_the_protocols_null_whether_missed_or_hit() {
    with_server(|_, server| {
        for (mut client, null) in [(server.client(), "$-1"), (server.client3(), "_")] {
            client.invalidate("users", USER_99);
            for _ in 0..2 {
                expect(&mut client, &["PGCACHE.READ", "users", USER_99], &[null]);
            }
        }
    });
}

#[test]
fn a_multiread_is_one_bulk_string_of_json() {
    with_server(|_, server| {
        let keys = format!("[{USER_1},{USER_99}]");
        let rows = format!("[{ROW},null]");
        let length = format!("${}", rows.len());
        for mut client in [server.client(), server.client3()] {
            client.invalidate("users", USER_1);
            for _ in 0..2 {
                expect(&mut client, &["PGCACHE.MULTIREAD", "users", &keys], &[&length, &rows]);
            }
            expect(&mut client, &["PGCACHE.MULTIREAD", "users", "[]"], &["$2", "[]"]);
        }
    });
}

#[test]
fn write_and_invalidate_say_ok() {
    with_server(|_, server| {
        for mut client in [server.client(), server.client3()] {
            expect(&mut client, &["PGCACHE.WRITE", "users", USER_1, "{}"], &["+OK"]);
            expect(&mut client, &["PGCACHE.INVALIDATE", "users", USER_1], &["+OK"]);
            let key = r#"pg_cache:users:{"id":1}"#;
            expect(&mut client, &["PGCACHE.KEY", "users", USER_1], &["$23", key]);
        }
    });
}

#[test]
fn an_error_is_one_line_that_starts_with_its_code() {
    with_server(|_, server| {
        for mut client in [server.client(), server.client3()] {
            for (command, start) in [
                (&["PGCACHE.READ", "no\u{10a}such\r\n+OK", USER_1][..], "-"),
                (&["PGCACHE.READ", "nothing", USER_1], "-PGNOTABLE "),
                (&["PGCACHE.READ", "users", r#"{"a\r\nb":1}"#], "-PGNOCOLUMN "),
                (&["PGCACHE.READ", "users", r#"{"id":"x"}"#], "-PGBADVALUE "),
                (&["PGCACHE.READ", "users", "x"], "-ERR "),
                (&["PGCACHE.READ", "users"], "-ERR wrong number of arguments for 'pgcache.read' command"),
            ] {
                client.send(command);
                let line = client.line().unwrap();
                assert!(line.starts_with(start), "{line}");
                assert!(!line.contains('\r') && line.len() < 1100, "{line}");
                expect(&mut client, &["ECHO", "in step"], &["$7", "in step"]);
            }
        }
    });
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    with_server(|_, server| {
        let mut client = server.client();
        for id in 1..=10 {
            client.send(&["PGCACHE.READ", "users", &format!(r#"{{"id":{id}}}"#)]);
            client.send(&["ECHO", &id.to_string()]);
            client.send(&["PGCACHE.READ", "users", "bad"]);
        }
        for id in 1..=10 {
            assert_eq!(client.receive().json()["id"], id);
            assert_eq!(client.receive().text(), id.to_string());
            assert_eq!(client.receive().code(), "ERR");
        }
    });
}

#[test]
fn inspect_is_a_map_of_its_twelve_fields() {
    with_server(|_, server| {
        let names = "key cached ttl_ms bytes negative stale in_flight waiters epoch dropped_by send_as source sql"
            .split(' ')
            .collect::<Vec<_>>();
        let mut client = server.client3();
        let Reply::Map(fields) = client.call(&["PGCACHE.INSPECT", "users", USER_1]) else { panic!("no map") };
        let found: Vec<String> = fields.iter().map(|(name, _)| name.text()).collect();
        assert_eq!(found, names);
        let mut client = server.client();
        let Reply::Array(flat) = client.call(&["PGCACHE.INSPECT", "users", USER_1]) else { panic!("no array") };
        let found: Vec<String> = flat.chunks(2).map(|pair| pair[0].text()).collect();
        assert_eq!(found, names);
    });
}

#[test]
fn inspect_tells_what_the_cache_holds_and_loads_nothing() {
    with_server(|_, server| {
        let mut client = server.client3();
        let inspect = |client: &mut Client, key: &str| client.call(&["PGCACHE.INSPECT", "users", key]);
        let nothing = inspect(&mut client, USER_1);
        assert_eq!(nothing.field("cached"), Reply::Bool(false));
        assert_eq!(nothing.field("ttl_ms"), Reply::Nil);
        assert_eq!(nothing.field("bytes"), Reply::Integer(0));
        assert_eq!(nothing.field("key").text(), r#"pg_cache:users:{"id":1}"#);
        assert_eq!(nothing.field("source").text(), "default");
        assert!(nothing.field("sql").text().starts_with("SELECT "));
        assert!(!nothing.field("sql").text().contains("user1"));
        assert_eq!(client.figure("keys_loaded"), 0);

        client.read("users", USER_1);
        let row = inspect(&mut client, USER_1);
        assert_eq!(row.field("cached"), Reply::Bool(true));
        assert_eq!(row.field("negative"), Reply::Bool(false));
        assert_eq!(row.field("bytes"), Reply::Integer(ROW.len() as i64));
        assert!(matches!(row.field("ttl_ms"), Reply::Integer(1..=3_600_000)));

        client.read("users", USER_99);
        let absent = inspect(&mut client, USER_99);
        assert_eq!(absent.field("cached"), Reply::Bool(true));
        assert_eq!(absent.field("negative"), Reply::Bool(true));

        client.call(&["PGCACHE.WRITE", "users", USER_1, "{}"]);
        let key = client.key("users", USER_1);
        client.call(&["PERSIST", &key]);
        assert_eq!(inspect(&mut client, USER_1).field("bytes"), Reply::Integer(2));
        assert_eq!(client.call(&["PGCACHE.INSPECT", "nothing", USER_1]).code(), "PGNOTABLE");
    });
}

#[test]
fn inspect_tells_who_waits() {
    with_server(|database, server| {
        let mut client = server.client3();
        client.read("users", USER_99);
        let lock = Lock::on(database, "users");
        let mut readers = [server.client(), server.client(), server.client()];
        readers.iter_mut().for_each(|reader| reader.send(&["PGCACHE.READ", "users", USER_1]));
        let inspected = eventually("all wait", || {
            let inspected = client.call(&["PGCACHE.INSPECT", "users", USER_1]);
            (inspected.field("waiters") == Reply::Integer(3)).then_some(inspected)
        });
        assert_eq!(inspected.field("in_flight"), Reply::Bool(true));
        lock.release();
        readers.iter_mut().for_each(|reader| assert_eq!(reader.receive().text(), ROW));
        let inspected = client.call(&["PGCACHE.INSPECT", "users", USER_1]);
        assert_eq!(inspected.field("in_flight"), Reply::Bool(false));
        assert_eq!(inspected.field("waiters"), Reply::Integer(0));
    });
}

#[test]
fn health_tells_of_each_source() {
    with_server(|_, server| {
        server.client().read("users", USER_1);
        let mut client = server.client3();
        let health = eventually("the source is up", || {
            let health = client.call(&["PGCACHE.HEALTH"]);
            (health.field("status").text() == "healthy").then_some(health)
        });
        let source = health.field("sources").field("default");
        assert_eq!(source.field("status").text(), "up");
        assert_eq!(source.field("reason"), Reply::Nil);
        assert!(matches!(source.field("connections"), Reply::Integer(1..=8)));
        assert_eq!(server.client().call(&["PGCACHE.HEALTH"]).field("status").text(), "healthy");
    });
}

/// Name, arguments as HELP shows them, arity (never fixed where there are keys: Redis 8 counts the words of our own questions), a flag it must have, a flag it must not have.
const COMMANDS: [(&str, &str, i64, &str, &str); 11] = [
    ("pgcache.read", "<table> <key-json> [ttl] [MINLSN <lsn>]", -3, "readonly", "write"),
    ("pgcache.multiread", "<table> <array-of-key-json> [ttl] [MINLSN <lsn>]", -3, "readonly", "write"),
    ("pgcache.write", "<table> <key-json> <data-json> [ttl]", -4, "denyoom", "readonly"),
    ("pgcache.invalidate", "<table> <key-json>", -3, "write", "denyoom"),
    ("pgcache.key", "<table> <key-json>", -3, "readonly", "write"),
    ("pgcache.inspect", "<table> <key-json> [argument ...]", -3, "readonly", "write"),
    ("pgcache.near", "<table> <key-json> [argument ...]", -3, "readonly", "write"),
    ("pgcache.query", "<sql|NAME> [name|params-json-array|TTL|TAGS|SOURCE|MINLSN ...]", -2, "readonly", "write"),
    ("pgcache.barrier", "[timeout-ms] [SOURCE <name>]", -1, "readonly", "write"),
    ("pgcache.health", "", 1, "readonly", "write"),
    ("pgcache.help", "", 1, "readonly", "write"),
];

/// Whether a word of such a usage stands for an argument that may not be left out.
fn is_required(word: &&str) -> bool {
    word.starts_with('<') && word.ends_with('>')
}

#[test]
fn help_has_a_line_for_every_command() {
    with_server(|_, server| {
        let Reply::Array(lines) = server.client().call(&["PGCACHE.HELP"]) else { panic!("no list") };
        let lines: Vec<String> = lines.iter().map(Reply::text).collect();
        for (name, arguments, ..) in COMMANDS {
            let usage = format!("{} {arguments}", name.to_uppercase());
            assert!(lines.iter().any(|line| line == usage.trim()), "{usage} in {lines:?}");
        }
    });
}

#[test]
fn command_docs_document_every_command() {
    with_server(|_, server| {
        let mut client = server.client3();
        for (name, arguments, ..) in COMMANDS {
            let docs = client.call(&["COMMAND", "DOCS", name]).field(name);
            assert!(docs.field("summary").text().len() > 10, "{docs:?}");
            assert!(docs.field("complexity").text().starts_with("O("), "{docs:?}");
            assert_eq!(docs.field("since").text(), "0.1.0");
            assert_eq!(docs.field("module").text(), "pgcache");
            let documented = match &docs {
                Reply::Map(fields) => fields.iter().find(|(name, _)| name.text() == "arguments"),
                other => panic!("{other:?}"),
            };
            let Some((_, Reply::Array(documented))) = documented else {
                assert_eq!(arguments, "", "{docs:?}");
                continue;
            };
            let [optional, multiple] = ["optional", "multiple"].map(|flag| Reply::Simple(flag.into()));
            let usage: Vec<String> = documented
                .iter()
                .map(|argument| {
                    let Reply::Map(fields) = argument else { panic!("{argument:?}") };
                    let flags = fields.iter().find(|(name, _)| name.text() == "flags");
                    let is = |flag| matches!(flags, Some((_, Reply::Array(flags))) if flags.contains(flag));
                    let token = fields.iter().find(|(name, _)| name.text() == "token");
                    let name = argument.field("name").text();
                    match (is(&optional), is(&multiple), token) {
                        (true, false, Some((_, token))) => format!("[{} <{name}>]", token.text()),
                        (true, true, _) => format!("[{name} ...]"),
                        (true, false, None) => format!("[{name}]"),
                        (false, ..) => format!("<{name}>"),
                    }
                })
                .collect();
            assert_eq!(usage.join(" "), arguments);
        }
    });
}

#[test]
fn command_info_has_the_right_arity_and_flags() {
    with_server(|_, server| {
        let mut client = server.client();
        for (name, _, arity, wanted, unwanted) in COMMANDS {
            let Reply::Array(infos) = client.call(&["COMMAND", "INFO", name]) else { panic!("no list") };
            let Reply::Array(info) = &infos[0] else { panic!("{infos:?}") };
            assert_eq!(info[0].text(), name);
            assert_eq!(info[1], Reply::Integer(arity), "{name}");
            let Reply::Array(flags) = &info[2] else { panic!("{info:?}") };
            let flags: Vec<String> = flags.iter().map(Reply::text).collect();
            assert!(flags.iter().any(|flag| flag == wanted), "{name}: {flags:?}");
            assert!(flags.iter().all(|flag| flag != unwanted && flag != "noscript"), "{name}: {flags:?}");
        }
    });
}

/// Commands of several words: the arity, and a flag that they have.
const CONTAINERS: [(&str, i64, &str); 6] = [
    ("pgcache.define", -2, "admin"),
    ("pgcache.flush", -2, "write"),
    ("pgcache.watch", -2, "admin"),
    ("pgcache.hook", -2, "admin"),
    ("pgcache.slowlog", -2, "admin"),
    ("pgcache.stats", -1, "admin"),
];

#[test]
fn commands_of_several_words_are_described_as_well() {
    with_server(|_, server| {
        let mut client = server.client();
        let Reply::Array(help) = client.call(&["PGCACHE.HELP"]) else { panic!("no list") };
        let help: Vec<String> = help.iter().map(Reply::text).collect();
        for (name, arity, flag) in CONTAINERS {
            let Reply::Array(infos) = client.call(&["COMMAND", "INFO", name]) else { panic!("no list") };
            let Reply::Array(info) = &infos[0] else { panic!("{infos:?}") };
            assert_eq!(info[1], Reply::Integer(arity), "{name}");
            let Reply::Array(flags) = &info[2] else { panic!("{info:?}") };
            assert!(flags.iter().any(|known| known.text() == flag), "{name}: {flags:?}");
            let docs = client.call(&["COMMAND", "DOCS", name]).field(name);
            assert!(!docs.field("summary").text().is_empty() && !docs.field("complexity").text().is_empty());
            assert!(help.iter().any(|line| line.starts_with(&name.to_uppercase())), "{name}: {help:?}");
            assert_eq!(client.call(&[name, "NO_SUCH_WORD"]).code(), "ERR", "{name}");
            assert!(matches!(client.call(&[name, "HELP"]), Reply::Array(_)), "{name}");
        }
    });
}

#[test]
fn the_lookup_key_is_declared_as_no_key() {
    with_server(|_, server| {
        let mut client = server.client();
        for (name, arguments, ..) in COMMANDS.iter().filter(|(_, arguments, ..)| arguments.contains("key")) {
            let count = arguments.split_whitespace().filter(is_required).count();
            let mut command = vec!["COMMAND", "GETKEYS", name];
            command.extend(["users", USER_1, "{}"].iter().take(count));
            let refusal = client.call(&command);
            // The second is what servers say of a key spec that finds no keyword among the words.
            let texts = ["no key arguments", "Invalid arguments specified for command"];
            assert!(
                matches!(&refusal, Reply::Error(said) if texts.iter().any(|text| said.contains(text))),
                "{name}: {refusal:?}"
            );
            let Reply::Array(infos) = client.call(&["COMMAND", "INFO", name]) else { panic!("no list") };
            let specs = format!("{infos:?}");
            assert!(specs.contains("not_key"), "{name}: {specs}");
        }
    });
}

#[test]
fn a_wrong_number_of_arguments_is_told_for_every_command() {
    with_server(|_, server| {
        let mut client = server.client();
        for (name, arguments, ..) in COMMANDS {
            let words: Vec<&str> = arguments.split_whitespace().collect();
            let required = words.iter().filter(|word| is_required(word)).count();
            let too_many = if arguments.ends_with("...]") { vec![] } else { vec![words.len() + 1, words.len() + 21] };
            for count in (0..required).chain(too_many) {
                let command: Vec<&str> = [name].into_iter().chain(std::iter::repeat_n("{}", count)).collect();
                let refusal = client.call(&command);
                let wanted = format!("ERR wrong number of arguments for '{name}' command");
                assert!(matches!(&refusal, Reply::Error(text) if text.starts_with(&wanted)), "{command:?} {refusal:?}");
                // Among too many arguments there may be pieces of a lookup key.
                let hints = matches!(&refusal, Reply::Error(text) if text.contains("single quotes"));
                assert_eq!(hints, count > words.len() && arguments.contains("key-json"), "{command:?} {refusal:?}");
            }
        }
    });
}

/// The types of the events published while `act` runs, up to a mark of our own.
fn published(server: &Server, act: impl Fn(&mut Client)) -> Vec<String> {
    let (mut subscriber, mut client) = (server.client(), server.client());
    subscriber.call(&["SUBSCRIBE", "pg_cache_events"]);
    act(&mut client);
    client.call(&["PUBLISH", "pg_cache_events", r#"{"type":"mark"}"#]);
    let mut types = Vec::new();
    loop {
        let Reply::Array(message) = subscriber.receive() else { panic!("no message") };
        match message[2].json()["type"].as_str().unwrap() {
            "mark" => return types,
            kind => types.push(kind.to_owned()),
        }
    }
}

fn read_twice_write_and_invalidate(client: &mut Client) {
    client.read("users", USER_1);
    client.read("users", USER_1);
    client.call(&["PGCACHE.WRITE", "users", USER_1, "{}"]);
    client.invalidate("users", USER_1);
}

#[test]
fn events_are_published_as_the_setting_says() {
    with_server(|_, server| {
        let mut client = server.client();
        let by_default = ["cache_miss", "cache_hit", "cache_write", "cache_invalidate"];
        assert_eq!(published(server, read_twice_write_and_invalidate), by_default);
        for (value, types) in [
            ("none", &[][..]),
            ("cache_load", &["cache_load"]),
            ("cache_hit, cache_load", &["cache_load", "cache_hit"]),
            ("all", &["cache_miss", "cache_load", "cache_hit", "cache_write", "cache_invalidate"]),
        ] {
            assert_eq!(client.call(&["CONFIG", "SET", "pgcache.events", value]).text(), "OK");
            assert_eq!(client.call(&["CONFIG", "GET", "pgcache.events"]).field("pgcache.events").text(), value);
            assert_eq!(published(server, read_twice_write_and_invalidate), types, "{value}");
        }
        for bad in ["hits", "cache_hit,", "all,none", "cache_hit\r\n"] {
            assert_eq!(client.call(&["CONFIG", "SET", "pgcache.events", bad]).code(), "ERR", "{bad}");
        }
        assert_eq!(client.call(&["CONFIG", "GET", "pgcache.events"]).field("pgcache.events").text(), "all");
    });
}

#[test]
fn an_event_names_the_key_and_no_data() {
    with_server(|_, server| {
        let (mut subscriber, mut client) = (server.client(), server.client());
        client.read("users", USER_99);
        subscriber.call(&["SUBSCRIBE", "pg_cache_events"]);
        client.read("users", USER_1);
        let Reply::Array(message) = subscriber.receive() else { panic!("no message") };
        let event = message[2].json();
        let mut names: Vec<&String> = event.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["key", "source", "table", "ts", "type"]);
        assert_eq!((&event["type"], &event["table"]), (&"cache_miss".into(), &"users".into()));
        assert_eq!((&event["key"]["id"], &event["source"]), (&1.into(), &"default".into()));
        assert!(event["ts"].as_u64().unwrap() > 1_600_000_000_000);
    });
}

#[test]
fn a_client_that_moves_a_key_stays_in_its_database() {
    with_server(|_, server| {
        let mut client = server.client();
        for command in [&["SELECT", "9"][..], &["SET", "mine", "1"], &["MOVE", "mine", "10"]] {
            client.call(command);
        }
        assert_eq!(client.call(&["EXISTS", "mine"]), Reply::Integer(0));
        client.call(&["SET", "mine", "2"]);
        client.call(&["SELECT", "10"]);
        assert_eq!(client.call(&["GET", "mine"]).text(), "1");
    });
}
