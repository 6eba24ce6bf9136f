//! MULTI, Lua and functions: hits answer, a miss is PGMISS, and nothing waits.
#![allow(clippy::unwrap_used)]

mod support;

use support::{on_every_server, Client, Database, Postgres, Reply, Server};

const USER_1: &str = r#"{"id":1}"#;
const USER_2: &str = r#"{"id":2}"#;

/// On each server: user 1 is cached, user 2 is not, 99 is known to be absent.
fn with_a_warm_row(test: impl Fn(&str, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        let row = client.read("users", USER_1).text();
        assert_eq!(client.read("users", r#"{"id":99}"#), Reply::Nil);
        test(&row, &mut client);
        assert_eq!(client.call(&["PING"]), Reply::Simple("PONG".into()));
        assert_loads(&database, &mut client);
    });
}

/// Outside of it the same connection still loads.
fn assert_loads(database: &Database<'_>, client: &mut Client) {
    let expected = database.text("SELECT row_to_json(t)::text FROM users t WHERE id = 5");
    assert_eq!(Some(client.read("users", r#"{"id":5}"#).text()), expected);
}

#[test]
fn in_multi_hits_answer_and_a_miss_is_pgmiss() {
    with_a_warm_row(|row, client| {
        let queued = Reply::Simple("QUEUED".into());
        client.call(&["MULTI"]);
        let commands: [&[&str]; 6] = [
            &["PGCACHE.READ", "users", USER_1],
            &["PGCACHE.READ", "users", r#"{"id":99}"#],
            &["PGCACHE.READ", "users", USER_2],
            &["PGCACHE.MULTIREAD", "users", r#"[{"id":1},{"id":99}]"#],
            &["PGCACHE.MULTIREAD", "users", r#"[{"id":1},{"id":2}]"#],
            &["PGCACHE.READ", "never_seen", USER_1],
        ];
        for command in commands {
            assert_eq!(client.call(command), queued, "{command:?}");
        }
        let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no list") };
        assert_eq!((replies[0].text(), &replies[1]), (row.to_owned(), &Reply::Nil));
        assert_eq!(replies[2].code(), "PGMISS");
        assert_eq!(replies[3].text(), format!("[{row},null]"));
        assert_eq!((replies[4].code(), replies[5].code()), ("PGMISS", "PGMISS"));
    });
}

#[test]
fn in_multi_writes_and_invalidations_take_effect() {
    with_a_warm_row(|row, client| {
        client.call(&["MULTI"]);
        client.call(&["PGCACHE.WRITE", "users", USER_2, "{}"]);
        client.call(&["PGCACHE.READ", "users", USER_2]);
        client.call(&["PGCACHE.INVALIDATE", "users", USER_1]);
        client.call(&["PGCACHE.READ", "users", USER_1]);
        let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no list") };
        assert_eq!((replies[0].text(), replies[1].text(), replies[2].text()), ("OK".into(), "{}".into(), "OK".into()));
        assert_eq!(replies[3].code(), "PGMISS");
        assert_eq!(client.read("users", USER_1).text(), row);
    });
}

#[test]
fn a_discarded_transaction_does_nothing() {
    with_a_warm_row(|_, client| {
        client.call(&["MULTI"]);
        client.call(&["PGCACHE.WRITE", "users", USER_1, "{}"]);
        client.call(&["DISCARD"]);
        assert_ne!(client.read("users", USER_1).text(), "{}");
    });
}

#[test]
fn in_lua_hits_answer_and_a_miss_is_pgmiss() {
    with_a_warm_row(|row, client| {
        let script = "return redis.call(ARGV[1], ARGV[2], ARGV[3])";
        for eval in ["EVAL", "EVAL_RO"] {
            assert_eq!(client.call(&[eval, script, "0", "PGCACHE.READ", "users", USER_1]).text(), row);
            let keys = r#"[{"id":1},{"id":99}]"#;
            let rows = client.call(&[eval, script, "0", "PGCACHE.MULTIREAD", "users", keys]).text();
            assert_eq!(rows, format!("[{row},null]"));
            let absent = client.call(&[eval, script, "0", "PGCACHE.READ", "users", r#"{"id":99}"#]);
            assert_eq!(absent, Reply::Nil);
            let miss = client.call(&[eval, script, "0", "PGCACHE.READ", "users", USER_2]);
            assert_eq!(miss.code(), "PGMISS", "{miss:?}");
            let caught = client.call(&[eval, "return redis.pcall('PGCACHE.READ', 'users', ARGV[1]).err", "0", USER_2]);
            assert!(caught.text().starts_with("PGMISS "), "{caught:?}");
        }
    });
}

#[test]
fn in_lua_writes_and_invalidations_take_effect() {
    with_a_warm_row(|_, client| {
        let script = "redis.call('PGCACHE.WRITE', 'users', ARGV[1], '{\"by\":\"lua\"}')
                      return redis.call('PGCACHE.READ', 'users', ARGV[1])";
        assert_eq!(client.call(&["EVAL", script, "0", USER_2]).text(), r#"{"by":"lua"}"#);
        let script = "redis.call('PGCACHE.INVALIDATE', 'users', ARGV[1])
                      return redis.pcall('PGCACHE.READ', 'users', ARGV[1]).err";
        assert!(client.call(&["EVAL", script, "0", USER_2]).text().starts_with("PGMISS "));
        let read_only = client.call(&["EVAL_RO", script, "0", USER_2]);
        assert!(matches!(read_only, Reply::Error(_)), "{read_only:?}");
    });
}

#[test]
fn in_functions_hits_answer_and_a_miss_is_pgmiss() {
    with_a_warm_row(|row, client| {
        let library = "#!lua name=lib\n
            redis.register_function{function_name='row', flags={'no-writes'}, callback=function(keys, args)
                return redis.call('PGCACHE.READ', 'users', args[1])
            end}";
        assert_eq!(client.call(&["FUNCTION", "LOAD", library]).text(), "lib");
        for call in ["FCALL", "FCALL_RO"] {
            assert_eq!(client.call(&[call, "row", "0", USER_1]).text(), row);
            assert_eq!(client.call(&[call, "row", "0", r#"{"id":99}"#]), Reply::Nil);
            let miss = client.call(&[call, "row", "0", USER_2]);
            assert_eq!(miss.code(), "PGMISS", "{miss:?}");
        }
    });
}
