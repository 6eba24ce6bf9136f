//! The names of settings in the server's own configuration, where no name may hold a dot: `pg_host` for the first source,
//! `analytics_pg_host` for one named `analytics`.

use std::collections::BTreeSet;

use super::definition::{Definition, Scope, ALL};
use super::error::SettingError;
use super::input::Target;
use super::source::DEFAULT_SOURCE;
use super::Settings;

/// A setting as the server's configuration names it.
#[derive(Debug, Clone)]
pub struct ConfigName {
    /// The name, without the module's.
    pub name: String,
    /// The setting that it is for its source.
    pub definition: &'static Definition,
}

impl Settings {
    /// All settings that the server's configuration may give, for the sources that are known and for those of `given`: the names
    /// that stand there.
    ///
    /// # Errors
    /// One of `given` is not known, or has a dot.
    pub fn config_names(&self, given: &[String]) -> Result<Vec<ConfigName>, SettingError> {
        let mut sources: BTreeSet<String> = self.sources.iter().map(|source| source.name.clone()).collect();
        for name in given {
            sources.insert(source_of(name)?);
        }
        let of_tests = |definition: &&Definition| self.test_hooks || !definition.is_for_tests();
        let known = ALL.iter().filter(|definition| definition.in_config || definition.is_secret()).filter(of_tests);
        let of_sources = |definition: &'static Definition| match definition.scope {
            Scope::Global => vec![named(DEFAULT_SOURCE, definition)],
            Scope::Source => sources.iter().map(|source| named(source, definition)).collect(),
        };
        Ok(known.flat_map(of_sources).collect())
    }
}

fn named(source: &str, definition: &'static Definition) -> ConfigName {
    let setting = definition.name;
    let name = if source == DEFAULT_SOURCE { setting.to_owned() } else { format!("{source}_{setting}") };
    ConfigName { name, definition }
}

/// The source that the line `pgcache.<name>` is about.
fn source_of(name: &str) -> Result<String, SettingError> {
    Target::of_config(name).map(|target| target.source).map_err(|unknown| match Target::of_name(name) {
        Ok(target) => dotted(name, &named(&target.source, target.definition).name),
        Err(_) => unknown,
    })
}

/// What stands there as it would among the arguments.
fn dotted(name: &str, right: &str) -> SettingError {
    SettingError::new(format!(
        "pgcache.{name}: a name in the server's configuration takes no second dot, write pgcache.{right}"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::settings::load;

    fn names(args: &[&str], given: &[&str]) -> Result<Vec<String>, String> {
        let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
        let given: Vec<String> = given.iter().map(|word| (*word).to_owned()).collect();
        let names = load(&args, []).unwrap().settings.config_names(&given);
        names.map(|names| names.into_iter().map(|name| name.name).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn further_sources_have_names_of_their_own() {
        let known = names(&["a.pg_host", "x"], &["b_pool_size", "default_ttl"]).unwrap();
        for name in ["pg_host", "a_pg_host", "b_pg_host", "a_pg_password", "b_pool_size", "default_ttl"] {
            assert_eq!(known.iter().filter(|known| *known == name).count(), 1, "{name}");
        }
        for name in ["a_default_ttl", "default_pg_host", "test_hooks", "test_unguarded"] {
            assert!(!known.contains(&name.to_owned()), "{name}");
        }
    }

    #[test]
    fn what_cannot_stand_there_is_refused() {
        assert!(names(&[], &["a.pg_host"]).unwrap_err().ends_with("no second dot, write pgcache.a_pg_host"));
        assert!(names(&[], &["default.pg_host"]).unwrap_err().ends_with("write pgcache.pg_host"));
        assert_eq!(names(&[], &["pol_size"]).unwrap_err(), "unknown setting \"pol_size\": did you mean pool_size?");
        assert_eq!(names(&[], &["nothing"]).unwrap_err(), "unknown setting \"nothing\"");
    }
}
