//! Hooks: functions, messages and stream entries for what happens in the cache; commands that a function refuses.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::process::kill;
use support::server::Setup;
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server};

const ONE: &str = r#"{"id":1}"#;
const TWO: &str = r#"{"id":2}"#;
const KEY_ONE: &str = r#"pg_cache:users:{"id":1}"#;
/// Longer than any test.
const FOREVER_MS: &str = "600000";

/// A library of functions. `note` keeps what it was called with, in one list for all and one for each type of event.
const LIBRARY: &str = r#"#!lua name=hooks
redis.register_function('note', function(keys, args)
  local event = cjson.decode(args[1])
  redis.call('RPUSH', 'noted', event.type)
  redis.call('RPUSH', 'noted:' .. event.type, cjson.encode({keys = keys, event = event}))
end)
redis.register_function('fail', function(keys, args) return redis.error_reply('BROKEN on purpose') end)
redis.register_function{function_name='refuse', flags={'no-writes'}, callback=function(keys, args)
  return redis.error_reply('QUOTA too many reads of ' .. (keys[1] or 'nothing'))
end}
redis.register_function{function_name='allow', flags={'no-writes'}, callback=function(keys, args) return 1 end}
redis.register_function('read_again', function(keys, args)
  redis.call('INCR', 'reads_again')
  redis.call('PGCACHE.READ', 'users', '{"id":1}')
  redis.call('PGCACHE.WRITE', 'users', '{"id":9}', '{"id":9}')
  redis.call('PGCACHE.INVALIDATE', 'users', '{"id":9}')
end)
redis.register_function('flush_all', function(keys, args) redis.call('FLUSHALL') end)
redis.register_function('for_ever', function(keys, args) while true do end end)
redis.register_function('mark', function(keys, args) redis.call('RPUSH', 'marks', cjson.decode(args[1]).type) end)
"#;

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(100);
    database
}

/// A server with the library.
fn setup(kind: &Kind, database: &Database<'_>) -> Setup {
    Server::setup(kind).on(database).setting("load_timeout_ms", FOREVER_MS).setting("default_ttl", "0")
}

fn start(kind: &Kind, database: &Database<'_>) -> Server {
    let server = setup(kind, database).start();
    with_library(&server);
    server
}

fn with_library(server: &Server) {
    assert_eq!(server.client().call(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]), Reply::Bulk(b"hooks".to_vec()));
}

fn ok(client: &mut Client, command: &[&str]) {
    assert_eq!(client.call(command), Reply::Simple("OK".into()), "{command:?}");
}

fn add(client: &mut Client, hook: &str) {
    let mut words = vec!["PGCACHE.HOOK", "ADD"];
    words.extend(hook.split(' '));
    ok(client, &words);
}

/// What LIST says of one hook.
fn listed(client: &mut Client, name: &str) -> Reply {
    let Reply::Array(hooks) = client.call(&["PGCACHE.HOOK", "LIST"]) else { panic!("no list") };
    hooks.into_iter().find(|hook| hook.field("name").text() == name).unwrap()
}

fn figure(client: &mut Client, name: &str, field: &str) -> i64 {
    match listed(client, name).field(field) {
        Reply::Integer(number) => number,
        other => panic!("{other:?}"),
    }
}

fn names(client: &mut Client) -> Vec<String> {
    let Reply::Array(hooks) = client.call(&["PGCACHE.HOOK", "LIST"]) else { panic!("no list") };
    hooks.iter().map(|hook| hook.field("name").text()).collect()
}

/// Waits until the hook has been run so often.
fn await_runs(client: &mut Client, name: &str, runs: i64) {
    eventually("the hook is run", || (figure(client, name, "runs") >= runs).then_some(()));
    assert_eq!(figure(client, name, "runs"), runs, "{name}");
}

fn items(client: &mut Client, key: &str) -> Vec<String> {
    match client.call(&["LRANGE", key, "0", "-1"]) {
        Reply::Array(items) => items.iter().map(Reply::text).collect(),
        other => panic!("{other:?}"),
    }
}

fn noted(client: &mut Client, kind: &str) -> Vec<Value> {
    items(client, &format!("noted:{kind}")).iter().map(|item| serde_json::from_str(item).unwrap()).collect()
}

/// Everything in a stream, as JSON.
fn entries(client: &mut Client, stream: &str) -> Vec<Value> {
    let Reply::Array(entries) = client.call(&["XRANGE", stream, "-", "+"]) else { panic!("no stream") };
    let event = |entry: &Reply| {
        let Reply::Array(entry) = entry else { panic!("no entry") };
        let Reply::Array(fields) = &entry[1] else { panic!("no fields") };
        assert_eq!((fields.len(), fields[0].text().as_str()), (2, "event"));
        serde_json::from_str(&fields[1].text()).unwrap()
    };
    entries.iter().map(event).collect()
}

/// Each event as a hook names it and as its JSON does, and what makes it happen.
type Cause = fn(&mut Client, &Database<'_>);
const CAUSES: [(&str, &str, Cause); 9] = [
    ("miss", "cache_miss", |client, _| {
        client.read("users", ONE);
    }),
    ("load", "cache_load", |client, _| {
        client.read("users", TWO);
    }),
    ("hit", "cache_hit", |client, _| {
        client.read("users", ONE);
    }),
    ("write", "cache_write", |client, _| {
        ok(client, &["PGCACHE.WRITE", "users", ONE, ONE]);
    }),
    ("invalidate", "cache_invalidate", |client, _| {
        client.invalidate("users", ONE);
    }),
    ("before_command", "before_command", |client, _| {
        client.read("users", TWO);
    }),
    ("after_command", "after_command", |client, _| {
        client.read("users", TWO);
    }),
    ("expire", "cache_expire", |client, _| {
        ok(client, &["PGCACHE.WRITE", "users", ONE, ONE]);
        assert_eq!(client.call(&["PEXPIRE", KEY_ONE, "1"]), Reply::Integer(1));
        eventually("it expires", || (!client.exists(KEY_ONE)).then_some(()));
    }),
    ("table_flush", "table_flush", |client, _| {
        assert_eq!(client.call(&["PGCACHE.FLUSH", "TABLE", "users"]), Reply::Integer(1));
    }),
];

#[test]
fn every_event_runs_functions_messages_and_stream_entries() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        for (event, kind, cause) in CAUSES {
            let mut listener = server.client();
            listener.call(&["SUBSCRIBE", event]);
            let (function, publish, stream) = (format!("f:{event}"), format!("p:{event}"), format!("s:{event}"));
            add(&mut client, &format!("{function} {event} TABLE us*s FUNCTION note"));
            add(&mut client, &format!("{publish} {event} PUBLISH {event}"));
            add(&mut client, &format!("{stream} {event} TABLE users STREAM stream:{event} MAXLEN 100"));
            add(&mut client, &format!("o:{event} {event} TABLE orders FUNCTION note"));
            cause(&mut client, &database);
            let mut hooks = vec![&function, &publish, &stream];
            // The function is asked before the command, the other two later; and every further command is one.
            let is_about_commands = event.ends_with("_command");
            for hook in &hooks {
                eventually("the hook is run", || (figure(&mut client, hook, "runs") > 0).then_some(()));
            }
            assert_eq!(figure(&mut client, &format!("o:{event}"), "runs"), 0);
            for hook in hooks.drain(..) {
                ok(&mut client, &["PGCACHE.HOOK", "DEL", hook]);
            }
            ok(&mut client, &["PGCACHE.HOOK", "DEL", &format!("o:{event}")]);
            let called = noted(&mut client, kind);
            let Reply::Array(message) = listener.receive() else { panic!("no message") };
            let published: Value = serde_json::from_str(&message[2].text()).unwrap();
            let added = entries(&mut client, &format!("stream:{event}"));
            assert_eq!((called.len(), added.len()), (1, 1), "{event}");
            assert_eq!(called[0]["event"]["type"], kind);
            assert_eq!(added[0], called[0]["event"], "{event}");
            if !is_about_commands {
                assert_eq!(published, called[0]["event"], "{event}");
            }
            if event != "table_flush" {
                let cache_key = called[0]["keys"][0].as_str().unwrap();
                assert_eq!(cache_key, format!("pg_cache:users:{}", called[0]["event"]["key"]), "{event}");
            }
            assert_eq!(called[0]["event"]["table"], "users", "{event}");
            assert_eq!(called[0]["event"]["source"], "default", "{event}");
        }
    });
}

#[test]
fn an_eviction_runs_hooks() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        (1..=100).for_each(|id| {
            client.read("users", &format!(r#"{{"id":{id}}}"#));
        });
        add(&mut client, "gone evict PUBLISH gone");
        let mut listener = server.client();
        listener.call(&["SUBSCRIBE", "gone"]);
        client.call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        client.call(&["CONFIG", "SET", "maxmemory", "1"]);
        let Reply::Array(message) = listener.receive() else { panic!("no message") };
        let event: Value = serde_json::from_str(&message[2].text()).unwrap();
        assert_eq!((&event["type"], &event["table"]), (&"cache_evict".into(), &"users".into()));
        client.call(&["CONFIG", "SET", "maxmemory", "0"]);
        // All entries go, and the hooks' own record: what the memory knows is written again.
        eventually("the record is back", || client.exists("pg_cache:@hooks").then_some(()));
        assert_eq!(names(&mut client), ["gone"]);
    });
}

#[test]
fn the_start_runs_hooks_and_hooks_survive_a_restart() {
    on_every_server(|kind| {
        let database = users();
        let server = setup(&kind, &database).config("appendonly", "yes").start();
        with_library(&server);
        let mut client = server.client();
        add(&mut client, "up startup FUNCTION mark");
        add(&mut client, "up_stream startup STREAM starts");
        add(&mut client, "off hit TABLE users PRIORITY -3 STREAM s MAXLEN 5");
        ok(&mut client, &["PGCACHE.HOOK", "DISABLE", "off"]);
        let before = names(&mut client);
        assert!(items(&mut client, "marks").is_empty(), "the server started before the hook was there");
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        await_runs(&mut client, "up_stream", 1);
        assert_eq!(items(&mut client, "marks"), ["startup"]);
        assert_eq!(entries(&mut client, "starts")[0]["type"], "startup");
        assert_eq!(names(&mut client), before);
        let off = listed(&mut client, "off");
        assert_eq!(off.field("enabled"), Reply::Integer(0));
        assert_eq!((off.field("priority"), off.field("maxlen")), (Reply::Integer(-3), Reply::Integer(5)));
        assert_eq!((off.field("table").text(), off.field("target").text()), ("users".into(), "s".into()));
    });
}

#[test]
fn the_end_runs_hooks_whose_writes_reach_replicas() {
    on_every_server(|kind| {
        let database = users();
        // A replica that lags has the server paused while it ends, and hooks then write nothing: no PING of the master's meanwhile.
        let mut master = setup(&kind, &database).config("repl-ping-replica-period", "3600").start();
        with_library(&master);
        let replica = start(&kind, &database);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        replica.follow(&master);
        add(&mut on_master, "down shutdown FUNCTION mark");
        add(&mut on_master, "down_stream shutdown STREAM ends");
        // WAIT would send the replica another word that it has not acknowledged.
        eventually("the replica has acknowledged everything", || {
            let offset = on_master.info("replication", "master_repl_offset");
            on_master.info("replication", "slave0").contains(&format!("offset={offset},")).then_some(())
        });
        // As a service manager ends it. What is written under the SHUTDOWN command the server throws away.
        kill(master.pid(), libc::SIGTERM);
        eventually("the master ends", || (!master.is_alive()).then_some(()));
        eventually("what the end wrote arrives", || on_replica.exists("ends").then_some(()));
        assert_eq!(items(&mut on_replica, "marks"), ["shutdown"]);
    });
}

#[test]
fn unloading_the_module_runs_the_hooks_of_the_end() {
    on_every_server(|kind| {
        let database = users();
        let server = setup(&kind, &database).config("enable-module-command", "yes").start();
        with_library(&server);
        let (mut client, mut listener) = (server.client(), server.client());
        listener.call(&["SUBSCRIBE", "ends"]);
        add(&mut client, "down shutdown FUNCTION mark");
        add(&mut client, "down_message shutdown PUBLISH ends");
        add(&mut client, "down_stream shutdown STREAM ends");
        client.unload_module();
        assert_eq!((items(&mut client, "marks"), entries(&mut client, "ends").len()), (vec!["shutdown".into()], 1));
        let Reply::Array(message) = listener.receive() else { panic!("no message") };
        assert_eq!(serde_json::from_str::<Value>(&message[2].text()).unwrap()["type"], "shutdown");
    });
}

#[test]
fn hooks_survive_a_crash_and_flushall() {
    on_every_server(|kind| {
        let database = users();
        let server = setup(&kind, &database).config("appendonly", "yes").config("appendfsync", "always").start();
        let mut client = server.client();
        add(&mut client, "a hit PUBLISH c");
        for flush in ["FLUSHALL", "FLUSHDB"] {
            ok(&mut client, &[flush]);
            assert_eq!(names(&mut client), ["a"]);
            eventually("the record is back", || client.exists("pg_cache:@hooks").then_some(()));
        }
        client.call(&["DEL", "pg_cache:@hooks"]);
        eventually("the record is back", || client.exists("pg_cache:@hooks").then_some(()));
        let forged = r#"[{"name":"evil","event":"hit","table":null,"priority":0,"enabled":true,"action":"FUNCTION","target":"f","maxlen":null}]"#;
        client.call(&["SET", "pg_cache:@hooks", forged]);
        eventually("the record is ours again", || {
            (!client.call(&["GET", "pg_cache:@hooks"]).text().contains("evil")).then_some(())
        });
        let server = server.crash_and_restart();
        let mut client = server.client();
        eventually("the hooks are back", || (names(&mut client) == ["a"]).then_some(()));
        ok(&mut client, &["PGCACHE.HOOK", "DEL", "a"]);
        let server = server.crash_and_restart();
        assert!(names(&mut server.client()).is_empty());
    });
}

#[test]
fn a_function_refuses_commands_before_they_run() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        client.read("users", ONE);
        add(&mut client, "quota before_command TABLE users FUNCTION refuse");
        let refusal = format!("QUOTA too many reads of {KEY_ONE}");
        for command in [
            &["PGCACHE.READ", "users", ONE][..],
            &["PGCACHE.MULTIREAD", "users", &format!("[{ONE},{TWO}]")],
            &["PGCACHE.WRITE", "users", ONE, ONE],
            &["PGCACHE.INVALIDATE", "users", ONE],
            &["PGCACHE.KEY", "users", ONE],
            &["PGCACHE.INSPECT", "users", ONE],
        ] {
            let Reply::Error(error) = client.call(command) else { panic!("{command:?} was let pass") };
            assert!(error.starts_with(&refusal) && error.contains("hook quota"), "{command:?}: {error}");
        }
        let Reply::Error(error) = client.call(&["PGCACHE.FLUSH", "TABLE", "users"]) else { panic!() };
        assert!(error.starts_with("QUOTA too many reads of nothing"), "{error}");
        // Nothing of it was done.
        assert!(client.exists(KEY_ONE));
        assert_eq!(client.call(&["PGCACHE.FLUSH", "ALL"]), Reply::Integer(1), "it is about no table");
        ok(&mut client, &["PGCACHE.HOOK", "DISABLE", "quota"]);
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        ok(&mut client, &["PGCACHE.HOOK", "ENABLE", "quota"]);
        assert_eq!(client.read("users", ONE).code(), "QUOTA");
        assert_eq!(client.read("users", "{\"nothing\":1}").code(), "PGNOCOLUMN", "no key, so no row to refuse");
        ok(&mut client, &["CONFIG", "SET", "pgcache.disabled_plugins", "hooks"]);
        assert_eq!(client.read("users", ONE).json()["id"], 1);
    });
}

#[test]
fn a_function_is_asked_about_the_first_command_on_a_table_too() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        add(&mut client, "quota before_command TABLE users FUNCTION refuse");
        add(&mut client, "note before_command PRIORITY -1 FUNCTION note");
        add(&mut client, "late before_command PRIORITY 1 FUNCTION mark");
        assert_eq!(client.read("users", ONE).code(), "QUOTA");
        assert!(!client.exists(KEY_ONE));
        assert_eq!(figure(&mut client, "late", "runs"), 0, "nobody is asked about what was refused");
        let asked = &noted(&mut client, "before_command")[0];
        assert_eq!((&asked["keys"][0], &asked["event"]["key"]["id"]), (&KEY_ONE.into(), &1.into()));
        assert_eq!(asked["event"]["command"], "pgcache.read");
        assert_eq!((&asked["event"]["user"], &asked["event"]["is_write"]), (&"default".into(), &false.into()));
        assert!(asked["event"]["address"].as_str().unwrap().starts_with("127.0.0.1:"));
        ok(&mut client, &["PGCACHE.HOOK", "DEL", "quota"]);
        assert_eq!(client.read("users", ONE).json()["id"], 1);
    });
}

#[test]
fn what_a_function_may_not_decide_is_refused() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        client.read("users", ONE);
        add(&mut client, "ask before_command TABLE users FUNCTION allow");
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        // In a script no other can be run: a command that nobody could be asked about does not pass.
        let script = "return redis.pcall('PGCACHE.READ', 'users', '{\"id\":1}')";
        let Reply::Error(error) = client.call(&["EVAL", script, "0"]) else { panic!("it was let pass") };
        assert!(error.contains("script"), "{error}");
        // In a transaction it can.
        client.call(&["MULTI"]);
        client.read("users", ONE);
        let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no array") };
        assert_eq!(replies[0].json()["id"], 1);
        add(&mut client, "missing before_command TABLE users FUNCTION no_such_function");
        assert_eq!(client.read("users", ONE).code(), "ERR");
        assert_eq!(figure(&mut client, "missing", "errors"), 1);
        ok(&mut client, &["PGCACHE.HOOK", "DEL", "missing"]);
        // While replicas are paused a function might write, which ends the server.
        client.call(&["CLIENT", "PAUSE", FOREVER_MS, "WRITE"]);
        assert_eq!(client.read("users", ONE).code(), "PGBUSY");
        client.call(&["CLIENT", "UNPAUSE"]);
        assert_eq!(client.read("users", ONE).json()["id"], 1);
    });
}

#[test]
fn what_fails_or_is_missing_harms_nothing_and_is_counted() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        add(&mut client, "missing hit FUNCTION no_such_function");
        add(&mut client, "failing hit FUNCTION fail");
        add(&mut client, "wrong_type hit STREAM text");
        add(&mut client, "fine hit PRIORITY 9 PUBLISH c");
        client.call(&["SET", "text", "not a stream"]);
        client.read("users", ONE);
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        await_runs(&mut client, "fine", 1);
        for (name, error) in [("missing", "unction"), ("failing", "BROKEN"), ("wrong_type", "WRONGTYPE")] {
            let hook = listed(&mut client, name);
            assert_eq!((hook.field("runs"), hook.field("errors")), (Reply::Integer(1), Reply::Integer(1)), "{name}");
            assert!(hook.field("last_error").text().contains(error), "{hook:?}");
        }
        assert_eq!(figure(&mut client, "fine", "errors"), 0);
    });
}

#[test]
fn what_a_hook_causes_runs_no_hook() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        client.read("users", ONE);
        for event in ["hit", "write", "invalidate", "after_command", "before_command", "miss"] {
            add(&mut client, &format!("{event} {event} TABLE users FUNCTION read_again"));
        }
        client.read("users", ONE);
        for event in ["hit", "after_command", "before_command"] {
            eventually("it is run", || (figure(&mut client, event, "runs") > 0).then_some(()));
        }
        // Another round, so that whatever the first had caused would have come before it.
        ok(&mut client, &["PGCACHE.WRITE", "users", TWO, TWO]);
        await_runs(&mut client, "write", 1);
        await_runs(&mut client, "after_command", 2);
        assert_eq!(figure(&mut client, "before_command", "runs"), 2);
        assert_eq!(figure(&mut client, "invalidate", "runs"), 0);
        assert_eq!(client.call(&["GET", "reads_again"]).text(), "6");
    });
}

#[test]
fn a_function_that_empties_the_server_loses_no_hook() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        client.read("users", ONE);
        add(&mut client, "empty before_command TABLE users FUNCTION flush_all");
        // The entry is gone when the read goes on, so it is loaded anew.
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        assert_eq!(client.figure("misses"), 2);
        assert_eq!(names(&mut client), ["empty"]);
    });
}

#[test]
fn a_function_that_never_ends_can_be_killed() {
    on_every_server(|kind| {
        let database = users();
        let mut server = start(&kind, &database);
        let mut client = server.client();
        client.read("users", ONE);
        client.call(&["CONFIG", "SET", "busy-reply-threshold", "1"]);
        for event in ["hit", "before_command"] {
            add(&mut client, &format!("loop {event} TABLE users FUNCTION for_ever"));
            let mut reader = server.client();
            reader.send(&["PGCACHE.READ", "users", ONE]);
            let mut killer = server.client();
            eventually("it is killed", || {
                (killer.call(&["FUNCTION", "KILL"]) == Reply::Simple("OK".into())).then_some(())
            });
            let reply = reader.receive();
            eventually("the server is free", || (client.call(&["PING"]).code() != "BUSY").then_some(()));
            assert_eq!(matches!(reply, Reply::Error(_)), event == "before_command", "{reply:?}");
            eventually("the failure is counted", || (figure(&mut client, "loop", "errors") == 1).then_some(()));
            ok(&mut client, &["PGCACHE.HOOK", "DEL", "loop"]);
        }
        server.assert_alive();
        assert_eq!(client.read("users", ONE).json()["id"], 1);
    });
}

#[test]
fn hooks_run_in_order_of_priority() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let (mut client, mut listener) = (server.client(), server.client());
        for channel in ["first", "second", "third"] {
            listener.call(&["SUBSCRIBE", channel]);
        }
        add(&mut client, "c hit PRIORITY 5 PUBLISH third");
        add(&mut client, "b hit PUBLISH second");
        add(&mut client, "a hit PRIORITY -5 PUBLISH first");
        assert_eq!(names(&mut client), ["a", "b", "c"]);
        client.read("users", ONE);
        client.read("users", ONE);
        let mut channels = || {
            let Reply::Array(message) = listener.receive() else { panic!("no message") };
            message[1].text()
        };
        assert_eq!([channels(), channels(), channels()], ["first", "second", "third"]);
    });
}

#[test]
fn hooks_reach_replicas_and_write_nothing_there() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (start(&kind, &database), start(&kind, &database));
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        add(&mut on_replica, "own hit PUBLISH c");
        add(&mut on_master, "before hit PUBLISH c");
        replica.follow(&master);
        eventually("the replica has its master's hooks", || (names(&mut on_replica) == ["before"]).then_some(()));
        add(&mut on_master, "stream hit STREAM s");
        add(&mut on_master, "note hit FUNCTION note");
        add(&mut on_master, "off hit PUBLISH c");
        ok(&mut on_master, &["PGCACHE.HOOK", "DISABLE", "off"]);
        ok(&mut on_master, &["PGCACHE.HOOK", "DEL", "before"]);
        on_master.read("users", ONE);
        eventually("changes arrive", || {
            let all = names(&mut on_replica);
            let is_off =
                all.contains(&"off".into()) && listed(&mut on_replica, "off").field("enabled") == Reply::Integer(0);
            (is_off && !all.contains(&"before".into()) && on_replica.exists(KEY_ONE)).then_some(())
        });
        assert_eq!(on_replica.call(&["PGCACHE.HOOK", "DEL", "off"]).code(), "READONLY");
        assert_eq!(on_replica.read("users", ONE).json()["id"], 1);
        for hook in ["stream", "note"] {
            eventually("it is counted", || (figure(&mut on_replica, hook, "errors") == 1).then_some(()));
        }
        assert!(!on_replica.exists("s") && !on_replica.exists("noted"));
        // On the master both write, and what they write is replicated.
        on_master.read("users", ONE);
        await_runs(&mut on_master, "note", 1);
        eventually("what hooks wrote is replicated", || {
            (on_replica.exists("s") && items(&mut on_replica, "noted") == ["cache_hit"]).then_some(())
        });
        ok(&mut on_master, &["FLUSHALL"]);
        eventually("the record comes again", || on_replica.exists("pg_cache:@hooks").then_some(()));
        assert_eq!(names(&mut on_replica), names(&mut on_master));
        on_replica.call(&["REPLICAOF", "NO", "ONE"]);
        assert_eq!(names(&mut on_replica), names(&mut on_master), "a promoted replica keeps them");
    });
}

#[test]
fn hooks_wait_while_replicas_are_paused() {
    on_every_server(|kind| {
        let database = users();
        let server = setup(&kind, &database).config("appendonly", "yes").start();
        with_library(&server);
        let mut client = server.client();
        client.read("users", ONE);
        add(&mut client, "stream hit STREAM s");
        add(&mut client, "note hit FUNCTION note");
        client.call(&["CLIENT", "PAUSE", FOREVER_MS, "WRITE"]);
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        // A turn of the server's clock later nothing has been run.
        let ticks = client.info("server", "lru_clock");
        eventually("time passes", || (client.info("server", "lru_clock") != ticks).then_some(()));
        assert_eq!(figure(&mut client, "stream", "runs"), 0);
        client.call(&["CLIENT", "UNPAUSE"]);
        await_runs(&mut client, "stream", 1);
        await_runs(&mut client, "note", 1);
        assert_eq!(entries(&mut client, "s").len(), 1);
    });
}

#[test]
fn a_thousand_hooks_are_kept_found_and_run() {
    on_every_server(|kind| {
        let database = users();
        // With `everysec` the server may keep in memory what it has answered already.
        let server = setup(&kind, &database).config("appendonly", "yes").config("appendfsync", "always").start();
        let mut client = server.client();
        for number in 0..1000 {
            let table = if number % 10 == 0 { "users" } else { "orders" };
            client.send(&["PGCACHE.HOOK", "ADD", &format!("h{number}"), "hit", "TABLE", table, "STREAM", "s"]);
        }
        for _ in 0..1000 {
            assert_eq!(client.receive(), Reply::Simple("OK".into()));
        }
        client.read("users", ONE);
        (0..10).for_each(|_| {
            client.read("users", ONE);
        });
        eventually("all are run", || (client.call(&["XLEN", "s"]) == Reply::Integer(1000)).then_some(()));
        let server = server.crash_and_restart();
        let mut client = server.client();
        eventually("all are back", || (names(&mut client).len() == 1000).then_some(()));
    });
}

#[test]
fn a_stream_keeps_its_latest_entries() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        add(&mut client, "s write STREAM s MAXLEN 2");
        for id in 1..=5 {
            let row = format!(r#"{{"id":{id}}}"#);
            ok(&mut client, &["PGCACHE.WRITE", "users", &row, &row]);
        }
        await_runs(&mut client, "s", 5);
        let ids: Vec<Value> = entries(&mut client, "s").iter().map(|event| event["key"]["id"].clone()).collect();
        assert_eq!(ids, [4, 5]);
    });
}

#[test]
fn what_is_no_hook_is_refused() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        add(&mut client, "a hit PUBLISH c");
        let long = "x".repeat(600);
        for words in [
            &["ADD"][..],
            &["ADD", "b"],
            &["ADD", "b", "hit"],
            &["ADD", "a", "miss", "PUBLISH", "c"],
            &["ADD", "", "hit", "PUBLISH", "c"],
            &["ADD", "b", "cache_hit", "PUBLISH", "c"],
            &["ADD", "b", "hit", "EVAL", "c"],
            &["ADD", "b", "hit", "STREAM", "pg_cache:users:{}"],
            &["ADD", "b", "hit", "STREAM", "s", "MAXLEN", "many"],
            &["ADD", &long, "hit", "PUBLISH", "c"],
            &["ADD", "b\r\n", "hit", "PUBLISH", "c"],
            &["DEL"],
            &["DEL", "b"],
            &["DEL", "a", "b"],
            &["ENABLE", "b"],
            &["LIST", "a"],
            &["SOMETHING"],
        ] {
            let command: Vec<&str> = ["PGCACHE.HOOK"].iter().chain(words).copied().collect();
            assert_eq!(client.call(&command).code(), "ERR", "{words:?}");
        }
        assert_eq!(client.call(&[&b"PGCACHE.HOOK"[..], b"ADD", b"\xff", b"hit", b"PUBLISH", b"c"]).code(), "ERR");
        assert_eq!(names(&mut client), ["a"]);
        let Reply::Array(help) = client.call(&["PGCACHE.HOOK", "HELP"]) else { panic!("no help") };
        assert!(help.len() > 5);
    });
}

#[test]
fn a_waiting_client_is_told_of_at_its_end() {
    on_every_server(|kind| {
        let database = users();
        let server = start(&kind, &database);
        let mut client = server.client();
        client.read("users", ONE);
        add(&mut client, "end after_command TABLE users FUNCTION note");
        let mut lock = Lock::on(&database, "users");
        let mut reader = server.client();
        reader.send(&["PGCACHE.READ", "users", TWO]);
        lock.await_arrivals(1);
        assert!(noted(&mut client, "after_command").is_empty());
        lock.release();
        assert_eq!(reader.receive().json()["id"], 2);
        await_runs(&mut client, "end", 1);
        let event = &noted(&mut client, "after_command")[0]["event"];
        assert_eq!((&event["command"], &event["key"]["id"]), (&"pgcache.read".into(), &2.into()));
        assert!(event["duration_us"].as_u64().unwrap() > 0);
    });
}
