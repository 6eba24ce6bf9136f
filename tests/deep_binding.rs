//! Servers that bind modules deeply, as Valkey 9 does: what the module refers to need not be what the server has.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;

use support::server::Setup;
use support::{on_every_server, Database, Postgres, Reply, Server};
use tempfile::TempDir;

/// What has any server load the module so, compiled into `folder`.
fn preloaded(folder: &TempDir) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deep_binding/preloaded.rs");
    let library = folder.path().join("libpreloaded.so");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(compiler);
    command.args(["--edition=2021", "--crate-type=cdylib", "-o"]).arg(&library).arg(source);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library.to_str().unwrap().to_owned()
}

fn with_users_on_every_server(test: impl Fn(&Database<'_>, Setup)) {
    let folder = tempfile::tempdir().unwrap();
    let library = preloaded(&folder);
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(1);
        test(&database, Server::setup(&kind).env("LD_PRELOAD", &library));
    });
}

#[test]
fn settings_come_from_the_environment() {
    with_users_on_every_server(|database, setup| {
        let server = setup
            .env("PGCACHE_PG_HOST", "127.0.0.1")
            .env("PGCACHE_PG_PORT", database.postgres.port().to_string())
            .env("PGCACHE_PG_DATABASE", &database.name)
            .start();
        assert_eq!(server.client().read("users", r#"{"id":1}"#).json()["id"], 1);
    });
}

#[test]
fn a_panic_that_wants_a_backtrace_ends_nothing() {
    with_users_on_every_server(|database, setup| {
        let setup = setup.on(database).setting("test_hooks", "yes").env("RUST_BACKTRACE", "1");
        let mut server = setup.start();
        for what in ["COMMAND", "WORKER"] {
            let reply = server.client().call(&["PGCACHE.PANIC", what]);
            assert!(matches!(reply, Reply::Error(_) | Reply::Simple(_)), "{reply:?}");
        }
        assert_eq!(server.client().read("users", r#"{"id":1}"#).json()["id"], 1);
        server.assert_alive();
    });
}
