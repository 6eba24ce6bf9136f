//! Which plugins are switched off.

use enumset::{EnumSet, EnumSetType};

/// A plugin, as the setting names it. In the order in which they are told.
#[derive(Debug, EnumSetType)]
pub enum PluginName {
    /// Access control by the server's ACL.
    Acl,
    /// Statistics.
    Stats,
    /// Metrics for Prometheus.
    Metrics,
    /// The slow log.
    SlowLog,
    /// Published events.
    Events,
    /// Hooks.
    Hooks,
}

impl PluginName {
    /// The names in the setting.
    pub const NAMES: [&'static str; 6] = ["acl", "stats", "metrics", "slowlog", "events", "hooks"];

    /// The name in the setting.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::Stats => "stats",
            Self::Metrics => "metrics",
            Self::SlowLog => "slowlog",
            Self::Events => "events",
            Self::Hooks => "hooks",
        }
    }

    fn named(name: &str) -> Option<Self> {
        PluginNames::all().iter().find(|plugin| plugin.name() == name)
    }

    /// Reads `none` or a comma-separated list of names. `None` when a name is not known.
    pub fn set_of(list: &str) -> Option<PluginNames> {
        if matches!(list.trim(), "none" | "") {
            return Some(PluginNames::empty());
        }
        list.split(',').map(|name| Self::named(name.trim())).collect()
    }
}

/// A set of plugins.
pub type PluginNames = EnumSet<PluginName>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_members() {
        assert_eq!(PluginName::set_of("stats, hooks"), Some(PluginName::Stats | PluginName::Hooks));
        assert_eq!(PluginName::set_of("none"), Some(PluginNames::empty()));
    }

    #[test]
    fn every_plugin_is_listed() {
        assert_eq!(PluginNames::all().into_iter().map(PluginName::name).collect::<Vec<_>>(), PluginName::NAMES);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(PluginName::set_of("stats,everything"), None);
        assert_eq!(PluginName::set_of("all"), None);
    }
}
