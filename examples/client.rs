//! Everything that an application asks of pgcache, with redis-rs. Start `make run`, then
//! `cargo run --example client -- <port it printed>`.

use redis::{cmd, Connection, FromRedisValue, RedisError, RedisResult, Value};
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::json;

/// A row of `users`, as far as it is wanted.
#[derive(Debug, Deserialize)]
struct User {
    id: i64,
    name: String,
}

/// The cache, by the tables of PostgreSQL.
struct Cache {
    connection: Connection,
}

impl Cache {
    /// A row, or nothing when PostgreSQL has no such row. Before: GET, on a miss SELECT, then SET with a TTL.
    fn read<T: DeserializeOwned>(&mut self, table: &str, key: &serde_json::Value) -> RedisResult<Option<T>> {
        let row: Option<String> = self.call("READ", &[table, &key.to_string()])?;
        row.map(|row| decoded(&row)).transpose()
    }

    /// Any number of rows in one round trip, in the order asked.
    fn multiread<T: DeserializeOwned>(&mut self, table: &str, keys: &serde_json::Value) -> RedisResult<Vec<Option<T>>> {
        let rows: String = self.call("MULTIREAD", &[table, &keys.to_string()])?;
        decoded(&rows)
    }

    /// Stores a row in the cache; PostgreSQL is not written.
    fn write(&mut self, table: &str, key: &serde_json::Value, row: &serde_json::Value) -> RedisResult<()> {
        self.call("WRITE", &[table, &key.to_string(), &row.to_string()])
    }

    /// After the application has changed a row of a table that nobody watches, and its transaction has committed.
    fn invalidate(&mut self, table: &str, key: &serde_json::Value) -> RedisResult<()> {
        self.call("INVALIDATE", &[table, &key.to_string()])
    }

    /// Gives a query a name.
    fn define(&mut self, name: &str, sql: &str, tag: &str) -> RedisResult<()> {
        self.call("DEFINE", &[name, sql, "TAGS", "1", tag])
    }

    /// The rows of a query that has a name.
    fn query<T: DeserializeOwned>(&mut self, name: &str, params: &serde_json::Value) -> RedisResult<Vec<T>> {
        let rows: String = self.call("QUERY", &["NAME", name, &params.to_string()])?;
        decoded(&rows)
    }

    /// Drops the results of all queries that carry a tag.
    fn flush_tag(&mut self, tag: &str) -> RedisResult<i64> {
        self.call("FLUSH", &["TAG", tag])
    }

    /// Has PostgreSQL tell of a table's changes, once and for all.
    fn watch(&mut self, table: &str) -> RedisResult<()> {
        self.call("WATCH", &["ADD", table])
    }

    /// Waits until everything that was committed before has been applied, and returns the microseconds that this took.
    fn barrier(&mut self, timeout_ms: u32) -> RedisResult<i64> {
        self.call("BARRIER", &[&timeout_ms.to_string()])
    }

    /// A map: HEALTH, or STATS.
    fn map(&mut self, name: &str) -> RedisResult<std::collections::HashMap<String, Value>> {
        self.call(name, &[])
    }

    fn call<T: FromRedisValue>(&mut self, name: &str, words: &[&str]) -> RedisResult<T> {
        cmd(&format!("PGCACHE.{name}")).arg(words).query(&mut self.connection)
    }
}

fn decoded<T: DeserializeOwned>(text: &str) -> RedisResult<T> {
    serde_json::from_str(text)
        .map_err(|error| RedisError::from((redis::ErrorKind::Parse, "not what was expected", error.to_string())))
}

/// Whether the same command may succeed a moment later. The first word of an error is its code.
fn passes_by_itself(error: &RedisError) -> bool {
    matches!(error.code(), Some("PGDOWN" | "PGTIMEOUT" | "PGBUSY"))
}

fn main() -> RedisResult<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "6379".into());
    let connection = redis::Client::open(format!("redis://127.0.0.1:{port}"))?.get_connection()?;
    let mut cache = Cache { connection };
    cache.watch("users")?;
    match cache.read::<User>("users", &json!({ "id": 3 })) {
        Err(error) if passes_by_itself(&error) => println!("later: {error}"),
        user => println!("{:?}", user?),
    }
    let users = cache.multiread::<User>("users", &json!([{ "id": 3 }, { "id": 4 }, { "id": 999_999 }]))?;
    println!("{:?}", users.iter().map(|user| user.as_ref().map(|user| user.id)).collect::<Vec<_>>());
    cache.write("users", &json!({ "id": 5 }), &json!({ "id": 5, "name": "written" }))?;
    println!("{:?}", cache.read::<User>("users", &json!({ "id": 5 }))?.map(|user| user.name));
    cache.invalidate("users", &json!({ "id": 5 }))?;
    cache.define("called", "SELECT id, name FROM users WHERE name LIKE $1 ORDER BY id LIMIT 2", "names")?;
    println!("{:?}", cache.query::<User>("called", &json!(["User 7%"]))?);
    println!("{} dropped, {} µs waited", cache.flush_tag("names")?, cache.barrier(10_000)?);
    println!("{:?}, {:?} hits", cache.map("HEALTH")?["status"], cache.map("STATS")?["hits"]);
    if let Err(error) = cache.read::<User>("users", &json!({ "id": "abc" })) {
        println!("{:?}", error.code());
    }
    Ok(())
}
