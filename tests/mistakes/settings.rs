//! Settings that are wrong: the server does not start, and its log says why.

use super::Answer;
use crate::support::server::module;
use crate::support::{Kind, Server};

/// Mistakes among the module's arguments.
const ARGUMENTS: [(&str, &str); 5] = [
    ("a mistyped setting", "pol_size 4"),
    ("a setting given twice", "pg_host db1 pg_host db2"),
    ("a setting without a value", "pg_host db1 default_ttl"),
    ("a value that the setting does not take", "pg_sslmode verify_full"),
    ("a number out of range", "pg_port 70000"),
];

/// Mistakes in the server's configuration file.
const LINES: [(&str, &str); 4] = [
    ("a mistyped setting in the configuration file", "pgcache.defualt_ttl 60"),
    ("a mistyped type of events", "pgcache.events cache_hit,cache_mis"),
    ("a password in the configuration file", "pgcache.pg_password open-sesame"),
    ("a further source with a dot in the configuration file", "pgcache.analytics.pg_host db2"),
];

/// What the log says of each.
pub fn all(kind: &Kind) -> Vec<Answer> {
    let arguments = ARGUMENTS.iter().map(|(mistake, arguments)| {
        let log = Server::setup(kind)
            .without_module()
            .line(&format!("loadmodule {} {arguments}", module().display()))
            .refused();
        Answer { mistake, typed: format!("loadmodule libpgcache.so {arguments}"), answer: reason(&log) }
    });
    let lines = LINES.iter().map(|(mistake, line)| {
        let log = Server::setup(kind).line(line).refused();
        Answer { mistake, typed: line.replace("open-sesame", "…"), answer: reason(&log) }
    });
    arguments.chain(lines).collect()
}

/// The line that the module writes, or the server with the module's words.
fn reason(log: &str) -> String {
    let starts = ["Issue during loading of configuration ", "<pgcache> not loaded: "];
    let found = starts.iter().find_map(|start| log.lines().find_map(|line| line.split_once(start)));
    found.unwrap_or_else(|| panic!("no reason: {log}")).1.to_owned()
}
