//! The stage: PostgreSQL with a table of a million rows, and servers beside it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::support::postgres::SUPERUSER;
use crate::support::{Client, Database, Kind, Postgres, Server};

/// How many rows `users` has.
pub const ROWS: u32 = 1_000_000;

/// The first row's id. redis-benchmark's twelve digits behind a one make an id, in the one spelling that a number has.
pub const FIRST_ID: u64 = 1_000_000_000_000;

/// How many of them every server has read once before it is measured.
const WARM_UP: u32 = 1000;

/// The lookup key of a row by chance.
pub const ANY_KEY: &str = r#"{"id":1__rand_int__}"#;

/// The lookup key of row `number`, counted from 0.
pub fn key_of(number: u32) -> String {
    format!("{{\"id\":{}}}", FIRST_ID + u64::from(number))
}

/// What one server is measured on.
pub struct Stage {
    /// The server.
    pub kind: Kind,
}

impl Stage {
    /// The database, with `users` in it: all servers are measured on the same.
    pub fn database(&self) -> &'static Database<'static> {
        static POSTGRES: OnceLock<Postgres> = OnceLock::new();
        static DATABASE: OnceLock<Database<'static>> = OnceLock::new();
        DATABASE.get_or_init(|| {
            let postgres = POSTGRES.get_or_init(|| {
                // Everything in memory on both sides: what is measured is the way there.
                Postgres::start_with("shared_buffers=1GB\nmax_connections=400\nmax_wal_size=8GB")
            });
            let database = postgres.database();
            database.execute(
                "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, name text NOT NULL, bio text NOT NULL)",
            );
            insert(&database, 0, WARM_UP);
            database
        })
    }

    /// Sees to it that all rows are there.
    pub fn with_all_rows(&self) -> &Self {
        static DONE: OnceLock<()> = OnceLock::new();
        DONE.get_or_init(|| {
            eprintln!("filling a table of {ROWS} rows");
            insert(self.database(), WARM_UP, ROWS);
            self.database().execute("VACUUM (ANALYZE, FREEZE) users").execute("CHECKPOINT");
        });
        self
    }

    /// A server with the module at its defaults. Its connections are open and `users` is known.
    pub fn server(&self) -> Server {
        let server = Server::start(&self.kind, self.database());
        warm_up(&mut server.client());
        server
    }

    /// pgbench with prepared statements on this database, which runs `script` again and again.
    pub fn pgbench(&self, script: &Path) -> Command {
        let database = self.database();
        let mut process = database.postgres.command("pgbench");
        process
            .args(["-n", "-M", "prepared", "-h", "127.0.0.1", "-U", SUPERUSER])
            .args(["-p", &database.postgres.port().to_string(), "-f"])
            .arg(script)
            .env("PGDATABASE", &database.name);
        process
    }

    /// The same server without the module.
    pub fn plain(&self) -> Server {
        Server::setup(&self.kind).without_module().start()
    }
}

/// Rows whose JSON has about 300 bytes, from number `first` to before `end`.
fn insert(database: &Database<'_>, first: u32, end: u32) {
    database.execute(&format!(
        "INSERT INTO users
         SELECT {FIRST_ID} + n, 'user' || n || '@example.com', 'User ' || n, repeat(md5(n::text), 7)
         FROM generate_series({first}, {end} - 1) n"
    ));
}

/// Loads a few rows and forgets them.
fn warm_up(client: &mut Client) {
    let keys: Vec<String> = (0..WARM_UP).map(key_of).collect();
    for key in &keys {
        client.read("users", key);
    }
    let prefix = prefix(client, "users");
    crate::load::entries::clear(client, &prefix);
}

/// What the cache keys of a table start with, in its generation of now.
pub fn prefix(client: &mut Client, table: &str) -> String {
    let key = key_of(0);
    let cache_key = client.key(table, &key);
    cache_key.strip_suffix(&key).expect("a cache key ends with the lookup key").to_owned()
}
