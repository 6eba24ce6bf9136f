//! The one table of all settings: name, default, range, scope, and what each is for.

use std::net::IpAddr;

use super::error::SettingError;
use super::event_types::EventType;
use super::freshness::{Invalidation, OnGap};
use super::nearest::{did_you_mean, nearest};
use super::plugin_names::PluginName;
use super::query_policy::QueryPolicy;

/// What values a setting takes.
#[derive(Debug, Clone, Copy)]
pub enum ValueKind {
    /// A whole number from `min` to `max`, both included.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
    },
    /// Any text without control characters that `rule` accepts.
    Text(ValueRule),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text that is never shown again.
    Secret,
    /// `yes` or `no`.
    Flag,
}

/// What a text must fulfil beyond holding no control character.
#[derive(Debug, Clone, Copy)]
pub struct ValueRule {
    /// What a right value is, for the error: "must be …".
    wanted: &'static str,
    /// The words that a list may hold, which end that sentence.
    words: &'static [&'static str],
    /// Whether a value is right.
    accepts: fn(&str) -> bool,
}

const ANY: ValueRule = ValueRule { wanted: "text without control characters", words: &[], accepts: |_| true };
const NOT_EMPTY: ValueRule =
    ValueRule { wanted: "a name without control characters", words: &[], accepts: |value| !value.is_empty() };
// A prefix with glob characters would make a pattern of every ACL rule and SCAN on it, and braces would move all
// entries into one slot.
const PREFIX: ValueRule = ValueRule {
    wanted: "one or more characters other than { } * ? [ and control characters",
    words: &[],
    accepts: |value| !value.is_empty() && !value.contains(['{', '}', '*', '?', '[']),
};
const EVENTS: ValueRule = ValueRule {
    wanted: "all, none, or a comma-separated list of ",
    words: &EventType::PUBLISHED,
    accepts: |value| EventType::published(value).is_some(),
};
const PLUGINS: ValueRule = ValueRule {
    wanted: "none, or a comma-separated list of ",
    words: &PluginName::NAMES,
    accepts: |value| PluginName::set_of(value).is_some(),
};

/// What PostgreSQL takes for the name of a slot.
const SLOT: ValueRule = ValueRule {
    wanted: "at most 63 of the characters a to z, 0 to 9 and _",
    words: &[],
    accepts: |value| {
        value.len() <= 63 && value.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
    },
};

const ADDRESS: ValueRule =
    ValueRule { wanted: "an IP address, without a port", words: &[], accepts: |value| value.parse::<IpAddr>().is_ok() };

/// Whether every source has the setting for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One value for the whole module.
    Global,
    /// One value per source: `pg_host` for the first, `analytics.pg_host` for one named `analytics`.
    Source,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name among the module arguments; `CONFIG` says `pgcache.<name>`.
    pub name: &'static str,
    /// The value when nobody gives one.
    pub default: &'static str,
    /// What values it takes.
    pub kind: ValueKind,
    /// Whether `CONFIG SET` may change it while the server runs.
    pub runtime: bool,
    /// Whether every source has its own.
    pub scope: Scope,
    /// Whether `CONFIG` knows it at all. Secrets and test switches stay out.
    pub in_config: bool,
    /// What it is for, in one line.
    pub doc: &'static str,
}

impl Definition {
    /// The definition called `name`, if there is one.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|definition| definition.name == name)
    }

    /// Whether the value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, ValueKind::Secret)
    }

    /// Whether it only means something together with `test_hooks`.
    pub fn is_for_tests(&self) -> bool {
        self.name.starts_with("test_")
    }

    /// Checks `value` for the setting that the user calls `name` (which may carry a source's prefix).
    ///
    /// # Errors
    /// When the value is not of this kind; the text names the setting and what would be right.
    pub fn check(&self, name: &str, value: &str) -> Result<(), SettingError> {
        match self.kind {
            kind if kind.accepts(value) => Ok(()),
            ValueKind::Secret => Err(SettingError::new(format!("{name} must be {}", self.kind.wanted()))),
            kind => Err(SettingError::bad_value(name, &kind.wanted(), value, &kind.hint(value))),
        }
    }
}

impl ValueKind {
    /// What a right value is: "must be …".
    pub fn wanted(&self) -> String {
        match self {
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Text(rule) => format!("{}{}", rule.wanted, rule.words.join(", ")),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Secret => "text without a NUL character".into(),
            Self::Flag => "yes or no".into(),
        }
    }

    /// What was probably meant by a value, or a word of it, that is none of those that there are.
    fn hint(&self, value: &str) -> String {
        let words = match self {
            Self::Choice(words) => words,
            Self::Text(rule) => rule.words,
            Self::Integer { .. } | Self::Secret | Self::Flag => &[],
        };
        let unknown = value.split(',').map(str::trim).find(|word| !words.contains(word));
        did_you_mean(unknown.and_then(|word| nearest(word, words.iter().copied())))
    }

    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Integer { min, max } => in_range(value, *min, *max),
            Self::Text(rule) => !has_control(value) && (rule.accepts)(value),
            Self::Choice(words) => words.contains(&value),
            // The wire protocol ends a text with NUL, so no password can hold one.
            Self::Secret => !value.contains('\0'),
            Self::Flag => matches!(value, "yes" | "no"),
        }
    }
}

fn in_range(value: &str, min: i64, max: i64) -> bool {
    value.parse::<i64>().is_ok_and(|number| (min..=max).contains(&number))
}

fn has_control(value: &str) -> bool {
    value.chars().any(char::is_control)
}

const fn number(name: &'static str, default: &'static str, min: i64, max: i64, doc: &'static str) -> Definition {
    define(name, default, ValueKind::Integer { min, max }, doc)
}

const fn text(name: &'static str, default: &'static str, rule: ValueRule, doc: &'static str) -> Definition {
    define(name, default, ValueKind::Text(rule), doc)
}

const fn define(name: &'static str, default: &'static str, kind: ValueKind, doc: &'static str) -> Definition {
    Definition { name, default, kind, runtime: false, scope: Scope::Global, in_config: true, doc }
}

impl Definition {
    const fn per_source(mut self) -> Self {
        self.scope = Scope::Source;
        self
    }

    const fn runtime(mut self) -> Self {
        self.runtime = true;
        self
    }

    const fn hidden(mut self) -> Self {
        self.in_config = false;
        self
    }
}

/// The longest time that fits where PostgreSQL and the server keep one: 2^31 - 1.
const LONGEST: i64 = i32::MAX as i64;
/// One day in milliseconds: no timeout is longer.
const DAY_MS: i64 = 86_400_000;

/// The words of `pg_sslmode`, from the weakest to the strictest.
pub(super) const SSL_MODES: &[&str] = &["disable", "prefer", "require", "verify-ca", "verify-full"];

/// Every setting that does something.
pub const ALL: &[Definition] = &[
    text(
        "pg_host",
        "localhost",
        NOT_EMPTY,
        "Host of PostgreSQL; a path starting with / is the directory of its Unix socket",
    )
    .per_source(),
    number("pg_port", "5432", 1, 65_535, "Port of PostgreSQL").per_source(),
    text("pg_database", "postgres", NOT_EMPTY, "Database to read from").per_source(),
    text("pg_user", "postgres", NOT_EMPTY, "Role to connect as").per_source(),
    define("pg_password", "", ValueKind::Secret, "Password of the role; better in pg_password_file or the environment")
        .per_source()
        .hidden(),
    text("pg_password_file", "", ANY, "File that holds the password; read at every connect").per_source(),
    define("pg_sslmode", "prefer", ValueKind::Choice(SSL_MODES), "How far to insist on TLS, with libpq's meaning")
        .per_source(),
    text("pg_sslrootcert", "", ANY, "PEM file of the certificate authorities to trust; empty: the system's")
        .per_source(),
    text("pg_sslcert", "", ANY, "PEM file of the client certificate and its chain").per_source(),
    text("pg_sslkey", "", ANY, "PEM file of the client certificate's private key").per_source(),
    text("pg_options", "", ANY, "Command-line options for the session, such as -c search_path=app").per_source(),
    number("pool_size", "8", 1, 1024, "Most connections to the source").per_source(),
    number("connect_timeout_ms", "2000", 1, DAY_MS, "Longest time to open a connection, in milliseconds").per_source(),
    define(
        "invalidation",
        "notify",
        ValueKind::Choice(Invalidation::WORDS),
        "How PostgreSQL tells of changes: notify, outbox, wal, or off",
    )
    .per_source(),
    text("pg_replication_user", "", ANY, "With invalidation wal: role with REPLICATION for the slot; empty: pg_user")
        .per_source(),
    text(
        "pg_replication_password_file",
        "",
        ANY,
        "File that holds its password; read at every connect; empty: the password of pg_user",
    )
    .per_source(),
    text(
        "wal_slot",
        "",
        SLOT,
        "With invalidation wal: name of a replication slot that outlives a connection; empty: a temporary one",
    )
    .per_source(),
    number(
        "wal_keep_limit_mb",
        "1024",
        1,
        1 << 30,
        "With wal_slot: the slot is dropped and made anew once it keeps so many MB of write-ahead log",
    )
    .per_source(),
    text(
        "allow_tables",
        "",
        ANY,
        "Comma-separated patterns of tables that may be read and watched; empty: all but the system's",
    )
    .per_source(),
    number("default_ttl", "3600", 0, LONGEST, "Life of an entry in seconds; 0: it does not expire").runtime(),
    text("cache_prefix", "pg_cache:", PREFIX, "What every cache key starts with"),
    number("statement_timeout_ms", "2000", 1, DAY_MS, "PostgreSQL cancels a load after so many milliseconds").runtime(),
    number("load_timeout_ms", "5000", 1, DAY_MS, "A client waits at most so many milliseconds for a load").runtime(),
    number("queue_limit", "4096", 1, 1_000_000, "Most loads that may wait for a worker").runtime(),
    number("max_waiters", "16384", 1, 10_000_000, "Most clients that may wait for loads").runtime(),
    number("batch_max", "128", 1, 10_000, "Most keys in one statement").runtime(),
    number("negative_ttl", "10", 0, LONGEST, "Seconds to remember that a row is absent; 0: not at all").runtime(),
    number("ttl_jitter_percent", "0", 0, 100, "Shorten each life at random by up to so many percent").runtime(),
    number("max_entry_bytes", "4194304", 1, 536_870_912, "Larger rows are answered but not stored").runtime(),
    number("max_multiread_keys", "10000", 1, 1_000_000, "Most keys in one MULTIREAD").runtime(),
    number("max_multiread_bytes", "67108864", 1, 1 << 40, "Most bytes in the reply of one MULTIREAD").runtime(),
    number("max_query_rows", "10000", 1, 1_000_000, "Most rows that a query may return").runtime(),
    define(
        "query",
        "named",
        ValueKind::Choice(QueryPolicy::WORDS),
        "Which queries may be sent: none (off), those that were defined (named), or any SQL (any)",
    ),
    number(
        "grace",
        "0",
        0,
        LONGEST,
        "Seconds that an entry may be served beyond its life, while it is loaded anew or PostgreSQL is down",
    )
    .runtime(),
    number(
        "refresh_ahead_percent",
        "0",
        0,
        99,
        "Load a row anew when it is read in the last so many percent of its life",
    )
    .runtime(),
    define(
        "on_gap",
        "bypass",
        ValueKind::Choice(OnGap::WORDS),
        "What answers for watched tables of a suspect source: PostgreSQL (bypass) or the cache (serve)",
    )
    .runtime(),
    number(
        "max_staleness_ms",
        "2000",
        100,
        DAY_MS,
        "Longest time without a sign of life from the change notices before a source is suspect",
    )
    .runtime(),
    text("events", "cache_hit,cache_miss,cache_write,cache_invalidate", EVENTS, "Which events are published").runtime(),
    number(
        "slowlog_log_slower_than",
        "10000",
        -1,
        LONGEST,
        "Commands that take so many microseconds or more go into the slow log; 0: all; -1: none",
    )
    .runtime(),
    number("slowlog_max_len", "128", 0, 1_000_000, "How many commands the slow log keeps").runtime(),
    number("http_port", "0", 0, 65_535, "Port of the HTTP endpoint for metrics and figures; 0: there is none"),
    text("http_bind", "127.0.0.1", ADDRESS, "Address that the HTTP endpoint listens on"),
    text(
        "definitions_key_file",
        "",
        ANY,
        "File with the key that seals the records of hooks and queries; empty: pgcache.key in the data folder",
    ),
    text(
        "disabled_plugins",
        "none",
        PLUGINS,
        "Which plugins are switched off: acl, stats, metrics, slowlog, events, hooks",
    )
    .runtime(),
    define("test_hooks", "no", ValueKind::Flag, "For the project's own tests").hidden(),
    number(
        "test_fill_delay_ms",
        "0",
        0,
        DAY_MS,
        "With test_hooks: a load waits at random up to so long before it is stored",
    )
    .runtime(),
    define(
        "test_unguarded",
        "no",
        ValueKind::Flag,
        "With test_hooks: loads that were superseded, or did not see what was told, are stored all the same",
    )
    .runtime(),
];

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
