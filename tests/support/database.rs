//! One database of a throwaway PostgreSQL.

use std::io::Write;
use std::process::Stdio;

use postgres::error::SqlState;

use super::eventually::eventually;
use super::postgres::Postgres;

/// A database that one test has for itself.
pub struct Database<'p> {
    /// Where it is.
    pub postgres: &'p Postgres,
    /// What it is called.
    pub name: String,
}

impl<'p> Database<'p> {
    pub(super) fn new(postgres: &'p Postgres, name: String) -> Self {
        Self { postgres, name }
    }

    /// A connection of the superuser. Connections that have just ended may still have their place for a while.
    pub fn connect(&self) -> postgres::Client {
        eventually("there is room for a connection", || match self.postgres.connect(&self.name) {
            Err(error) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => None,
            connected => Some(connected.unwrap()),
        })
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) -> &Self {
        self.connect().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        self
    }

    /// Runs `script` as a DBA runs a file: by psql, which stops at the first error, with `settings` (`search_path=evil`) for its
    /// session. Returns what it printed.
    pub fn psql(&self, settings: &[&str], script: &str) -> String {
        let mut command = self.postgres.psql();
        let options: Vec<String> = settings.iter().map(|setting| format!("-c {setting}")).collect();
        command.env("PGOPTIONS", options.join(" ")).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.name]);
        let mut psql = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // All of it is read before psql ends, unless an error ends it.
        let _ = psql.stdin.take().unwrap().write_all(script.as_bytes());
        let output = psql.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "psql: {said}\n{script}");
        said
    }

    /// The first column of the first row, as text.
    pub fn text(&self, sql: &str) -> Option<String> {
        let row = self.connect().query_opt(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"))?;
        row.get(0)
    }

    /// The first column of the only row, as a number.
    pub fn number(&self, sql: &str) -> i64 {
        self.connect().query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    /// A table with `rows` users: id, email (unique), name.
    pub fn with_users(&self, rows: u32) -> &Self {
        self.execute(&format!(
            "CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE, name text);
             INSERT INTO users SELECT n, 'user' || n || '@example.com', 'User ' || n FROM generate_series(1, {rows}) n;"
        ))
    }
}
