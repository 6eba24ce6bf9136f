//! Listening to a real PostgreSQL: nothing lost, nothing twice, and every doubt told.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use pgcache::cache::lease::Gap;
use pgcache::cache::notice::{Notice, Relation};
use pgcache::cache::table::TableDefinition;
use pgcache::cdc::install::{self, Mode};
use pgcache::postgres::catalog::describe as describe_relation;
use pgcache::postgres::Source;
use pgcache::settings::{self, Invalidation};
use pgcache::workers::messages::FeedEvent;
use support::eventually::PATIENCE;
use support::pgbouncer::PgBouncer;
use support::process::{freeze, kill};
use support::{eventually, Database, Postgres, Subscriber, FOREVER_MS};

const NOTIFY: [(&str, &str); 1] = [("invalidation", "notify")];
const OUTBOX: [(&str, &str); 1] = [("invalidation", "outbox")];

/// What WATCH ADD makes for `invalidation outbox`.
const MAKE_OUTBOX: &str = "
    CREATE SCHEMA pgcache;
    CREATE UNLOGGED TABLE pgcache.outbox (
        id bigint GENERATED ALWAYS AS IDENTITY,
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        notice text NOT NULL);
    CREATE INDEX outbox_xid ON pgcache.outbox (xid);
    CREATE UNLOGGED TABLE pgcache.outbox_state (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        incarnation uuid NOT NULL DEFAULT gen_random_uuid(),
        low bigint GENERATED ALWAYS AS IDENTITY,
        trim_snapshot pg_snapshot,
        trimmed_at timestamptz);
    INSERT INTO pgcache.outbox_state DEFAULT VALUES;";

/// A way to tell of changes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Notify,
    Outbox,
}

impl Way {
    const BOTH: [Self; 2] = [Self::Notify, Self::Outbox];

    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Notify => &NOTIFY,
            Self::Outbox => &OUTBOX,
        }
    }

    /// The statement that tells of a change, as a trigger does, with the text in `$1`.
    fn tell(self) -> &'static str {
        match self {
            Self::Notify => "SELECT pg_notify('cache_invalidation', pgcache.seal($1))",
            Self::Outbox => "INSERT INTO pgcache.outbox (notice) VALUES ($1)",
        }
    }

    fn prepare(self, database: &Database<'_>) {
        match self {
            Self::Notify => make_secret(database),
            Self::Outbox => {
                database.execute(MAKE_OUTBOX);
            }
        }
    }

    fn say(self, database: &Database<'_>, number: u32) {
        database.connect().execute(self.tell(), &[&table_notice(number)]).unwrap();
    }
}

/// What proves notices, which WATCH ADD makes for `invalidation notify`.
fn make_secret(database: &Database<'_>) {
    database.execute("CREATE TABLE with_secret (id int PRIMARY KEY)");
    let mut client = database.connect();
    let allow = settings::load(&[], []).unwrap().settings.sources[0].allow_tables.clone();
    let script = install::sql(&mut client, "with_secret", Mode::Notify, &allow).unwrap().unwrap();
    client.batch_execute(&script.triggers).unwrap();
}

fn table_notice(number: u32) -> String {
    format!(r#"{{"pgcache":1,"rel":{number}}}"#)
}

/// The numbers in the notices that were heard.
fn numbers(subscriber: &Subscriber) -> Vec<u32> {
    let number = |notice| match notice {
        Notice::Table(Relation::Oid(number)) => number,
        other => panic!("{other:?}"),
    };
    subscriber.notices().into_iter().map(number).collect()
}

/// A listening thread that has caught up.
fn live(database: &Database<'_>, way: Way) -> Subscriber {
    let mut subscriber = Subscriber::on(database, way.settings());
    subscriber.catch_up();
    subscriber
}

/// The backend that listens, once it is alone: the connection that sent the first heartbeat may end a little later.
fn backend(database: &Database<'_>) -> u32 {
    let sql = "SELECT pid FROM pg_stat_activity
                WHERE application_name = 'pgcache/notices' AND datname = current_database()";
    eventually("a backend listens", || {
        let rows = database.connect().query(sql, &[]).unwrap();
        (rows.len() == 1).then(|| rows[0].get::<_, i32>(0) as u32)
    })
}

#[test]
fn the_first_session_has_a_gap() {
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        let mut subscriber = Subscriber::on(&database, way.settings());
        assert_eq!(subscriber.opened(), Some(Gap::Connected), "{way:?}");
        subscriber.catch_up();
        assert_eq!(subscriber.gaps(), [Gap::Connected], "{way:?}");
    }
}

/// Writers whose transactions overlap, last for a random time and partly roll back.
#[test]
fn every_committed_notice_is_told_once() {
    const WRITERS: u32 = 8;
    const TRANSACTIONS: u32 = 60;
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        let (mut one, mut other) = (live(&database, way), live(&database, way));
        let write = |writer: u32| {
            let (mut client, mut committed) = (database.connect(), Vec::new());
            for round in 0..TRANSACTIONS {
                let mut transaction = client.transaction().unwrap();
                let texts = [0, 1].map(|n| (writer * TRANSACTIONS + round) * 2 + n);
                for number in texts {
                    transaction.execute(way.tell(), &[&table_notice(number)]).unwrap();
                    let pause = fastrand::u64(0..if round % 10 == 0 { 40 } else { 4 });
                    thread::sleep(Duration::from_millis(pause));
                }
                if fastrand::u32(0..5) == 0 {
                    transaction.rollback().unwrap();
                } else {
                    transaction.commit().unwrap();
                    committed.extend(texts);
                }
            }
            committed
        };
        let committed: Vec<u32> = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        for subscriber in [&mut one, &mut other] {
            subscriber.catch_up();
            let told = numbers(subscriber);
            assert_eq!(told.len(), committed.len(), "{way:?}: lost or twice");
            assert_eq!(told.iter().collect::<BTreeSet<_>>(), committed.iter().collect::<BTreeSet<_>>());
            assert_eq!(subscriber.gaps(), [Gap::Connected], "{way:?}");
            assert_each_writer_in_order(&told, TRANSACTIONS * 2);
        }
    }
}

fn assert_each_writer_in_order(told: &[u32], per_writer: u32) {
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    for number in told {
        let before = last.insert(number / per_writer, *number);
        assert!(before.is_none_or(|before| before < *number), "{before:?} before {number}");
    }
}

#[test]
fn a_transaction_that_commits_late_is_told_late() {
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        let mut client = database.connect();
        let mut early = client.transaction().unwrap();
        early.execute(way.tell(), &[&table_notice(1)]).unwrap();
        way.say(&database, 2);
        subscriber.catch_up();
        assert_eq!(numbers(&subscriber), [2], "{way:?}");
        early.commit().unwrap();
        subscriber.catch_up();
        assert_eq!(numbers(&subscriber), [2, 1], "{way:?}");
    }
}

#[test]
fn more_notices_than_one_look_takes_are_told_once() {
    let database = Postgres::shared().database();
    database.execute(MAKE_OUTBOX);
    let mut subscriber = live(&database, Way::Outbox);
    for first in [0, 5000] {
        database.execute(&format!(
            "INSERT INTO pgcache.outbox (notice)
             SELECT format('{{\"pgcache\":1,\"rel\":%s}}', n) FROM generate_series({first}, {first} + 4999) n"
        ));
    }
    subscriber.catch_up();
    assert_eq!(numbers(&subscriber), (0..10_000).collect::<Vec<_>>());
}

#[test]
fn heartbeats_come_back_in_time() {
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        subscriber.heard.clear();
        while subscriber.beats().len() < 9 {
            subscriber.catch_up();
        }
        let beats = subscriber.beats();
        let mut pauses: Vec<Duration> = beats.windows(2).map(|pair| pair[1] - pair[0]).collect();
        pauses.sort_unstable();
        // Some of them may be long, and those after them short, when the machine stands still.
        let usual = pauses[pauses.len() / 2];
        assert!((Duration::from_millis(25)..Duration::from_secs(1)).contains(&usual), "{way:?}: {pauses:?}");
    }
}

/// A heartbeat says that everything committed before it was sent has been told.
#[test]
fn no_heartbeat_overtakes_a_notice() {
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        for number in 0..40 {
            way.say(&database, number);
            subscriber.catch_up();
            assert_eq!(numbers(&subscriber).last(), Some(&number), "{way:?}");
        }
    }
}

/// How long after the commit a notice is there; the figures show with `--nocapture`.
#[test]
fn notices_come_at_once() {
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        let mut client = database.connect();
        let mut took: Vec<Duration> = (0..300)
            .map(|number| {
                client.execute(way.tell(), &[&table_notice(number)]).unwrap();
                let committed = Instant::now();
                subscriber.until("the notice", |event| matches!(event, FeedEvent::Notices { .. }).then_some(()));
                committed.elapsed()
            })
            .collect();
        took.sort_unstable();
        println!("{way:?}: p10 {:?}, p50 {:?}, p99 {:?}, max {:?}", took[30], took[150], took[297], took[299]);
        // Notices that wait for something wait nearly every time; those that wait for a processor do not.
        assert!(took[30] < Duration::from_millis(50), "{way:?}: {took:?}");
    }
}

/// Only our functions can prove a text or write it to the outbox: one that cannot be read is of a later version.
#[test]
fn a_proven_text_that_is_no_notice_is_a_gap() {
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        database.connect().execute(way.tell(), &[&"users"]).unwrap();
        subscriber.gap(Gap::Unreadable);
        way.say(&database, 7);
        subscriber.catch_up();
        assert_eq!(numbers(&subscriber), [7], "{way:?}");
    }
}

#[test]
fn a_text_that_is_no_notice_is_counted_and_ignored() {
    let database = Postgres::shared().database();
    Way::Notify.prepare(&database);
    let mut subscriber = live(&database, Way::Notify);
    let tell = "SELECT pg_notify('cache_invalidation', $1)";
    for text in ["users", "pgcache:2:users", &table_notice(7)] {
        database.connect().execute(tell, &[&text]).unwrap();
    }
    let mut foreign = 0;
    subscriber.until("three notices are counted", |event| {
        foreign += if let FeedEvent::Foreign(count) = event { *count } else { 0 };
        (foreign == 3).then_some(())
    });
    Way::Notify.say(&database, 8);
    subscriber.catch_up();
    assert_eq!((numbers(&subscriber), subscriber.gaps()), (vec![8], vec![Gap::Connected]));
}

#[test]
fn heartbeats_of_others_are_not_ours() {
    let database = Postgres::shared().database();
    let mut subscriber = live(&database, Way::Notify);
    database.execute(r#"NOTIFY cache_invalidation, '{"pgcache":1,"beat":"somebody-1"}'"#);
    subscriber.catch_up();
    assert!(subscriber.notices().is_empty());
    assert_eq!(subscriber.gaps(), [Gap::Connected]);
}

#[test]
fn a_terminated_backend_is_replaced() {
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        database.execute(&format!("SELECT pg_terminate_backend({})", backend(&database)));
        way.say(&database, 7);
        let reason = subscriber.closed();
        // A poll on its way may meet the closed socket first, whose reset takes PostgreSQL's last words with it.
        let is_lost = ["reset by peer", "Broken pipe", "connection closed"];
        let is_cut_short = matches!(way, Way::Outbox) && is_lost.iter().any(|words| reason.contains(words));
        assert!(reason.contains("terminating connection") || is_cut_short, "{way:?}: {reason}");
        let gap = subscriber.opened();
        subscriber.catch_up();
        match way {
            Way::Notify => assert_eq!(gap, Some(Gap::Reconnected)),
            // What is in the table is not lost with the connection.
            Way::Outbox => assert_eq!((gap, numbers(&subscriber)), (None, vec![7])),
        }
    }
}

#[test]
fn a_restart_is_a_gap() {
    for way in Way::BOTH {
        let postgres = Postgres::start();
        let database = postgres.database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        postgres.restart();
        assert!(!subscriber.closed().is_empty());
        assert_eq!(subscriber.opened(), Some(Gap::Restarted), "{way:?}");
        subscriber.catch_up();
    }
}

/// The postmaster lives on when a backend crashes, and empties the outbox.
#[test]
fn a_crash_is_a_gap() {
    for way in Way::BOTH {
        let postgres = Postgres::start();
        let database = postgres.database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        let victim = database.number("SELECT pg_backend_pid()::bigint");
        assert!(victim > 0);
        kill(backend(&database), libc::SIGKILL);
        assert!(!subscriber.closed().is_empty());
        let gap = subscriber.opened();
        match way {
            Way::Notify => assert_eq!(gap, Some(Gap::Reconnected)),
            Way::Outbox => assert_eq!(gap, Some(Gap::Recreated)),
        }
        way.say(&database, 7);
        subscriber.catch_up();
        assert_eq!(numbers(&subscriber), [7], "{way:?}");
    }
}

/// A prepared transaction survives a crash, and what it wrote to the outbox does not.
#[test]
fn a_prepared_transaction_that_a_crash_robbed_of_its_notice_is_a_gap() {
    let postgres = Postgres::start_with("max_prepared_transactions=4");
    let database = postgres.database();
    database.execute(MAKE_OUTBOX);
    let prepare = |name: &str| {
        let tell = format!("INSERT INTO pgcache.outbox (notice) VALUES ('{}')", table_notice(7));
        database.execute(&format!("BEGIN; {tell}; PREPARE TRANSACTION '{name}'"));
    };
    let mut before = live(&database, Way::Outbox);
    prepare("one");
    prepare("other");
    postgres.kill();
    postgres.start_again();
    let mut after = live(&database, Way::Outbox);
    assert_eq!(before.opened(), Some(Gap::Restarted));
    before.catch_up();
    for (count, name) in [(1, "one"), (2, "other")] {
        database.execute(&format!("COMMIT PREPARED '{name}'"));
        for subscriber in [&mut before, &mut after] {
            subscriber.catch_up();
            let gaps = subscriber.gaps();
            assert_eq!(gaps.iter().filter(|gap| **gap == Gap::Recreated).count(), count, "{gaps:?}");
        }
    }
}

#[test]
fn an_immediate_shutdown_is_a_gap() {
    for way in Way::BOTH {
        let postgres = Postgres::start();
        let database = postgres.database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        postgres.kill();
        assert!(!subscriber.closed().is_empty());
        postgres.start_again();
        assert_eq!(subscriber.opened(), Some(Gap::Restarted), "{way:?}");
        way.say(&database, 7);
        subscriber.catch_up();
        assert_eq!(numbers(&subscriber), [7], "{way:?}");
    }
}

#[test]
fn a_standby_is_refused_until_it_is_promoted() {
    for way in Way::BOTH {
        let primary = Postgres::start();
        let database = primary.database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        let standby = primary.standby();
        primary.stop();
        standby.stop();
        standby.use_port(primary.port());
        standby.start_again();
        subscriber.until("the standby is refused", |event| format!("{event:?}").contains("is a standby").then_some(()));
        // Its port is the primary's.
        primary.connect("postgres").unwrap().batch_execute("SELECT pg_promote()").unwrap();
        assert_eq!(subscriber.opened(), Some(Gap::FailedOver), "{way:?}");
        way.say(&database, 7);
        subscriber.catch_up();
        assert_eq!(numbers(&subscriber), [7], "{way:?}");
    }
}

/// Nothing can be missed meanwhile: when it wakes, it goes on.
#[test]
fn a_stopped_backend_sends_no_heartbeat() {
    for way in Way::BOTH {
        let postgres = Postgres::start();
        let database = postgres.database();
        way.prepare(&database);
        let mut subscriber = live(&database, way);
        let pid = backend(&database);
        freeze(pid);
        way.say(&database, 7);
        let stopped = Instant::now();
        subscriber.listen_for(Duration::from_secs(3));
        kill(pid, libc::SIGCONT);
        assert!(subscriber.beats().iter().all(|sent| *sent < stopped), "{way:?}");
        subscriber.catch_up();
        assert_eq!((numbers(&subscriber), subscriber.gaps()), (vec![7], vec![Gap::Connected]), "{way:?}");
    }
}

#[test]
fn a_missing_outbox_is_looked_for() {
    let database = Postgres::shared().database();
    let mut subscriber = live(&database, Way::Outbox);
    database.execute(MAKE_OUTBOX);
    subscriber.gap(Gap::Recreated);
    Way::Outbox.say(&database, 7);
    subscriber.catch_up();
    assert_eq!(numbers(&subscriber), [7]);
    database.execute("DROP SCHEMA pgcache CASCADE");
    subscriber.gap(Gap::Recreated);
    subscriber.catch_up();
}

#[test]
fn an_outbox_made_anew_is_a_gap() {
    // Other tests' transactions would be in doubt as well.
    let postgres = Postgres::start();
    let database = postgres.database();
    database.execute(MAKE_OUTBOX);
    let mut subscriber = live(&database, Way::Outbox);
    database.execute(&format!("BEGIN; DROP SCHEMA pgcache CASCADE; {MAKE_OUTBOX}; COMMIT"));
    subscriber.gap(Gap::Recreated);
    subscriber.catch_up();
    assert_eq!(subscriber.gaps(), [Gap::Connected, Gap::Recreated]);
}

#[test]
fn a_full_outbox_is_a_gap_for_everybody_and_takes_notices_again() {
    let postgres = Postgres::start();
    let database = postgres.database();
    database.execute(MAKE_OUTBOX);
    let (mut one, mut other) = (live(&database, Way::Outbox), live(&database, Way::Outbox));
    // It may have left something out, which shows once it commits.
    let mut client = database.connect();
    let mut open = client.transaction().unwrap();
    open.execute("SELECT pg_current_xact_id()", &[]).unwrap();
    database.execute("SELECT setval('pgcache.outbox_id_seq', 1000002)");
    let room =
        "SELECT 1000000 - (last_value - (SELECT last_value FROM pgcache.outbox_state_low_seq)) FROM pgcache.outbox_id_seq";
    eventually("there is room", || (database.number(room) == 1_000_000).then_some(()));
    for subscriber in [&mut one, &mut other] {
        subscriber.catch_up();
        assert_eq!(subscriber.gaps().len(), 2, "{:?}", subscriber.gaps());
        assert!(subscriber.gaps().iter().skip(1).all(|gap| matches!(gap, Gap::Overflow | Gap::Recreated)));
    }
    assert!([&one, &other].iter().any(|subscriber| subscriber.gaps().contains(&Gap::Overflow)));
    open.commit().unwrap();
    Way::Outbox.say(&database, 7);
    for subscriber in [&mut one, &mut other] {
        subscriber.catch_up();
        assert_eq!((subscriber.gaps().len(), numbers(subscriber)), (3, vec![7]), "{:?}", subscriber.gaps());
    }
}

#[test]
fn a_look_after_too_long_is_a_gap() {
    let postgres = Postgres::start();
    let database = postgres.database();
    database.execute(MAKE_OUTBOX);
    let mut subscriber = live(&database, Way::Outbox);
    let pid = backend(&database);
    freeze(pid);
    thread::sleep(Duration::from_secs(31));
    kill(pid, libc::SIGCONT);
    subscriber.gap(Gap::Trimmed);
    subscriber.catch_up();
}

#[test]
fn rows_that_everybody_has_read_are_removed() {
    let database = Postgres::shared().database();
    database.execute(MAKE_OUTBOX);
    let mut subscriber = live(&database, Way::Outbox);
    database.execute(
        "INSERT INTO pgcache.outbox (notice) SELECT '{\"pgcache\":1,\"rel\":1}' FROM generate_series(1, 5000)",
    );
    // The snapshot would not see its own transaction's rows. Both at once: whoever trims in between, trims no more.
    database.execute(
        "UPDATE pgcache.outbox_state
         SET trimmed_at = now() - interval '61 s', trim_snapshot = pg_current_snapshot()",
    );
    Way::Outbox.say(&database, 7);
    eventually("the old rows are gone", || (database.number("SELECT count(*) FROM pgcache.outbox") == 1).then_some(()));
    assert!(database.number("SELECT last_value FROM pgcache.outbox_state_low_seq") >= 5000);
    assert_eq!(
        database.text("SELECT (trimmed_at > now() - interval '50 s')::text FROM pgcache.outbox_state").as_deref(),
        Some("true")
    );
    subscriber.catch_up();
    assert_eq!((numbers(&subscriber).len(), subscriber.gaps()), (5001, vec![Gap::Connected]));
}

#[test]
fn an_outbox_works_through_a_pooler() {
    let postgres = Postgres::start();
    let database = postgres.database();
    database.execute(MAKE_OUTBOX);
    let pooler = PgBouncer::start(&postgres, 3);
    let mut subscriber = Subscriber::at(pooler.port(), &database.name, &OUTBOX);
    assert_eq!(subscriber.opened(), Some(Gap::Connected));
    for number in 0..20 {
        Way::Outbox.say(&database, number);
    }
    subscriber.catch_up();
    assert_eq!(numbers(&subscriber), (0..20).collect::<Vec<_>>());
    // The connection to the pooler outlives the server behind it.
    postgres.restart();
    subscriber.until("a gap", |event| format!("{event:?}").contains("Restarted").then_some(()));
    Way::Outbox.say(&database, 20);
    subscriber.catch_up();
    assert_eq!(numbers(&subscriber).last(), Some(&20));
}

#[test]
fn notify_does_not_become_live_through_a_pooler() {
    let postgres = Postgres::start();
    let database = postgres.database();
    // One connection to the server: then a heartbeat sent on the session itself would come back.
    for pool_size in [1, 3] {
        let pooler = PgBouncer::start(&postgres, pool_size);
        let mut subscriber =
            Subscriber::at(pooler.port(), &database.name, &[("invalidation", "notify"), ("max_staleness_ms", "500")]);
        assert!(subscriber.closed().contains("LISTEN does not get through"), "{:?}", subscriber.heard);
        subscriber.listen_for(Duration::from_secs(2));
        assert!(subscriber.beats().is_empty() && subscriber.gaps().is_empty(), "{:?}", subscriber.heard);
    }
}

#[test]
fn the_thread_ends_promptly() {
    const PROMPTLY: Duration = Duration::from_secs(10);
    let postgres = Postgres::start();
    for way in Way::BOTH {
        let database = postgres.database();
        way.prepare(&database);
        // A thread that does not look whether it is to end never ends; a slow machine only takes its time.
        assert!(live(&database, way).stop(PROMPTLY), "{way:?}");
        postgres.stop();
        let mut subscriber = Subscriber::on(&database, way.settings());
        assert!(!subscriber.closed().is_empty());
        assert!(subscriber.stop(PROMPTLY), "{way:?}");
        postgres.start_again();
    }
}

#[test]
fn a_role_with_the_rights_that_watch_add_grants_is_enough() {
    let postgres = Postgres::start();
    let database = postgres.database();
    database.execute(MAKE_OUTBOX);
    database.execute(
        "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA pgcache TO reader;
         GRANT SELECT, DELETE ON pgcache.outbox TO reader;
         GRANT SELECT, INSERT, UPDATE ON pgcache.outbox_state TO reader;
         GRANT SELECT ON SEQUENCE pgcache.outbox_id_seq TO reader;
         GRANT SELECT, UPDATE ON SEQUENCE pgcache.outbox_state_low_seq TO reader;
         ALTER ROLE reader SET default_transaction_read_only = on;
         INSERT INTO pgcache.outbox (notice) SELECT '{\"pgcache\":1,\"rel\":1}' FROM generate_series(1, 10);
         UPDATE pgcache.outbox_state SET trimmed_at = now() - interval '61 s'",
    );
    database.execute("UPDATE pgcache.outbox_state SET trim_snapshot = pg_current_snapshot()");
    let mut subscriber = Subscriber::on(&database, &[("invalidation", "outbox"), ("pg_user", "reader")]);
    subscriber.catch_up();
    database.execute("SELECT setval('pgcache.outbox_id_seq', 2000000)");
    subscriber.gap(Gap::Overflow);
    eventually("trimmed", || (database.number("SELECT count(*) FROM pgcache.outbox") == 0).then_some(()));
    // A crash takes the state away, and the role gives it another.
    database.execute("SELECT setval('pgcache.outbox_id_seq', 1); DELETE FROM pgcache.outbox_state");
    subscriber.gap(Gap::Recreated);
    subscriber.catch_up();
    let mut subscriber = Subscriber::on(&database, &[("invalidation", "notify"), ("pg_user", "reader")]);
    subscriber.catch_up();
}

/// The fingerprint as it is now.
fn fingerprint(subscriber: &mut Subscriber, oid: u32) -> Option<i64> {
    subscriber.compare();
    let found = subscriber.heard.iter().rev().find_map(|event| match event {
        FeedEvent::Fingerprints(seen) => seen.iter().find(|(known, _)| *known == oid).map(|(_, print)| *print),
        _ => None,
    });
    found.unwrap()
}

fn oid(database: &Database<'_>, name: &str) -> u32 {
    database.number(&format!("SELECT '{name}'::regclass::oid::bigint")) as u32
}

/// Follows the fingerprint of `name` over statements, each with whether it is to change.
fn assert_fingerprints(setup: &str, name: &str, steps: &[(&str, bool)]) {
    for way in Way::BOTH {
        let database = Postgres::shared().database();
        way.prepare(&database);
        database.execute(setup);
        let relation = oid(&database, name);
        let display = database.text(&format!("SELECT {relation}::regclass::text")).unwrap();
        let mut subscriber = live(&database, way);
        subscriber.known.set(vec![(relation, display)]);
        let mut last = fingerprint(&mut subscriber, relation);
        assert!(last.is_some());
        for (sql, changes) in steps {
            for statement in sql.split(";;") {
                database.execute(statement);
            }
            let now = fingerprint(&mut subscriber, relation);
            assert_eq!(now != last, *changes, "{way:?}: {sql}");
            last = now;
        }
    }
}

#[test]
fn a_fingerprint_changes_with_the_definition_and_with_nothing_else() {
    assert_fingerprints(
        "CREATE DOMAIN amount AS int; CREATE TYPE mood AS ENUM ('a');
         CREATE TYPE pair AS (a int, b int);
         CREATE TABLE t (id int PRIMARY KEY, v text, n amount, m mood, p pair[]);
         CREATE TABLE parent (id int, v varchar(200));
         CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "t",
        &[
            ("INSERT INTO t SELECT n, n::text FROM generate_series(1, 1000) n", false),
            ("UPDATE t SET v = v || 'x'; DELETE FROM t WHERE id < 10", false),
            ("ANALYZE t;;VACUUM t;;VACUUM FREEZE ANALYZE t", false),
            ("CREATE INDEX t_v ON t (v)", false),
            ("DROP INDEX t_v", false),
            ("CREATE TABLE unrelated (id int PRIMARY KEY)", false),
            ("ALTER TABLE t ADD COLUMN w int", true),
            ("ALTER TABLE t RENAME COLUMN w TO x", true),
            ("ALTER TABLE t ALTER COLUMN x TYPE bigint", true),
            ("ALTER TABLE t ALTER COLUMN v TYPE varchar(100)", true),
            ("ALTER TABLE t ALTER COLUMN v TYPE varchar(200)", true),
            ("ALTER TABLE t DROP COLUMN x", true),
            ("CREATE UNIQUE INDEX t_v ON t (v)", true),
            ("DROP INDEX t_v", true),
            ("CREATE UNIQUE INDEX t_v ON t (v) WHERE id > 5", true),
            ("ALTER TABLE t DROP CONSTRAINT t_pkey", true),
            ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", true),
            ("CREATE POLICY seen ON t USING (id > 0)", true),
            ("ALTER POLICY seen ON t USING (id > 1)", true),
            ("DROP POLICY seen ON t", true),
            ("ALTER TABLE t FORCE ROW LEVEL SECURITY", true),
            ("ALTER TYPE mood ADD VALUE 'b'", true),
            ("ALTER TYPE mood RENAME VALUE 'b' TO 'c'", true),
            ("ALTER TYPE pair ADD ATTRIBUTE c int", true),
            ("CREATE TRIGGER pgcache_insert AFTER INSERT ON t EXECUTE FUNCTION told()", true),
            ("ALTER TABLE t ENABLE ALWAYS TRIGGER pgcache_insert", true),
            ("ALTER TABLE t DISABLE TRIGGER pgcache_insert", true),
            ("CREATE OR REPLACE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN  RETURN NULL; END'", true),
            ("DROP TRIGGER pgcache_insert ON t", true),
            ("ALTER TABLE t INHERIT parent", true),
            ("ALTER TABLE parent ADD COLUMN n2 int", true),
            ("ALTER TABLE t NO INHERIT parent", true),
            ("TRUNCATE t", true),
            ("VACUUM FULL t", true),
            ("ALTER SCHEMA public RENAME TO private", true),
        ],
    );
}

#[test]
fn a_partitioned_table_and_each_partition_change_with_each_other() {
    let setup = "CREATE TABLE root (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
        CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
        CREATE TABLE leaf PARTITION OF low FOR VALUES FROM (0) TO (5);
        CREATE TABLE high PARTITION OF root FOR VALUES FROM (10) TO (20);
        CREATE TABLE next (id int PRIMARY KEY, v text)";
    assert_fingerprints(
        setup,
        "root",
        &[
            ("COMMENT ON TABLE leaf IS 'x'", false),
            ("ALTER TABLE leaf ENABLE ROW LEVEL SECURITY", true),
            ("TRUNCATE leaf", true),
            ("ALTER TABLE root DETACH PARTITION high", true),
            ("ALTER TABLE root ATTACH PARTITION next FOR VALUES FROM (20) TO (30)", true),
            ("INSERT INTO root VALUES (1, 'a'), (21, 'b')", false),
            ("DROP TABLE next", true),
        ],
    );
    assert_fingerprints(
        setup,
        "leaf",
        &[
            ("ALTER TABLE high ENABLE ROW LEVEL SECURITY", false),
            ("ALTER TABLE root ENABLE ROW LEVEL SECURITY", true),
            ("ALTER TABLE low DETACH PARTITION leaf", true),
        ],
    );
}

#[test]
fn a_view_changes_with_what_it_reads_from() {
    assert_fingerprints(
        "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY, v text);
         CREATE VIEW inside AS SELECT id, v FROM t; CREATE VIEW w AS SELECT * FROM inside",
        "w",
        &[
            ("ALTER TABLE t ADD COLUMN x int", true),
            ("ALTER TABLE u ADD COLUMN x int", false),
            ("CREATE OR REPLACE VIEW inside AS SELECT id, v FROM u", true),
            ("ALTER TABLE u ADD COLUMN y int", true),
            ("ALTER TABLE t ADD COLUMN y int", false),
            ("INSERT INTO u VALUES (1, 'a')", false),
        ],
    );
}

#[test]
fn a_materialised_view_changes_when_it_is_refreshed() {
    assert_fingerprints(
        "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
         CREATE UNIQUE INDEX ON m (id)",
        "m",
        &[
            ("INSERT INTO t VALUES (1, 'a')", false),
            ("REFRESH MATERIALIZED VIEW m", true),
            ("INSERT INTO t VALUES (2, 'b')", false),
            ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", true),
            ("ANALYZE m;;VACUUM m;;CREATE INDEX ON m (v)", false),
            ("TRUNCATE t;;ALTER TABLE t ADD COLUMN w int", false),
        ],
    );
}

#[test]
fn a_relation_that_loses_its_name_has_no_fingerprint() {
    for sql in [
        "DROP TABLE t",
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE t SET SCHEMA other",
        "DROP TABLE t; CREATE TABLE t (id int)",
    ] {
        let database = Postgres::shared().database();
        database.execute("CREATE SCHEMA other; CREATE TABLE t (id int PRIMARY KEY)");
        let relation = oid(&database, "t");
        let mut subscriber = live(&database, Way::Notify);
        subscriber.known.set(vec![(relation, "t".into())]);
        assert!(fingerprint(&mut subscriber, relation).is_some());
        database.execute(sql);
        assert_eq!(fingerprint(&mut subscriber, relation), None, "{sql}");
    }
}

#[test]
fn what_has_not_changed_is_not_compared_again() {
    for way in Way::BOTH {
        // Transactions of other databases count as well.
        let postgres = Postgres::start();
        let database = postgres.database();
        way.prepare(&database);
        let names: Vec<String> = (0..9).map(|number| format!("t{number}")).collect();
        database.execute("CREATE TABLE rows (id int)");
        for name in &names {
            database.execute(&format!("CREATE TABLE {name} (id int PRIMARY KEY)"));
        }
        let mut subscriber = live(&database, way);
        subscriber.known.set(names.iter().map(|name| (oid(&database, name), name.clone())).collect());
        let mut writer = database.connect();
        // While nobody writes nothing is asked of the catalogs as a whole.
        writer.batch_execute("INSERT INTO rows VALUES (0)").unwrap();
        subscriber.compare();
        let mut ends_with = |what: &str, change: &str, may_compare: bool| {
            eventually(what, || {
                writer.batch_execute(change).unwrap();
                subscriber.compare();
                let last = "SELECT query FROM pg_stat_activity WHERE application_name = 'pgcache/definitions'";
                let last: String = writer.query_one(last, &[]).unwrap().get(0);
                assert!(may_compare || !last.contains("wanted"), "{way:?}: after {change}: {last}");
                last.contains(what).then_some(())
            });
        };
        // Heartbeats are transactions too.
        ends_with("pg_current_snapshot", "", true);
        // No catalog has changed, which is found out without looking at each relation.
        ends_with("pgcache_digest", "INSERT INTO rows VALUES (1)", false);
        ends_with("wanted", "ALTER TABLE t3 ALTER id SET STATISTICS 10", true);
    }
}

#[test]
fn a_role_that_may_not_read_any_more_changes_the_fingerprint() {
    let postgres = Postgres::start();
    let database = postgres.database();
    database.execute(
        "CREATE ROLE reader LOGIN; CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY);
         GRANT USAGE ON SCHEMA app TO reader; GRANT SELECT ON app.t TO reader",
    );
    let relation = oid(&database, "app.t");
    let mut subscriber = Subscriber::on(&database, &[("invalidation", "notify"), ("pg_user", "reader")]);
    subscriber.known.set(vec![(relation, "app.t".into())]);
    let granted = fingerprint(&mut subscriber, relation);
    for sql in [
        "REVOKE SELECT ON app.t FROM reader",
        "GRANT SELECT (id) ON app.t TO reader",
        "REVOKE USAGE ON SCHEMA app FROM reader",
    ] {
        database.execute(sql);
        let now = fingerprint(&mut subscriber, relation);
        assert!(now.is_some() && now != granted, "{sql}");
    }
}

#[test]
fn definitions_are_compared_again_and_again_with_a_pause() {
    let database = Postgres::shared().database();
    database.execute("CREATE TABLE t (id int PRIMARY KEY)");
    let relation = oid(&database, "t");
    let mut subscriber = live(&database, Way::Notify);
    subscriber.known.set(vec![(relation, "t".into())]);
    let mut began = Vec::new();
    while began.len() < 3 {
        subscriber.until("a comparison", |event| matches!(event, FeedEvent::Fingerprints(_)).then_some(()));
        began.push(subscriber.known.last_compared().unwrap());
        began.dedup();
    }
    assert!(began.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(1)), "{began:?}");
}

/// What a thousand relations cost, and whether notices wait for them.
#[test]
fn comparing_a_thousand_relations_is_cheap() {
    let database = Postgres::shared().database();
    database.execute(
        "DO $$ BEGIN FOR i IN 1..1000 LOOP
             EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, e text UNIQUE, a int, b int, c text, d jsonb)', i);
         END LOOP; END $$",
    );
    database.execute("ANALYZE");
    let rows =
        database.connect().query("SELECT oid, relname::text FROM pg_class WHERE relname ~ '^t[0-9]+$'", &[]).unwrap();
    let mut subscriber = live(&database, Way::Notify);
    subscriber.known.set(rows.iter().map(|row| (row.get(0), row.get(1))).collect());
    subscriber.heard.clear();
    let began = Instant::now();
    let heard = |subscriber: &Subscriber| {
        let slices =
            subscriber.heard.iter().map(
                |event| {
                    if let FeedEvent::Fingerprints(slice) = event {
                        slice.len()
                    } else {
                        0
                    }
                },
            );
        slices.sum::<usize>()
    };
    while heard(&subscriber) < 3_000 {
        subscriber.catch_up();
    }
    // A round begins a second after the one before.
    let rounds = 2 + began.elapsed().as_secs() as usize;
    let mut seen: BTreeMap<u32, BTreeSet<Option<i64>>> = BTreeMap::new();
    let mut count = 0;
    for event in &subscriber.heard {
        if let FeedEvent::Fingerprints(slice) = event {
            // Between two of them notices are listened to.
            assert!(slice.len() <= 100, "{}", slice.len());
            count += slice.len();
            for (oid, print) in slice {
                seen.entry(*oid).or_default().insert(*print);
            }
        }
    }
    assert_eq!(seen.len(), 1000);
    assert!(seen.values().all(|prints| prints.len() == 1 && !prints.contains(&None)));
    assert!(count <= 1_000 * rounds, "{count} in {rounds} rounds");
    let mut pauses: Vec<Duration> = subscriber.beats().windows(2).map(|pair| pair[1] - pair[0]).collect();
    pauses.sort_unstable();
    // Some may be long when the machine stands still.
    assert!(pauses[pauses.len() / 2] < Duration::from_secs(1), "{pauses:?}");
}

/// What the catalog says of a relation, as loads read it.
fn describe(database: &Database<'_>, name: &str, invalidation: Invalidation) -> TableDefinition {
    let port = database.postgres.port().to_string();
    let (host, own) = ("127.0.0.1", &database.name);
    let args = ["pg_host", host, "pg_port", &port, "pg_database", own, "connect_timeout_ms", FOREVER_MS];
    let args = args.map(String::from);
    let settings = pgcache::settings::load(&args, []).unwrap().settings;
    let source = Source::open(settings.sources[0].clone(), Box::new(|_| {})).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let described = source.with_session(deadline, |session| describe_relation(session, name, invalidation));
    described.unwrap().unwrap()
}

/// The triggers that WATCH ADD makes.
fn fake_triggers(database: &Database<'_>, table: &str, body: &str) {
    database.execute(&format!(
        "CREATE OR REPLACE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} RETURN NULL; END$$"
    ));
    for event in ["insert", "update", "delete", "truncate"] {
        database.execute(&format!(
            "CREATE TRIGGER pgcache_{event} AFTER {event} ON {table} EXECUTE FUNCTION told();
             ALTER TABLE {table} ENABLE ALWAYS TRIGGER pgcache_{event}"
        ));
    }
}

const NOTIFIES: &str = "/* pgcache form 2 */ PERFORM pg_notify('cache_invalidation', '');";
const WRITES: &str = "/* pgcache form 2 */ INSERT INTO pgcache.outbox (notice) VALUES ('');";

#[test]
fn a_table_is_watched_when_every_table_that_concerns_it_is() {
    let database = Postgres::shared().database();
    make_secret(&database);
    database.execute(
        "CREATE TABLE root (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
         CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10);
         CREATE TABLE high PARTITION OF root FOR VALUES FROM (10) TO (20);
         CREATE TABLE plain (id int PRIMARY KEY);
         CREATE VIEW w AS SELECT root.id FROM root JOIN plain USING (id);
         CREATE VIEW clock AS SELECT id FROM plain WHERE now() > '2000-01-01';
         CREATE VIEW who AS SELECT id FROM plain WHERE current_user = 'me';
         CREATE VIEW system AS SELECT plain.id FROM plain JOIN pg_class ON relname = 'plain';
         CREATE MATERIALIZED VIEW m AS SELECT * FROM plain;
         CREATE VIEW over_m AS SELECT plain.id FROM plain JOIN m USING (id)",
    );
    let is_watched = |name: &str| describe(&database, name, Invalidation::Notify).is_watched;
    fake_triggers(&database, "root", NOTIFIES);
    assert!(!is_watched("root") && !is_watched("low"), "a partition tells nothing");
    fake_triggers(&database, "low", NOTIFIES);
    assert!(is_watched("low") && !is_watched("root") && !is_watched("high"));
    fake_triggers(&database, "high", NOTIFIES);
    assert!(is_watched("root") && !is_watched("w"));
    fake_triggers(&database, "plain", NOTIFIES);
    for (name, expected) in
        [("w", true), ("clock", false), ("who", false), ("system", false), ("m", false), ("over_m", false)]
    {
        assert_eq!(is_watched(name), expected, "{name}");
    }
    let concerns = |name: &str| {
        let definition = describe(&database, name, Invalidation::Notify);
        assert_ne!(definition.fingerprint, 0);
        let mut names: Vec<String> = definition
            .concerns
            .iter()
            .map(|oid| database.text(&format!("SELECT {oid}::regclass::text")).unwrap())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(concerns("plain"), ["plain"]);
    assert_eq!(concerns("root"), ["high", "low", "root"]);
    assert_eq!(concerns("low"), ["low", "root"]);
    assert_eq!(concerns("w"), ["high", "low", "plain", "root", "w"]);
    database.execute("ALTER TABLE low DISABLE TRIGGER pgcache_update");
    assert!(!is_watched("root") && !is_watched("w") && is_watched("plain"));
    database.execute("ALTER TABLE low ENABLE TRIGGER pgcache_update");
    assert!(!is_watched("root"), "not for a replica's writes");
    assert!(!describe(&database, "plain", Invalidation::Off).is_watched);
}

/// The worker of a subscription fires row triggers only.
#[test]
fn a_subscribed_table_is_watched_by_row_triggers() {
    let database = Postgres::shared().database();
    make_secret(&database);
    database.execute(
        "CREATE TABLE root (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
         CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10);
         CREATE TABLE plain (id int PRIMARY KEY)",
    );
    for table in ["root", "low", "plain"] {
        fake_triggers(&database, table, NOTIFIES);
    }
    let is_watched = |name: &str| describe(&database, name, Invalidation::Notify).is_watched;
    let mut subscriber = live(&database, Way::Notify);
    let root = oid(&database, "root");
    subscriber.known.set(vec![(root, "root".into())]);
    let before = fingerprint(&mut subscriber, root);
    assert!(is_watched("root") && is_watched("low") && is_watched("plain"));
    // As CREATE SUBSCRIPTION would enter it.
    database.execute(
        "SET allow_system_table_mods = on;
         INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) VALUES (1, 'root'::regclass, 'r')",
    );
    assert_ne!(fingerprint(&mut subscriber, root), before);
    assert!(!is_watched("root") && !is_watched("low") && is_watched("plain"));
    database.execute(
        "CREATE TRIGGER pgcache_row AFTER INSERT OR UPDATE OR DELETE ON low FOR EACH ROW EXECUTE FUNCTION told();
         ALTER TABLE low ENABLE ALWAYS TRIGGER pgcache_row;
         DROP TRIGGER pgcache_insert ON root",
    );
    assert!(is_watched("root") && is_watched("low"));
    database.execute("DROP TRIGGER pgcache_row ON low");
    assert!(!is_watched("root") && !is_watched("low"));
}

#[test]
fn triggers_of_the_other_way_do_not_count() {
    let database = Postgres::shared().database();
    database.execute(&format!("{MAKE_OUTBOX} CREATE TABLE t (id int PRIMARY KEY)"));
    make_secret(&database);
    let ways = || [Invalidation::Notify, Invalidation::Outbox].map(|way| describe(&database, "t", way).is_watched);
    fake_triggers(&database, "t", WRITES);
    assert_eq!(ways(), [false, true]);
    database.execute(&format!(
        "CREATE OR REPLACE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {NOTIFIES} RETURN NULL; END$$"
    ));
    assert_eq!(ways(), [true, false]);
}

#[test]
fn a_described_fingerprint_is_the_one_that_is_compared() {
    let database = Postgres::shared().database();
    database.execute("CREATE TABLE \"it's \\ odd\" (id int PRIMARY KEY, v text)");
    let definition = describe(&database, "\"it's \\ odd\"", Invalidation::Notify);
    let mut subscriber = live(&database, Way::Notify);
    subscriber.known.set(vec![(definition.oid, definition.display.clone())]);
    assert_eq!(fingerprint(&mut subscriber, definition.oid), Some(definition.fingerprint));
}
