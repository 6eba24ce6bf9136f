//! Whether a connection has a server process to itself. Behind a pooler it may not: what a session sets or prepares then stays
//! with the process, where others find it, and is missing from the next one.
//!
//! Connections are opened with an option that PostgreSQL takes for a setting of the session. Poolers refuse it or leave it
//! out, since their connections to PostgreSQL are older than ours to them.

use ::postgres::Error;

/// The option.
pub(crate) const MARK: &str = "-c pgcache.session=own";

/// What goes with it: PostgreSQL ends a session whose other side has gone without a word (a cable was cut), by when its own side has
/// given it up too. It stands in front of the user's options, which win.
const KEEPALIVE: &str = "\
-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c tcp_user_timeout=8000";

/// A column that is the number of the server process in sessions that have one to themselves, and NULL in all others.
pub(crate) const OWN_PROCESS: &str =
    "CASE WHEN pg_catalog.current_setting('pgcache.session', true) OPERATOR(pg_catalog.=) 'own' THEN pg_catalog.pg_backend_pid() END";

/// The number that this column says; 0 for NULL.
pub(crate) fn own_process(column: Option<&str>) -> i32 {
    column.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// `options` of the user's, with the mark.
pub(crate) fn marked(options: Option<&str>) -> String {
    match options {
        Some(options) => format!("{KEEPALIVE} {options} {MARK}"),
        None => format!("{KEEPALIVE} {MARK}"),
    }
}

/// Whether a pooler may have refused the connection for the mark, or for options of any kind.
pub(crate) fn refuses_options(error: &Error) -> bool {
    error.as_db_error().is_some_and(|db| is_about_options(db.message()))
}

/// PgBouncer: `unsupported startup parameter: options`, and `… in options: pgcache.session` from 1.20 on. RDS Proxy: `Feature
/// not supported: RDS Proxy currently doesn't support command-line options.`
fn is_about_options(message: &str) -> bool {
    message.contains("startup parameter") || message.contains("option")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poolers_refuse_options_in_words_of_their_own() {
        for message in [
            "unsupported startup parameter: options",
            "unsupported startup parameter in options: pgcache.session",
            "Feature not supported: RDS Proxy currently doesn't support command-line options.",
        ] {
            assert!(is_about_options(message), "{message}");
        }
        for message in ["password authentication failed for user \"app\"", "sorry, too many clients already"] {
            assert!(!is_about_options(message), "{message}");
        }
    }

    #[test]
    fn the_mark_comes_after_the_users_options() {
        let own = "-c pgcache.session=own";
        assert_eq!(marked(None), format!("{KEEPALIVE} {own}"));
        assert_eq!(marked(Some("-c search_path=app")), format!("{KEEPALIVE} -c search_path=app {own}"));
    }
}
