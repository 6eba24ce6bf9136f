//! Outages: PostgreSQL goes and comes back, and the server notices.

use std::ops::Range;

use super::client::Client;
use super::database::Database;
use super::eventually::eventually;
use super::lock::Lock;
use super::postgres::Postgres;
use super::server::Server;

/// What HEALTH says of the whole.
pub fn status(client: &mut Client) -> String {
    client.call(&["PGCACHE.HEALTH"]).field("status").text()
}

/// Waits until HEALTH says that.
pub fn await_status(client: &mut Client, wanted: &str) {
    eventually(wanted, || (status(client) == wanted).then_some(()));
}

/// Kills PostgreSQL, and waits until the server has noticed.
pub fn take_away(postgres: &Postgres, client: &mut Client) {
    postgres.kill();
    await_status(client, "unhealthy");
}

/// Starts it again, and waits until the server has noticed.
pub fn bring_back(postgres: &Postgres, client: &mut Client) {
    postgres.start_again();
    await_status(client, "healthy");
}

/// Has one connection of the pool opened for each of these users, which nobody has read yet.
pub fn fill_pool(server: &Server, database: &Database<'_>, ids: Range<usize>) {
    let mut lock = Lock::on(database, "users");
    let mut readers = vec![];
    for id in ids {
        let mut reader = server.client();
        reader.send(&["PGCACHE.READ", "users", &format!(r#"{{"id":{id}}}"#)]);
        readers.push(reader);
        lock.await_arrivals(readers.len());
    }
    lock.release();
    readers.iter_mut().for_each(|reader| assert_eq!(reader.receive().code(), ""));
}
