//! Warnings: settings that work and are risky.

use super::{QueryPolicy, Settings};

/// What `query any` means.
const ANY_QUERY: &str = "\
query is any, so that whoever may call PGCACHE.QUERY reads whatever the role may read: define the queries with PGCACHE.DEFINE, and set query \
to named";

impl Settings {
    /// What is risky about these settings, one line each, for the log and HEALTH.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.input.exposed.iter().map(|name| exposed(name)).collect();
        if self.query == QueryPolicy::Any {
            warnings.push(ANY_QUERY.into());
        }
        warnings
    }
}

fn exposed(name: &str) -> String {
    format!(
        "{name} was given as a module argument, which MODULE LIST shows to everyone who may call it: use pg_password_file or the environment \
         instead"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::settings::load;

    #[test]
    fn what_is_risky_is_told_as_long_as_it_holds() {
        let args = ["query", "any", "analytics.pg_password", "hunter2"].map(String::from);
        let settings = load(&args, []).unwrap().settings;
        let told = settings.warnings();
        assert!(told[0].starts_with("analytics.pg_password was given as a module argument"), "{told:?}");
        assert!(told[1].starts_with("query is any") && !told.concat().contains("hunter2"), "{told:?}");
        assert_eq!(settings.with("query", "named").unwrap().warnings().len(), 1);
        assert!(load(&[], []).unwrap().settings.warnings().is_empty());
    }
}
