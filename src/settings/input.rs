//! Where values come from: the environment and the module's arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::definition::{Definition, Scope, ALL};
use super::error::SettingError;
use super::nearest::{did_you_mean, nearest};
use super::source::DEFAULT_SOURCE;
use super::values::Values;

/// What every variable of ours starts with.
const ENV_PREFIX: &str = "PGCACHE_";

/// All values given so far, by scope.
#[derive(Debug, Clone, Default)]
pub(super) struct Input {
    /// The settings of the module as a whole.
    pub(super) global: Values,
    /// The settings of the first source.
    pub(super) first: Values,
    /// The settings of the further sources, by name.
    pub(super) further: BTreeMap<String, Values>,
    /// The names of the secrets that came as arguments.
    pub(super) exposed: Vec<String>,
}

/// A setting as the user named it.
pub(super) struct Target {
    /// Which one.
    pub(super) definition: &'static Definition,
    /// Of which source, where every source has one.
    pub(super) source: String,
}

/// What the name of a source is like.
const SOURCE_NAMES: &str = ": the name of a source begins with a small letter, and has small letters, digits and _";

impl Input {
    /// Takes the variables that are ours; a later call overwrites an earlier one.
    ///
    /// Returns a warning for each variable with our prefix that is no setting: a container platform makes
    /// such variables for a service named `pgcache`, so they must not stop the load.
    ///
    /// # Errors
    /// When a setting's variable holds a bad value.
    pub(super) fn take_environment(
        &mut self,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Vec<String>, SettingError> {
        let mut warnings = Vec::new();
        for (variable, value) in env {
            // What is no text is none of ours.
            let Some(variable) = variable.to_str() else { continue };
            let Some(rest) = variable.strip_prefix(ENV_PREFIX) else { continue };
            match Target::of_variable(rest) {
                Some(target) => {
                    let value = value.to_str().ok_or_else(|| not_text(variable))?;
                    self.put(&target, variable, value)?;
                }
                None => warnings.push(unknown_variable(variable, rest)),
            }
        }
        warnings.sort();
        Ok(warnings)
    }

    /// Takes `name value` pairs.
    ///
    /// # Errors
    /// When a name is unknown or stands there twice, its value is missing, or the value is bad.
    pub(super) fn take_arguments(&mut self, args: &[String]) -> Result<(), SettingError> {
        let mut given = BTreeSet::new();
        for pair in args.chunks(2) {
            let [name, value] = pair else {
                let target = Target::of_name(&pair[0])?;
                return Err(SettingError::new(format!("{} has no value", target.definition.name)));
            };
            let target = Target::of_name(name)?;
            self.put(&target, name, value)?;
            if !given.insert((target.definition.name, target.source)) {
                return Err(SettingError::new(format!("{name} is given twice")));
            }
            if target.definition.is_secret() {
                self.exposed.push(name.clone());
            }
        }
        Ok(())
    }

    /// Keeps one value for `name`, as the server's configuration and `CONFIG SET` give it.
    ///
    /// The server gives every setting that it knows, those with their default as well, which make no source.
    ///
    /// # Errors
    /// When the name is unknown or the value is bad, and for a password.
    pub(super) fn take_one(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let target = Target::of_config(name)?;
        let is_default = value == target.definition.default;
        if target.definition.is_secret() {
            return if is_default { Ok(()) } else { Err(shown_secret(name)) };
        }
        if is_default && !self.has_source(&target) {
            return Ok(());
        }
        self.put(&target, name, value)
    }

    fn has_source(&self, target: &Target) -> bool {
        target.source == DEFAULT_SOURCE || self.further.contains_key(&target.source)
    }

    /// The value of `definition` for the source of `target`.
    pub(super) fn text(&self, target: &Target) -> &str {
        let name = target.definition.name;
        match (target.definition.scope, target.source.as_str()) {
            (Scope::Global, _) => self.global.text(name),
            (Scope::Source, DEFAULT_SOURCE) => self.first.text(name),
            (Scope::Source, source) => {
                self.further.get(source).map_or(target.definition.default, |values| values.text(name))
            }
        }
    }

    fn put(&mut self, target: &Target, name: &str, value: &str) -> Result<(), SettingError> {
        target.definition.check(name, value)?;
        self.values_mut(target).put(target.definition, value);
        Ok(())
    }

    fn values_mut(&mut self, target: &Target) -> &mut Values {
        match (target.definition.scope, target.source.as_str()) {
            (Scope::Global, _) => &mut self.global,
            (Scope::Source, DEFAULT_SOURCE) => &mut self.first,
            (Scope::Source, source) => self.further.entry(source.into()).or_default(),
        }
    }
}

impl Target {
    /// Reads `pg_host` or `analytics.pg_host`.
    pub(super) fn of_name(name: &str) -> Result<Self, SettingError> {
        let (source, setting) = name.split_once('.').unwrap_or((DEFAULT_SOURCE, name));
        let definition = Definition::named(setting).ok_or_else(|| unknown(name))?;
        if !is_source_name(source) {
            return Err(SettingError::unknown(name, SOURCE_NAMES));
        }
        if definition.scope == Scope::Global && name.contains('.') {
            return Err(SettingError::new(format!("{setting} is one for all sources: {name} means nothing")));
        }
        Ok(Self { definition, source: source.into() })
    }

    /// Reads `PG_HOST` or `ANALYTICS_PG_HOST`.
    fn of_variable(rest: &str) -> Option<Self> {
        if rest.chars().any(|c| c.is_ascii_lowercase()) {
            return None;
        }
        Self::with_underscores(&rest.to_ascii_lowercase())
    }

    /// Reads `pg_host` or `analytics_pg_host`.
    pub(super) fn of_config(name: &str) -> Result<Self, SettingError> {
        Self::with_underscores(name).ok_or_else(|| unknown(name))
    }

    fn with_underscores(name: &str) -> Option<Self> {
        if let Some(definition) = Definition::named(name) {
            return Some(Self { definition, source: DEFAULT_SOURCE.into() });
        }
        let of_sources = ALL.iter().filter(|definition| definition.scope == Scope::Source);
        of_sources.filter_map(|definition| Self::with_suffix(name, definition)).next()
    }

    fn with_suffix(name: &str, definition: &'static Definition) -> Option<Self> {
        let source = name.strip_suffix(definition.name)?.strip_suffix('_')?;
        is_source_name(source).then(|| Self { definition, source: source.into() })
    }
}

/// With the nearest name that there is.
fn unknown(name: &str) -> SettingError {
    let meant = match name.split_once('.') {
        // What is no name of a source may be anything, and is not repeated as it is.
        Some((source, _)) if !is_source_name(source) => None,
        Some((source, setting)) => nearest(setting, names(&[Scope::Source])).map(|meant| format!("{source}.{meant}")),
        None => nearest(name, names(&[Scope::Source, Scope::Global])).map(str::to_owned),
    };
    SettingError::unknown(name, &did_you_mean(meant))
}

fn unknown_variable(variable: &str, rest: &str) -> String {
    let meant = nearest(rest, names(&[Scope::Source, Scope::Global]));
    let meant = meant.map(|name| format!("{ENV_PREFIX}{}", name.to_ascii_uppercase()));
    format!("environment variable {variable:?} is not a setting of pgcache{}", did_you_mean(meant))
}

/// The names of the settings that users have.
fn names(scopes: &[Scope]) -> impl Iterator<Item = &'static str> + use<'_> {
    let for_users = ALL.iter().filter(|definition| scopes.contains(&definition.scope) && !definition.is_for_tests());
    for_users.map(|definition| definition.name)
}

/// The server would show it to whoever may call CONFIG GET, or forget it at CONFIG REWRITE.
fn shown_secret(name: &str) -> SettingError {
    SettingError::new(format!(
        "{name} is not taken from the server's configuration, which CONFIG GET shows: put the password into a file and name \
         that in pgcache.{name}_file, or into the environment variable {ENV_PREFIX}{}",
        name.to_ascii_uppercase()
    ))
}

fn not_text(variable: &str) -> SettingError {
    SettingError::new(format!("{variable} is no text in UTF-8"))
}

/// `[a-z][a-z0-9_]*`: what can stand before the colon of a table name and in a variable's name.
fn is_source_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
