//! Connections that cannot be made.

use super::Answer;
use crate::support::server::Setup;
use crate::support::{eventually, port, Kind, Postgres, Reply, Server};

const READ: [&str; 3] = ["PGCACHE.READ", "users", r#"{"id":1}"#];

/// A PostgreSQL that wants a password of the role `shop`, and has one `reader` that may read only what it was granted.
pub fn guarded() -> Postgres {
    let postgres = Postgres::start();
    let roles = "CREATE ROLE shop LOGIN PASSWORD 'right'; CREATE ROLE reader LOGIN";
    postgres.connect("postgres").unwrap().batch_execute(roles).unwrap();
    postgres.set_hba("host all shop 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n");
    postgres
}

/// What READ answers in each case, as soon as it is certain.
pub fn all(kind: &Kind, postgres: &Postgres) -> Vec<Answer> {
    let nobody = port::free().to_string();
    let to = |user: &str, database: &str| {
        Server::setup(kind)
            .setting("pg_host", "127.0.0.1")
            .setting("pg_port", &postgres.port().to_string())
            .setting("pg_user", user)
            .setting("pg_database", database)
    };
    let cases: [(&str, &str, Setup); 5] = [
        ("PostgreSQL is down", "pg_host 127.0.0.1", to("reader", "postgres").setting("pg_port", &nobody)),
        ("a wrong password", "pg_user shop", to("shop", "postgres").env("PGCACHE_PG_PASSWORD", "s3cret")),
        ("no password", "pg_user shop", to("shop", "postgres")),
        ("a role that does not exist", "pg_user shp", to("shp", "postgres")),
        ("a wrong database", "pg_database shpo", to("reader", "shpo")),
    ];
    let answer = |(mistake, typed, setup): (&'static str, &str, Setup)| {
        let server = setup.start();
        let mut client = server.client();
        let reply = eventually("the source is down", || {
            let source = client.call(&["PGCACHE.HEALTH"]).field("sources").field("default");
            let is_down = source.field("status").text() == "down";
            Some(client.call(&READ)).filter(|reply| is_down && matches!(reply, Reply::Error(_)))
        });
        let Answer { answer, .. } = Answer::of(mistake, String::new(), &reply);
        let answer = answer.replace(&nobody, "5432").replace(&postgres.port().to_string(), "5432");
        Answer { mistake, typed: format!("PGCACHE.READ users '{{\"id\":1}}' with {typed}"), answer }
    };
    cases.into_iter().map(answer).collect()
}
