//! Reading through the cache instead of by hand. Start `make run`, then
//! `cargo run --example client -- <port it printed>`.

use redis::{cmd, Connection, RedisResult};

/// Before: GET, on a miss SELECT, then SET with a TTL. After: one command.
fn user(cache: &mut Connection, id: i64) -> RedisResult<Option<String>> {
    cmd("PGCACHE.READ").arg("users").arg(key(id)).query(cache)
}

/// Any number of users in one round trip, in the order asked, `null` where there is none.
fn users(cache: &mut Connection, ids: &[i64]) -> RedisResult<String> {
    let keys: Vec<String> = ids.iter().copied().map(key).collect();
    cmd("PGCACHE.MULTIREAD").arg("users").arg(format!("[{}]", keys.join(","))).query(cache)
}

/// After the application has changed a row in PostgreSQL, and its transaction has committed.
fn user_changed(cache: &mut Connection, id: i64) -> RedisResult<()> {
    cmd("PGCACHE.INVALIDATE").arg("users").arg(key(id)).query(cache)
}

fn key(id: i64) -> String {
    format!("{{\"id\":{id}}}")
}

fn main() -> RedisResult<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "6379".into());
    let mut cache = redis::Client::open(format!("redis://127.0.0.1:{port}"))?.get_connection()?;
    println!("{:?}", user(&mut cache, 1)?);
    println!("{}", users(&mut cache, &[1, 2, 999_999])?);
    user_changed(&mut cache, 1)?;
    match user(&mut cache, 1) {
        // The first word of an error is its code: these pass by themselves.
        Err(error) if matches!(error.code(), Some("PGDOWN" | "PGTIMEOUT" | "PGBUSY")) => {
            println!("later: {error}")
        }
        answer => println!("{:?}", answer?),
    }
    Ok(())
}
