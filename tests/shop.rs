//! The shop of examples/python/shop: it serves its pages with every store, and the load on it counts them.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use support::python::{python, run_alone};
use support::watched::start_listening;
use support::{on_every_server, Postgres, Server};

#[test]
fn the_shop_works_with_every_store() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        let server = start_listening(Server::setup(&kind).on(&database).setting("max_staleness_ms", "2000"));
        let (port, pg_port) = (server.port().to_string(), database.postgres.port().to_string());
        let dsn = format!("host=127.0.0.1 port={pg_port} user=postgres dbname={}", database.name);
        let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python/shop");
        let mut load = python(&["load.py", &port, &pg_port, "1"]);
        load.current_dir(shop).env("SHOP_DATABASE", dsn);
        let last = run_alone(load);
        // No pages at all would have no times.
        assert!(last.starts_with("| pgcache, near cache | ") && last.ends_with(" |"), "{last}");
    });
}
