//! Every setting once: where it comes from, what it may be, and the snapshot that everyone else reads.

mod allow;
mod config_names;
mod definition;
mod error;
mod event_types;
mod freshness;
mod glob;
mod input;
mod key_file;
mod local;
mod nearest;
mod password_file;
mod plugin_names;
mod query_policy;
mod shared;
mod source;
mod values;
mod warnings;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use allow::AllowTables;
pub use config_names::ConfigName;
pub use definition::{Definition, Scope, ValueKind, ValueRule, ALL};
pub use error::SettingError;
pub use event_types::{EventType, EventTypes};
pub use freshness::{Invalidation, OnGap};
pub use glob::glob;
pub use key_file::{random as random_key, KeyFile};
pub use local::Local;
pub use nearest::{did_you_mean, nearest};
pub use plugin_names::{PluginName, PluginNames};
pub use query_policy::QueryPolicy;
pub use shared::Shared;
pub use source::{SourceSettings, SslMode, DEFAULT_SOURCE};

use input::{Input, Target};

/// All settings at one moment. A run-time change makes a new snapshot; this one never changes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sources; the first is `default`, the others follow by name.
    pub sources: Vec<Arc<SourceSettings>>,
    /// Life of an entry; `None`: it does not expire.
    pub default_ttl: Option<Duration>,
    /// What every cache key starts with.
    pub cache_prefix: String,
    /// How long PostgreSQL may work on a load.
    pub statement_timeout: Duration,
    /// How long a client waits for a load.
    pub load_timeout: Duration,
    /// Most loads that may wait for a worker.
    pub queue_limit: usize,
    /// Most clients that may wait for loads.
    pub max_waiters: usize,
    /// Most keys in one statement.
    pub batch_max: usize,
    /// How long to remember that a row is absent; `None`: not at all.
    pub negative_ttl: Option<Duration>,
    /// By how many percent, at most, a life is shortened at random.
    pub ttl_jitter_percent: u8,
    /// Rows of more bytes are answered but not stored.
    pub max_entry_bytes: usize,
    /// Most keys in one `MULTIREAD`.
    pub max_multiread_keys: usize,
    /// Most bytes in the reply of one `MULTIREAD`.
    pub max_multiread_bytes: usize,
    /// Most rows of one query.
    pub max_query_rows: usize,
    /// Which queries may be sent.
    pub query: QueryPolicy,
    /// How long beyond its life an entry may be served while it is loaded anew or PostgreSQL is down.
    pub grace: Duration,
    /// In the last so many percent of its life an entry that is read is loaded anew.
    pub refresh_ahead_percent: u8,
    /// What answers for the watched tables of a suspect source.
    pub on_gap: OnGap,
    /// Longest time without a sign of life from the change notices before a source is suspect.
    pub max_staleness: Duration,
    /// From how many microseconds on a command goes into the slow log; `None`: none does.
    pub slowlog_log_slower_than_us: Option<u64>,
    /// How many commands the slow log keeps.
    pub slowlog_max_len: usize,
    /// Which events are published.
    pub events: EventTypes,
    /// Where the HTTP endpoint listens; port 0: there is none.
    pub http_port: u16,
    /// On which address.
    pub http_bind: IpAddr,
    /// The file with the key that seals records of hooks and queries; `None`: one in the data folder.
    pub definitions_key_file: Option<PathBuf>,
    /// Which plugins are switched off.
    pub disabled_plugins: PluginNames,
    /// Whether the hooks of the project's own tests are open.
    pub test_hooks: bool,
    /// For tests: how long, at most and at random, a load waits between its row and the way back.
    pub test_fill_delay: Option<Duration>,
    /// For tests: loads that were superseded, or did not see what was told, are stored all the same.
    pub test_unguarded: bool,
    /// The values that all this was made from.
    input: Input,
}

/// What [`load`] found.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What an operator should know beside [`Settings::warnings`], one line each, for the log.
    pub warnings: Vec<String>,
}

/// Makes the settings from the defaults, the environment, and the module's arguments; the later wins.
///
/// `args` are flat `name value` pairs.
///
/// # Errors
/// An unknown argument, an odd number of them, or a bad value; see also [`Settings::check`]. The
/// text names the setting and never shows a secret.
///
/// ```
/// let args = ["pg_host", "db1", "analytics.pg_host", "db2"].map(String::from);
/// let loaded = pgcache::settings::load(&args, []).unwrap();
/// assert_eq!(loaded.settings.sources[1].pg_host, "db2");
/// ```
pub fn load(args: &[String], env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, SettingError> {
    let mut input = Input::default();
    let mut warnings = input.take_environment(env)?;
    input.take_arguments(args)?;
    let settings = Settings::build(input)?;
    warnings.extend(settings.sources.iter().filter_map(|source| password_file::warning(source)));
    Ok(Loaded { settings, warnings })
}

impl Settings {
    fn build(input: Input) -> Result<Self, SettingError> {
        let mut sources = vec![Arc::new(SourceSettings::build(DEFAULT_SOURCE, &input.first))];
        for (name, values) in &input.further {
            sources.push(Arc::new(SourceSettings::build(name, values)));
        }
        let global = &input.global;
        let test_hooks = global.flag("test_hooks");
        Ok(Self {
            sources,
            default_ttl: global.seconds("default_ttl"),
            cache_prefix: global.text("cache_prefix").into(),
            statement_timeout: global.milliseconds("statement_timeout_ms"),
            load_timeout: global.milliseconds("load_timeout_ms"),
            queue_limit: global.integer("queue_limit"),
            max_waiters: global.integer("max_waiters"),
            batch_max: global.integer("batch_max"),
            negative_ttl: global.seconds("negative_ttl"),
            ttl_jitter_percent: global.integer("ttl_jitter_percent"),
            max_entry_bytes: global.integer("max_entry_bytes"),
            max_multiread_keys: global.integer("max_multiread_keys"),
            max_multiread_bytes: global.integer("max_multiread_bytes"),
            max_query_rows: global.integer("max_query_rows"),
            query: QueryPolicy::named(global.text("query")),
            grace: global.seconds("grace").unwrap_or_default(),
            refresh_ahead_percent: global.integer("refresh_ahead_percent"),
            on_gap: OnGap::named(global.text("on_gap")),
            max_staleness: global.milliseconds("max_staleness_ms"),
            slowlog_log_slower_than_us: u64::try_from(global.integer::<i64>("slowlog_log_slower_than")).ok(),
            slowlog_max_len: global.integer("slowlog_max_len"),
            events: EventType::published(global.text("events")).unwrap_or_default(),
            http_port: global.integer("http_port"),
            http_bind: global.text("http_bind").parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            definitions_key_file: global.optional::<String>("definitions_key_file").map(PathBuf::from),
            disabled_plugins: PluginName::set_of(global.text("disabled_plugins")).unwrap_or_default(),
            test_hooks,
            test_fill_delay: Some(global.milliseconds("test_fill_delay_ms"))
                .filter(|delay| test_hooks && !delay.is_zero()),
            test_unguarded: test_hooks && global.flag("test_unguarded"),
            input,
        })
    }

    /// Whether the settings go together. The server's configuration file gives them one by one, so this can only be
    /// asked when all of them have come.
    ///
    /// # Errors
    /// Two settings that exclude or need each other.
    pub fn check(&self) -> Result<(), SettingError> {
        self.sources.iter().try_for_each(|source| source.check())
    }

    /// A copy of these settings in which `name` has `value`.
    ///
    /// Says nothing about whether the setting may change while the server runs: that is
    /// [`runtime`](field@Definition::runtime), and the caller's to obey.
    ///
    /// # Errors
    /// An unknown name, or a bad value.
    pub fn with(&self, name: &str, value: &str) -> Result<Self, SettingError> {
        let mut input = self.input.clone();
        input.take_one(name, value)?;
        Self::build(input)
    }

    /// The value of `name`, as the server's configuration names it; empty for a secret and for an unknown name.
    pub fn show(&self, name: &str) -> String {
        match Target::of_config(name) {
            Ok(target) if !target.definition.is_secret() => self.input.text(&target).into(),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use secrecy::ExposeSecret;

    fn pairs(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn env(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn settings(words: &[&str]) -> Settings {
        load(&pairs(words), []).unwrap().settings
    }

    fn refusal(words: &[&str]) -> String {
        let loaded = load(&pairs(words), []);
        loaded.and_then(|loaded| loaded.settings.check()).unwrap_err().to_string()
    }

    #[test]
    fn nothing_given_means_the_documented_defaults() {
        let settings = settings(&[]);
        assert_eq!(settings.default_ttl, Some(Duration::from_secs(3600)));
        assert_eq!(settings.load_timeout, Duration::from_millis(5000));
        assert_eq!(settings.max_entry_bytes, 4_194_304);
        assert_eq!(settings.max_waiters, 16_384);
        assert_eq!(settings.sources.len(), 1);
        assert_eq!(settings.sources[0].name, "default");
        assert_eq!(settings.sources[0].pg_sslmode, SslMode::Prefer);
        assert_eq!((settings.sources[0].pool_size, settings.sources[0].pg_port), (8, 5432));
        assert!(settings.events.contains(EventType::Hit));
        for kind in [EventType::Load, EventType::TableFlush, EventType::TagInvalidate] {
            assert!(!settings.events.contains(kind), "{kind:?}");
        }
    }

    #[test]
    fn arguments_win_over_the_environment() {
        let env = env(&[("PGCACHE_PG_HOST", "fromenv"), ("PGCACHE_PG_PORT", "6000"), ("HOME", "/")]);
        let loaded = load(&pairs(&["pg_host", "fromargs"]), env).unwrap();
        assert_eq!(loaded.settings.sources[0].pg_host, "fromargs");
        assert_eq!(loaded.settings.sources[0].pg_port, 6000);
        assert!(loaded.warnings.is_empty());
    }

    #[test]
    fn a_further_source_inherits_nothing_from_the_first() {
        let env = env(&[("PGCACHE_PG_PASSWORD", "hunter2"), ("PGCACHE_ANALYTICS_PG_USER", "reader")]);
        let loaded = load(&pairs(&["analytics.pg_host", "db2", "pool_size", "3"]), env).unwrap();
        let analytics = &loaded.settings.sources[1];
        assert_eq!((analytics.name.as_str(), analytics.pg_host.as_str()), ("analytics", "db2"));
        assert_eq!((analytics.pg_user.as_str(), analytics.pool_size), ("reader", 8));
        assert!(analytics.pg_password.is_none());
    }

    #[test]
    fn the_longer_name_wins_in_a_variable() {
        let loaded = load(&[], env(&[("PGCACHE_A_B_PG_PASSWORD_FILE", "/none")])).unwrap();
        let source = &loaded.settings.sources[1];
        assert_eq!(source.name, "a_b");
        assert!(source.pg_password_file.is_some() && source.pg_password.is_none());
    }

    #[test]
    fn a_refused_argument_is_named() {
        assert_eq!(refusal(&["what", "5"]), "unknown setting \"what\"");
        assert_eq!(refusal(&["default_ttl"]), "default_ttl has no value");
        assert_eq!(refusal(&["what"]), "unknown setting \"what\"");
        assert!(refusal(&["Bad.pg_host", "x"]).starts_with("unknown setting \"Bad.pg_host\": the name of a source"));
        assert!(refusal(&["a.default_ttl", "5"]).contains("one for all sources"));
        assert!(refusal(&["a.pg_port", "x"]).starts_with("a.pg_port must be"));
    }

    #[test]
    fn an_unknown_setting_comes_with_the_nearest_name() {
        assert_eq!(refusal(&["htp_port", "5"]), "unknown setting \"htp_port\": did you mean http_port?");
        assert_eq!(refusal(&["a.pol_size", "5"]), "unknown setting \"a.pol_size\": did you mean a.pool_size?");
        assert_eq!(refusal(&["a\n.pol_size", "5"]), "unknown setting \"a\\n.pol_size\"");
        assert_eq!(refusal(&["test_hoks", "yes"]), "unknown setting \"test_hoks\"");
        let variable = load(&[], env(&[("PGCACHE_PG_HOTS", "db1")])).unwrap().warnings;
        assert!(variable[0].ends_with("is not a setting of pgcache: did you mean PGCACHE_PG_HOST?"), "{variable:?}");
    }

    #[test]
    fn a_setting_stands_once_among_the_arguments() {
        assert_eq!(refusal(&["pg_host", "a", "default_ttl", "5", "pg_host", "a"]), "pg_host is given twice");
        assert_eq!(refusal(&["pg_host", "a", "default.pg_host", "b"]), "default.pg_host is given twice");
        assert_eq!(refusal(&["a.pg_password", "hunter2", "a.pg_password", "x"]), "a.pg_password is given twice");
        assert!(load(&pairs(&["a.pg_host", "x", "b.pg_host", "x", "pg_host", "x"]), []).is_ok());
    }

    #[test]
    fn a_bad_variable_stops_the_load_and_a_foreign_one_does_not() {
        let error = load(&[], env(&[("PGCACHE_DEFAULT_TTL", "soon")])).unwrap_err().to_string();
        assert!(error.starts_with("PGCACHE_DEFAULT_TTL must be a whole number"), "{error}");
        let loaded = load(&[], env(&[("PGCACHE_SERVICE_HOST", "10.0.0.1")])).unwrap();
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].contains("PGCACHE_SERVICE_HOST") && !loaded.warnings[0].contains("10.0"));
    }

    #[test]
    fn a_variable_that_is_no_text_stops_the_load_only_if_it_is_a_setting() {
        let not_text = || OsString::from_vec(b"\xff".into());
        let error = load(&[], [("PGCACHE_PG_PASSWORD".into(), not_text())]).unwrap_err().to_string();
        assert_eq!(error, "PGCACHE_PG_PASSWORD is no text in UTF-8");
        let foreign = [("HOME".into(), not_text()), (not_text(), "1".into())];
        assert!(load(&[], foreign).unwrap().warnings.is_empty());
    }

    #[test]
    fn a_password_is_never_shown() {
        let loaded = load(&pairs(&["pg_password", "hunter2"]), []).unwrap();
        assert_eq!(loaded.settings.sources[0].pg_password.as_ref().unwrap().expose_secret(), "hunter2");
        assert_eq!(loaded.settings.show("pg_password"), "");
        assert!(loaded.settings.warnings()[0].starts_with("pg_password was given as a module argument"));
        assert!(!format!("{loaded:?}").contains("hunter2"));
        let both = refusal(&["pg_password", "hunter2", "pg_password_file", "/x"]);
        assert!(both.contains("exclude each other") && !both.contains("hunter2"));
    }

    #[test]
    fn half_a_client_certificate_is_refused() {
        assert!(refusal(&["pg_sslcert", "/c.pem"]).contains("pg_sslkey"));
    }

    #[test]
    fn a_change_makes_a_new_snapshot() {
        let before = settings(&["default_ttl", "60"]);
        let after = before.with("default_ttl", "0").unwrap();
        assert_eq!((before.default_ttl, after.default_ttl), (Some(Duration::from_secs(60)), None));
        assert_eq!(after.show("default_ttl"), "0");
        assert!(before.with("default_ttl", "x").is_err());
        assert!(before.with("nothing", "x").is_err());
    }

    #[test]
    fn the_servers_configuration_may_name_a_further_source() {
        let after = settings(&[]).with("a_pg_host", "db2").unwrap().with("a_pg_port", "5432").unwrap();
        assert_eq!((after.sources[1].name.as_str(), after.sources[1].pg_host.as_str()), ("a", "db2"));
        assert_eq!((after.show("a_pg_host").as_str(), after.show("pg_host").as_str()), ("db2", "localhost"));
        assert_eq!((after.show("b_pg_host").as_str(), after.show("b_nothing").as_str()), ("localhost", ""));
    }

    #[test]
    fn defaults_of_the_servers_configuration_make_no_source() {
        assert_eq!(settings(&[]).with("a_pg_host", "localhost").unwrap().sources.len(), 1);
        let given = settings(&["a.pg_host", "db2"]).with("a_pg_host", "localhost").unwrap();
        assert_eq!((given.sources.len(), given.sources[1].pg_host.as_str()), (2, "localhost"));
    }

    #[test]
    fn no_password_comes_from_the_servers_configuration() {
        for name in ["pg_password", "a_pg_password"] {
            let error = settings(&[]).with(name, "hunter2").unwrap_err().to_string();
            assert!(error.contains(&format!("pgcache.{name}_file")) && !error.contains("hunter2"), "{error}");
        }
        let kept = settings(&["pg_password", "hunter2"]).with("pg_password", "").unwrap();
        assert!(kept.sources[0].pg_password.is_some());
    }

    #[test]
    fn every_setting_can_be_shown_and_set_to_what_it_shows() {
        let settings = settings(&[]);
        for definition in ALL {
            let shown = settings.show(definition.name);
            assert_eq!(shown, definition.default);
            assert!(settings.with(definition.name, &shown).is_ok(), "{}", definition.name);
        }
    }
}
