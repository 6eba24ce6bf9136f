//! The HTTP endpoint on real servers: it shows what the commands show, harms nobody, and ends with the module.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, thread};

use serde_json::Value;
use support::http::{await_snapshot, get, get_from};
use support::server::Setup;
use support::{eventually, on_every_server, port, Client, Database, Kind, Postgres, Reply, Server};

/// A table's name with everything that could end a string, a label or a line.
const HOSTILE: &str = "\"a\"\"b\\c\nd{e}</script>é\"";

const PAGES: [&str; 5] = ["/", "/metrics", "/health", "/stats.json", "/slowlog.json"];

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// A server with an endpoint, and its port.
fn start(setup: Setup) -> (Server, u16) {
    let port = port::free();
    (setup.setting("http_port", &port.to_string()).start(), port)
}

fn with_users(test: impl Fn(&Database<'_>, &Server, &mut Client, u16)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(20);
        database.execute(&format!("CREATE TABLE {HOSTILE} (id int PRIMARY KEY)"));
        let (server, port) = start(Server::setup(&kind).on(&database).setting("slowlog_log_slower_than", "0"));
        test(&database, &server, &mut server.client(), port);
    });
}

/// A bit of everything: hits, misses, absent rows, writes, errors.
fn use_it(client: &mut Client) {
    for id in [1, 1, 1, 2, 99, 99] {
        client.read("users", &user(id));
    }
    client.read(HOSTILE, &user(1));
    client.multiread("users", r#"[{"id":1},{"id":3}]"#);
    client.call(&["PGCACHE.WRITE", "users", &user(5), r#"{"id":5,"name":"row data"}"#]);
    client.invalidate("users", &user(1));
    client.call(&["PGCACHE.FLUSH", "TABLE", "users"]);
    assert_eq!(client.read("users", "x").code(), "ERR");
    assert_eq!(client.read("nothing", "{}").code(), "PGNOTABLE");
}

/// What changes from one second to the next although nothing is done.
const RESTLESS: [&str; 5] =
    ["commands_last_second", "commands_per_second_last_minute", "comparisons", "staleness_ms", "since"];

/// Where the JSON and the reply of a command differ.
fn difference(json: &Value, reply: &Reply, place: &str) -> Option<String> {
    let is_same = match (json, reply) {
        (Value::Object(fields), Reply::Array(flat)) => {
            let differing = fields
                .iter()
                .filter(|(name, _)| !RESTLESS.contains(&name.as_str()))
                .find_map(|(name, value)| difference(value, &reply.field(name), &format!("{place}.{name}")));
            if differing.is_some() {
                return differing;
            }
            fields.len() * 2 == flat.len()
        }
        (Value::Array(values), Reply::Array(replies)) => {
            values.len() == replies.len()
                && values.iter().zip(replies).all(|(json, reply)| difference(json, reply, place).is_none())
        }
        (Value::Null, Reply::Nil) => true,
        (Value::Bool(value), Reply::Integer(integer)) => i64::from(*value) == *integer,
        (Value::Number(number), Reply::Integer(integer)) => number.as_i64() == Some(*integer),
        (Value::Number(number), Reply::Bulk(_)) => number.as_f64() == reply.text().parse().ok(),
        (Value::String(text), Reply::Bulk(_)) => *text == reply.text(),
        _ => false,
    };
    (!is_same).then(|| format!("{place}: {json} and {reply:?}"))
}

#[test]
fn stats_json_is_what_stats_and_health_return() {
    with_users(|_, _, client, port| {
        use_it(client);
        let mut last = String::new();
        let same = (0..10).any(|_| {
            // Nothing is done from here to the reply, so nothing is counted but what is restless.
            await_snapshot(port);
            let page = get(port, "/stats.json").json();
            let (stats, health) = (client.call(&["PGCACHE.STATS"]), client.call(&["PGCACHE.HEALTH"]));
            let found = difference(&page["stats"], &stats, "stats");
            let found = found.or_else(|| difference(&page["health"], &health, "health"));
            last = found.clone().unwrap_or_default();
            found.is_none()
        });
        assert!(same, "{last}");
        let page = get(port, "/stats.json").json();
        assert_eq!(page["version"], env!("CARGO_PKG_VERSION"));
        assert!(page["uptime_s"].is_u64() && page["age_ms"].is_u64());
        assert_eq!(page["stats"]["latency_us"]["command"]["count"], page["stats"]["latency_us"]["main"]["count"]);
        let hostile = "\"a\"\"b\\c\nd{e}</script>é\"";
        assert_eq!(page["stats"]["busiest_tables"][hostile]["misses"], 1);
        let source = &page["health"]["sources"]["default"];
        assert_eq!((&source["waiting"], &source["lease_ms"]), (&0.into(), &600_000.into()));
        assert!(source["staleness_ms"].is_u64(), "{source}");
    });
}

/// Name and labels of each sample, with its value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}")))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

/// What promtool has to say about the page: nothing.
fn assert_clean(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}\n{text}", String::from_utf8_lossy(&said));
}

#[test]
fn metrics_agree_with_stats_and_promtool_finds_nothing() {
    with_users(|_, _, client, port| {
        use_it(client);
        await_snapshot(port);
        let stats = get(port, "/stats.json").json()["stats"].clone();
        let text = get(port, "/metrics").body;
        assert_clean(&text);
        let samples = samples(&text);
        let sample = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
        for (figure, metric) in [
            ("hits", "pgcache_hits_total"),
            ("negative_hits", "pgcache_negative_hits_total"),
            ("misses", "pgcache_misses_total"),
            ("keys_loaded", "pgcache_loaded_keys_total"),
            ("fills", "pgcache_fills_total"),
            ("writes", "pgcache_writes_total"),
            ("invalidations", "pgcache_invalidations_total"),
            ("epochs", "pgcache_table_flushes_total"),
            ("tables", "pgcache_tables"),
        ] {
            assert!(sample(metric) > 0.0, "{metric}");
            assert_eq!(stats[figure].as_f64(), Some(sample(metric)), "{metric}");
        }
        let labelled = |metric: &str, label: &str, value: &str| sample(&format!("{metric}{{{label}=\"{value}\"}}"));
        for (code, count) in stats["errors_by_code"].as_object().unwrap() {
            assert_eq!(Some(labelled("pgcache_errors_total", "code", code)), count.as_f64(), "{code}");
        }
        for (command, told) in stats["commands"].as_object().unwrap() {
            let count = labelled("pgcache_command_duration_seconds_count", "command", command);
            assert_eq!((Some(count), command.starts_with("pgcache.")), (told["calls"].as_f64(), true), "{command}");
            let errors = labelled("pgcache_command_errors_total", "command", command);
            assert_eq!(Some(errors), told["errors"].as_f64(), "{command}");
        }
        for part in ["queue", "postgres"] {
            let count = sample(&format!("pgcache_{part}_duration_seconds_count"));
            assert_eq!(Some(count), stats["latency_us"][part]["count"].as_f64());
        }
        for (table, label) in [("users", "users"), (HOSTILE, r#"\"a\"\"b\\c\nd{e}</script>é\""#)] {
            for figure in ["hits", "misses", "writes", "invalidations"] {
                let metric = labelled(&format!("pgcache_table_{figure}_total"), "table", label);
                assert_eq!(Some(metric), stats["busiest_tables"][table][figure].as_f64(), "{table} {figure}");
            }
        }
        assert_eq!(labelled("pgcache_source_up", "source", "default"), 1.0);
    });
}

#[test]
fn a_reset_is_one_of_every_counter() {
    with_users(|_, _, client, port| {
        use_it(client);
        await_snapshot(port);
        assert!(samples(&get(port, "/metrics").body)["pgcache_misses_total"] > 0.0);
        client.call(&["PGCACHE.STATS", "RESET"]);
        await_snapshot(port);
        let text = get(port, "/metrics").body;
        assert_clean(&text);
        let samples = samples(&text);
        assert_eq!((samples["pgcache_misses_total"], samples["pgcache_postgres_duration_seconds_count"]), (0.0, 0.0));
        assert!(!text.contains("pgcache.read") && !text.contains("table=\""), "{text}");
    });
}

#[test]
fn slowlog_json_is_the_slow_log_without_row_data() {
    with_users(|_, _, client, port| {
        use_it(client);
        await_snapshot(port);
        let page = get(port, "/slowlog.json").json();
        let Reply::Array(kept) = client.call(&["PGCACHE.SLOWLOG", "GET", "-1"]) else { panic!("no list") };
        assert_eq!(page.as_array().unwrap().len(), kept.len());
        for (shown, kept) in page.as_array().unwrap().iter().zip(&kept) {
            for field in [
                "id",
                "time_ms",
                "duration_us",
                "queue_us",
                "postgres_us",
                "catalog_us",
                "main_us",
                "client",
                "command",
                "error",
            ] {
                assert_eq!(difference(&shown[field], &kept.field(field), field), None);
            }
        }
        let write = page.as_array().unwrap().iter().find(|slow| slow["command"] == "pgcache.write").unwrap();
        assert_eq!(write["arguments"], serde_json::json!(["users", user(5)]));
        assert!(!page.to_string().contains("row data"), "{page}");
    });
}

#[test]
fn health_is_503_while_postgresql_is_gone() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        let (server, port) = start(Server::setup(&kind).on(&database));
        eventually("all is well", || {
            let answer = get(port, "/health");
            (answer.status == 200 && answer.json()["reasons"] == serde_json::json!([])).then_some(())
        });
        postgres.stop();
        let told = eventually("it is not", || Some(get(port, "/health")).filter(|answer| answer.status == 503)).json();
        assert_eq!(told["status"], "unhealthy");
        assert!(told["reasons"][0].as_str().unwrap().starts_with("source default is down: "), "{told}");
        let health = server.client().call(&["PGCACHE.HEALTH"]);
        assert_eq!(health.field("status").text(), "unhealthy");
        assert!(matches!(health.field("reasons"), Reply::Array(reasons) if reasons.len() == 1), "{health:?}");
        assert!(get(port, "/metrics").body.contains("\npgcache_source_up{source=\"default\"} 0\n"));
        postgres.start_again();
        eventually("all is well again", || (get(port, "/health").status == 200).then_some(()));
    });
}

#[test]
fn a_stuck_main_thread_is_seen_and_every_page_is_served_meanwhile() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let (server, port) = start(Server::setup(&kind).on(&database));
        eventually("all is well", || (get(port, "/health").status == 200).then_some(()));
        let is_seen = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                // Again, should this machine stand still while the server sleeps.
                for _ in 0..10 {
                    server.client().call(&["DEBUG", "SLEEP", "8"]);
                    if is_seen.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
            let told = eventually("it is stuck", || Some(get(port, "/health")).filter(|answer| answer.status == 503));
            assert!(told.body.contains("main thread"), "{told:?}");
            for page in PAGES {
                assert_eq!(get(port, page).status, if page == "/health" { 503 } else { 200 }, "{page}");
            }
            assert!(get(port, "/stats.json").json()["age_ms"].as_u64().unwrap() > 5000);
            is_seen.store(true, Ordering::Relaxed);
        });
        eventually("all is well again", || (get(port, "/health").status == 200).then_some(()));
    });
}

/// The ports that a process listens on.
fn listening(pid: u32) -> BTreeSet<u16> {
    let sockets: BTreeSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|fields| fields[3] == "0A" && sockets.contains(fields[9]))
        .map(|fields| u16::from_str_radix(fields[1].rsplit(':').next().unwrap(), 16).unwrap())
        .collect()
}

fn has_thread(server: &Server) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let mut names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.any(|name| name.trim() == "pgcache-http")
}

#[test]
fn nothing_listens_unless_it_is_asked_for() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let server = Server::start(&kind, &database);
        assert_eq!((listening(server.pid()), has_thread(&server)), ([server.port()].into(), false));
        let (server, port) = start(Server::setup(&kind).on(&database));
        assert_eq!((listening(server.pid()), has_thread(&server)), ([server.port(), port].into(), true));
        assert_eq!(get_from(port, "/stats.json", "evil.example").status, 403);
        assert!(get(port, "/").head.contains("content-security-policy: default-src 'none'"));
        assert_eq!(get(port, "/nothing").status, 404);
    });
}

#[test]
fn beyond_loopback_every_host_is_answered_and_the_log_warns() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let (server, port) = start(Server::setup(&kind).on(&database).setting("http_bind", "0.0.0.0"));
        assert_eq!(get_from(port, "/stats.json", "cache.example").status, 200);
        assert!(server.log().contains(&format!("whoever reaches 0.0.0.0:{port} reads")), "{}", server.log());
    });
}

#[test]
fn a_port_that_is_taken_stops_the_load() {
    on_every_server(|kind| {
        let port = port::free();
        let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let log = Server::setup(&kind).setting("http_port", &port.to_string()).refused();
        let wanted = format!("not loaded: ERR http_port: cannot listen on 127.0.0.1 port {port}: ");
        assert!(log.contains(&wanted), "{log}");
        drop(taken);
        let setup = Server::setup(&kind).setting("http_port", &port.to_string());
        let log = setup.setting("http_bind", "192.0.2.1").refused();
        assert!(log.contains("cannot listen on 192.0.2.1"), "{log}");
    });
}

fn load(kind: &Kind, client: &mut Client, port: u16) {
    let module = support::server::module();
    let port = port.to_string();
    let loaded = client.call(&["MODULE", "LOADEX", module.to_str().unwrap(), "ARGS", "http_port", &port]);
    assert_eq!(loaded, Reply::Simple("OK".into()), "{}", kind.name);
}

#[test]
fn the_port_is_free_after_an_unload_and_taken_again_by_a_reload() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).without_module().config("enable-module-command", "yes").start();
        let mut client = server.client();
        let port = port::free();
        for _ in 0..3 {
            load(&kind, &mut client, port);
            assert_eq!(get(port, "/").status, 200);
            let silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.unload_module();
            assert_eq!((listening(server.pid()), has_thread(&server)), ([server.port()].into(), false));
            drop((TcpListener::bind(("127.0.0.1", port)).unwrap(), silent));
        }
        load(&kind, &mut client, port);
        eventually("it is at work", || (get(port, "/stats.json").status == 200).then_some(()));
    });
}

#[test]
fn a_restarted_server_has_its_port_again() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let (server, port) = start(Server::setup(&kind).on(&database));
        let silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (server, _) = server.shutdown_and_restart("NOSAVE");
        assert_eq!(get(port, "/stats.json").status, 200);
        drop((server, silent));
    });
}

#[test]
fn no_password_is_on_any_page() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        database.execute("CREATE ROLE locked_out LOGIN PASSWORD 'hunter2'; DROP ROLE locked_out");
        let closed = port::free().to_string();
        let setup = Server::setup(&kind).on(&database).env("PGCACHE_PG_PASSWORD", "hunter2");
        let setup = setup.env("PGCACHE_OTHER_PG_PASSWORD", "hunter2").setting("other.pg_port", &closed);
        let (server, port) = start(setup.setting("slowlog_log_slower_than", "0"));
        let mut client = server.client();
        use_it_without_hostile(&mut client);
        eventually("the other source is down", || {
            let health = get(port, "/health").json();
            (health["status"] == "degraded").then_some(())
        });
        await_snapshot(port);
        for page in PAGES {
            let answer = get(port, page);
            assert!(answer.status == 200 && !answer.body.contains("hunter2"), "{page}: {}", answer.body);
        }
    });
}

fn use_it_without_hostile(client: &mut Client) {
    client.read("users", &user(1));
    client.read("other:users", &user(1));
}

#[test]
fn requests_by_the_thousand_harm_nobody() {
    with_users(|_, server, client, port| {
        use_it(client);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for page in PAGES.iter().cycle().take(250) {
                        assert_ne!(get(port, page).status, 404);
                    }
                });
            }
            for id in (1..=20).cycle().take(2000) {
                client.read("users", &user(id));
            }
        });
        assert_eq!(listening(server.pid()).len(), 2);
        let files = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
        assert!(files < 200, "{files} files are open");
    });
}

#[test]
fn latencies_of_late_come_and_go() {
    with_users(|_, _, client, port| {
        for _ in 0..50 {
            client.read("users", &user(1));
        }
        let count = |figures: &Value| figures["command"]["count"].as_u64().unwrap();
        eventually("a second without commands", || {
            let page = get(port, "/stats.json").json();
            let (recent, all) = (count(&page["recent_latency_us"]), count(&page["stats"]["latency_us"]));
            (recent == 0 && all >= 50).then_some(())
        });
        client.read("users", &user(1));
        let recent = eventually("the command is told of", || {
            let page = get(port, "/stats.json").json();
            Some(page["recent_latency_us"].clone()).filter(|recent| count(recent) > 0)
        });
        assert_eq!(count(&recent), 1);
    });
}
