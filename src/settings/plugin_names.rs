//! Which plugins are switched off.

/// A plugin, as the setting names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Every plugin, in the order in which they are told.
    pub const ALL: [Self; 6] =
        [Self::Acl, Self::Stats, Self::Metrics, Self::SlowLog, Self::Events, Self::Hooks];

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
        Self::ALL.into_iter().find(|plugin| plugin.name() == name)
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of plugins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PluginNames(u32);

impl PluginNames {
    /// Reads `none` or a comma-separated list of names. `None` when a name is not known.
    pub fn parse(list: &str) -> Option<Self> {
        if matches!(list.trim(), "none" | "") {
            return Some(Self::default());
        }
        let names = list.split(',').map(|name| PluginName::named(name.trim()));
        names.map(|name| name.map(PluginName::bit)).try_fold(Self(0), |set, bit| Some(Self(set.0 | bit?)))
    }

    /// Whether the plugin is among them.
    pub fn contains(self, plugin: PluginName) -> bool {
        self.0 & plugin.bit() != 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_members() {
        let names = PluginNames::parse("stats, hooks").unwrap();
        assert!(names.contains(PluginName::Stats) && names.contains(PluginName::Hooks));
        assert!(!names.contains(PluginName::Acl));
        assert_eq!(PluginNames::parse("none"), Some(PluginNames::default()));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(PluginNames::parse("stats,everything"), None);
        assert_eq!(PluginNames::parse("all"), None);
    }
}
