//! The world of a run: a PostgreSQL, a server with the module or a cluster, and what all threads share.

use std::sync::atomic::{AtomicBool, AtomicU16};
use std::sync::{Arc, Mutex};

use crate::support::network::NET;
use crate::support::replication::{have_commits_shown_late, have_commits_wait};
use crate::support::{eventually, Client, Kind, Postgres, Proxy, Reply};

use super::clock::Clock;
use super::history::{History, Reshape};
use super::key_sets::KeySets;
use super::plan::{Mode, Plan};
use super::row::{COLUMNS, TABLE};
use super::site::Site;

/// What the names of added columns begin with; their number follows.
pub const SHAPE: &str = "shape_";

/// What one run has for itself.
pub struct World {
    /// The clock of all records.
    pub clock: Clock,
    /// What is to be done.
    pub plan: Plan,
    postgres: Mutex<Arc<Postgres>>,
    /// What follows it.
    pub standby: Mutex<Option<Postgres>>,
    /// What the server reaches it through, if the plan says so.
    pub proxy: Option<Proxy>,
    /// The name of the database in it.
    pub database: String,
    /// What serves the cache.
    pub site: Site,
    /// What writers change.
    pub key_sets: KeySets,
    /// How many readers there are.
    pub readers: AtomicU16,
    /// Writers are to stop.
    pub stop_writing: AtomicBool,
    /// Everybody is to stop.
    pub stop_reading: AtomicBool,
    /// What nemeses did that has to be judged too.
    pub deeds: Mutex<History>,
}

impl World {
    /// A fresh one.
    pub fn start(kind: &Kind, plan: Plan) -> Self {
        let postgres = Postgres::start_with(match plan.network {
            Some(_) => "max_prepared_transactions=10\nautovacuum=on\nlisten_addresses='*'",
            None => "max_prepared_transactions=10\nautovacuum=on",
        });
        if plan.network.is_some() {
            postgres.set_hba(&format!("host all all 127.0.0.1/32 trust\nhost all all {NET} trust\n"));
        }
        let database = postgres.database();
        database.execute(TABLE);
        let proxy = plan.has_proxy.then(|| Proxy::to(postgres.port()));
        let standby = plan.has_standby.then(|| postgres.standby());
        let site = Site::start(kind, &plan, &database, proxy.as_ref());
        let world = Self {
            clock: Clock::start(),
            plan,
            database: database.name.clone(),
            standby: Mutex::new(standby),
            proxy,
            site,
            key_sets: KeySets::new(),
            readers: AtomicU16::new(0),
            stop_writing: AtomicBool::new(false),
            stop_reading: AtomicBool::new(false),
            deeds: Mutex::default(),
            postgres: Mutex::new(Arc::new(postgres)),
        };
        world.plant();
        if let Some(standby) = world.standby.lock().unwrap().as_ref() {
            have_commits_wait(&world.postgres());
            if !world.plan.standby_delay.is_zero() {
                have_commits_shown_late(&world.postgres(), standby, world.plan.standby_delay);
            }
        }
        if world.plan.mode != Mode::Off {
            world.watch();
        }
        world.plan.faults().iter().for_each(|(name, value)| world.configure(name, value));
        world
    }

    /// Stores the rows with which everything begins.
    fn plant(&self) {
        let rows = self.key_sets.all();
        let values: Vec<String> =
            rows.iter().flat_map(|set| set.rows).flatten().map(|row| format!("({})", row.values())).collect();
        self.execute(&format!("INSERT INTO t ({COLUMNS}) VALUES {}", values.join(",")));
        let mut deeds = self.deeds.lock().unwrap();
        deeds.changes = rows.iter().flat_map(|set| set.beginning()).collect();
        deeds.reshapes.push(Reshape { number: 0, shape: None, began: 0, returned: 0 });
    }

    /// Has the table watched and waits until that works.
    pub fn watch(&self) {
        // An autovacuum may hold the table for a moment, which is told.
        let add = || match self.client().call(&["PGCACHE.WATCH", "ADD", "t"]) {
            Reply::Error(text) if text.starts_with("PGERR 55P03 ") => None,
            reply => Some(reply),
        };
        assert_eq!(eventually("the table is not busy", add), Reply::Simple("OK".into()), "WATCH ADD");
        self.await_live();
    }

    /// Waits until the source is live.
    pub fn await_live(&self) {
        for mut client in self.site.clients() {
            eventually("the source is live", || {
                let health = client.call(&["PGCACHE.HEALTH"]);
                let freshness = health.field("sources").field("default").field("freshness").text();
                (freshness == "live").then_some(())
            });
        }
    }

    /// CONFIG SET.
    pub fn configure(&self, name: &str, value: &str) {
        for mut client in self.site.clients() {
            let reply = client.call(&["CONFIG", "SET", name, value]);
            assert_eq!(reply, Reply::Simple("OK".into()), "CONFIG SET {name} {value}");
        }
    }

    /// Statements of a nemesis.
    pub fn execute(&self, sql: &str) {
        let mut client = self.postgres().connect(&self.database).unwrap();
        client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The PostgreSQL that takes changes.
    pub fn postgres(&self) -> Arc<Postgres> {
        Arc::clone(&self.postgres.lock().unwrap())
    }

    /// Another one takes them from now on.
    pub fn replace_postgres(&self, postgres: Postgres) {
        *self.postgres.lock().unwrap() = Arc::new(postgres);
    }

    /// A connection to the server, or to a node of the cluster.
    pub fn client(&self) -> Client {
        self.site.clients().pop().expect("some server runs")
    }
}
