//! Which servers a test runs on.

use std::path::PathBuf;

/// A server program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// As in `PGCACHE_SERVERS`: `redis-7.0`, `redis-8`, `valkey-8`, or what else `scripts/servers.sh` knows.
    pub name: String,
}

impl Kind {
    /// The program, as `make servers` provided it.
    pub fn program(&self) -> PathBuf {
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".servers").join(&self.name).join("server");
        assert!(program.exists(), "{} is not there: run `make servers`", program.display());
        program
    }

    /// Whether its ACL knows categories for the commands of modules.
    pub fn has_module_categories(&self) -> bool {
        self.name != "redis-7.0"
    }

    /// Whether it moves slots of a cluster whole (`CLUSTER MIGRATESLOTS`), as Valkey 9 does.
    pub fn migrates_slots(&self) -> bool {
        let version =
            self.name.strip_prefix("valkey-").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        version.is_some_and(|major| major >= 9)
    }
}

/// The servers named in `PGCACHE_SERVERS`; without it all of them.
fn kinds() -> Vec<Kind> {
    let names = std::env::var("PGCACHE_SERVERS").unwrap_or_else(|_| "redis-7.0 valkey-8 redis-8".into());
    names.split_whitespace().map(|name| Kind { name: name.into() }).collect()
}

/// Runs `test` on each server.
pub fn on_every_server(test: impl Fn(Kind)) {
    for kind in kinds() {
        eprintln!("on {}", kind.name);
        test(kind);
    }
}
