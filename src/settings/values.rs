//! The checked but still untyped values of one scope.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::definition::Definition;

/// What was given for the settings of one scope; the rest have their defaults.
///
/// Every value is kept as a secret, so that no `Debug` output can show a password.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(BTreeMap<&'static str, SecretString>);

impl Values {
    /// Keeps a value that was checked before.
    pub(super) fn put(&mut self, definition: &'static Definition, value: &str) {
        self.0.insert(definition.name, value.into());
    }

    /// The value of `name`, or its default.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(value) => value.expose_secret(),
            None => Definition::named(name).map_or("", |definition| definition.default),
        }
    }

    /// The value of `name` unless it is empty.
    pub(super) fn optional<T: for<'a> From<&'a str>>(&self, name: &str) -> Option<T> {
        Some(self.text(name)).filter(|value| !value.is_empty()).map(T::from)
    }

    /// The number `name`. Its range was checked when it was put, so it fits the type that the table calls for.
    pub(super) fn integer<T: TryFrom<i64> + Default>(&self, name: &str) -> T {
        let number = self.text(name).parse::<i64>().unwrap_or_default();
        T::try_from(number).unwrap_or_default()
    }

    /// The time `name`, given in milliseconds.
    pub(super) fn milliseconds(&self, name: &str) -> Duration {
        Duration::from_millis(self.integer(name))
    }

    /// The time `name`, given in seconds; 0 means none.
    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        Some(Duration::from_secs(self.integer(name))).filter(|time| !time.is_zero())
    }

    /// The yes or no of `name`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name) == "yes"
    }
}
