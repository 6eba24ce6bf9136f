//! Notices of strangers: any role may send on the channel and listen to it, and gains nothing by that.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use support::eventually::PATIENCE;
use support::watched::{await_name, cache, health, is_cached, listening, watch, MODES};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply};

const NOTIFY: &str = "SELECT pg_notify('cache_invalidation', $1)";

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// A session of a role without any rights of its own.
fn stranger(database: &Database<'_>) -> postgres::Client {
    let mut session = database.connect();
    let role = format!("stranger_{}", database.name);
    session.batch_execute(&format!("CREATE ROLE {role}; SET SESSION AUTHORIZATION {role}")).unwrap();
    session
}

/// What a role that listens to the channel hears of `sql`.
fn overheard(listener: &mut postgres::Client, database: &Database<'_>, sql: &str) -> String {
    database.execute(sql);
    let mut notifications = listener.notifications();
    let mut heard = notifications.timeout_iter(PATIENCE);
    loop {
        let payload = heard.next().unwrap().expect("a notice").payload().to_owned();
        if !payload.contains("\"beat\"") {
            return payload;
        }
    }
}

fn foreign_notices(client: &mut Client) -> i64 {
    match health(client).field("foreign_notices") {
        Reply::Integer(count) => count,
        other => panic!("{other:?}"),
    }
}

#[test]
fn forged_notices_drop_nothing_and_are_counted() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(5);
        let server = listening(&kind, &database, "notify");
        let mut client = server.client();
        watch(&mut client, "users");
        let mut stranger = stranger(&database);
        stranger.batch_execute("LISTEN cache_invalidation").unwrap();
        let change = "UPDATE users SET name = 'changed' WHERE id = 2";
        let captured = overheard(&mut stranger, &database, change);
        assert!(captured.starts_with("pgcache:2:") && !captured.contains("\"id\""), "{captured}");
        await_name(&mut client, "users", &user(2), "changed");
        // A read may have brought the name before the notice came.
        assert!(matches!(client.call(&["PGCACHE.BARRIER"]), Reply::Integer(_)));
        for id in [1, 2] {
            cache(&mut client, "users", &user(id));
        }
        let keys = [1, 2].map(|id| client.key("users", &user(id)));
        let (gaps, before) = (health(&mut client).field("gaps"), foreign_notices(&mut client));
        let rel = database.number("SELECT 'users'::regclass::oid::bigint");
        let forged = [
            format!(r#"{{"pgcache":1,"rel":{rel}}}"#),
            format!(r#"{{"pgcache":1,"rel":{rel},"keys":[{{"id":1}}]}}"#),
            "something changed".to_owned(),
            "pgcache:2:".to_owned(),
            "pgcache:2:c29tZXRoaW5nIGNoYW5nZWQ=".to_owned(),
            captured,
        ];
        for payload in &forged {
            stranger.execute(NOTIFY, &[payload]).unwrap();
        }
        eventually("each is counted", || (foreign_notices(&mut client) == before + forged.len() as i64).then_some(()));
        assert_eq!(health(&mut client).field("gaps"), gaps);
        assert_eq!([1, 2].map(|id| client.key("users", &user(id))), keys, "the same epoch");
        assert!([1, 2].iter().all(|id| is_cached(&mut client, "users", &user(*id))));
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        await_name(&mut client, "users", &user(1), "new");
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(foreign_notices(&mut client), before + forged.len() as i64, "ours are not among them");
    });
}

/// Not even where default privileges open whatever is made.
#[test]
fn a_stranger_reads_no_secret_and_writes_no_outbox() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database();
            database.with_users(1).execute(
                "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
                 ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC;
                 ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
                 ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC",
            );
            let server = listening(&kind, &database, mode);
            watch(&mut server.client(), "users");
            let mut stranger = stranger(&database);
            let attempts: &[&str] = match mode {
                "notify" => &["SELECT * FROM pgcache.secret", "SELECT pgcache.seal('x')"],
                _ => &[
                    "INSERT INTO pgcache.outbox (notice) VALUES ('x')",
                    "DELETE FROM pgcache.outbox",
                    "SELECT * FROM pgcache.outbox",
                    "UPDATE pgcache.outbox_state SET incarnation = gen_random_uuid()",
                    "SELECT setval('pgcache.outbox_id_seq', 1000002)",
                    "SELECT setval('pgcache.outbox_state_low_seq', 1000002)",
                ],
            };
            for sql in attempts {
                let error = stranger.batch_execute(sql).expect_err(sql);
                assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{mode}: {sql}");
            }
        }
    });
}
