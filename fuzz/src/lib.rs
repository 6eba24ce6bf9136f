//! What is fuzzed: each target is a function that takes any bytes, and panics where something does not hold that has to.
//!
//! `fuzz_targets/` has libFuzzer call these functions, and `tests/corpus.rs` calls them with the seeds and with changed seeds.

mod allocations;
pub mod http;
pub mod lookup_keys;
pub mod notices;
mod oracle;
pub mod parameters;
pub mod pgoutput;
pub mod records;
pub mod replies;
pub mod settings;
pub mod table_names;
pub mod values;

/// What is fuzzed by itself.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which its folder of seeds has as well.
    pub name: &'static str,
    /// Takes any bytes.
    pub one: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 10] = [
    Target { name: "lookup_keys", one: lookup_keys::one },
    Target { name: "table_names", one: table_names::one },
    Target { name: "parameters", one: parameters::one },
    Target { name: "notices", one: notices::one },
    Target { name: "records", one: records::one },
    Target { name: "settings", one: settings::one },
    Target { name: "pgoutput", one: pgoutput::one },
    Target { name: "http", one: http::one },
    Target { name: "values", one: values::one },
    Target { name: "replies", one: replies::one },
];

/// Feeds `bytes` to the target called `name`.
///
/// # Panics
/// Something does not hold that has to.
pub fn feed(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    allocations::check(|| (target.one)(bytes));
}
