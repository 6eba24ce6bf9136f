//! Availability: what hits do while their source is away, in words for the log and HEALTH.

use crate::cache::lease::LeaseStatus;
use crate::engine::catalog::sources::ActiveSource;
use crate::engine::host::Host;
use crate::engine::Engine;
use crate::plugins::health::superuser;
use crate::postgres::Transition;
use crate::settings::{OnGap, Settings};
use crate::workers::SourceIndex;

/// What hits do with `on_gap serve`, and how to choose it.
const SERVED: &str =
    "hits of watched tables go on until their time to live ends, and may be out of date (on_gap serve)";
const CHOICE: &str = "CONFIG SET pgcache.on_gap serve has hits go on, and they may be out of date";

/// What keeps a source's hits from being answered as always.
#[derive(Debug, Clone, Copy)]
struct Absence {
    /// Whether PostgreSQL cannot be reached.
    is_down: bool,
    /// Whether it was reached before.
    was_up: bool,
    /// Whether its change notices can be relied on.
    is_live: bool,
    /// Whether any of its tables is watched.
    is_watched: bool,
}

impl Absence {
    /// What hits do meanwhile; `None`: they are answered as always.
    fn hits(self, settings: &Settings) -> Option<String> {
        match self {
            Self { is_down: true, was_up: false, .. } => {
                Some("reads answer PGDOWN until it has been up once, since no table is known before".into())
            }
            Self { is_down, is_watched: false, .. } => {
                is_down.then(|| "hits go on until their time to live ends, since no table is watched".into())
            }
            Self { is_down: false, is_live: true, .. } => None,
            _ if settings.on_gap == OnGap::Serve => Some(SERVED.into()),
            Self { is_down: false, .. } => Some(format!(
                "reads of watched tables ask PostgreSQL until change notices are live (on_gap bypass); {CHOICE}"
            )),
            Self { is_live, .. } => Some(bypassed(is_live, settings)),
        }
    }
}

/// What hits of a source that is down do with `on_gap bypass`.
fn bypassed(is_live: bool, settings: &Settings) -> String {
    let when = match is_live {
        true => format!(" after at most {} ms (max_staleness_ms)", settings.max_staleness.as_millis()),
        false => String::new(),
    };
    match settings.grace.as_secs() {
        0 => format!("hits of watched tables answer PGDOWN{when}: on_gap bypass; {CHOICE}"),
        grace => format!(
            "rows of watched tables go on for {grace} s from then on, and may be out of date (grace); results of queries answer PGDOWN{when}: \
             on_gap bypass; {CHOICE}"
        ),
    }
}

impl<H: Host> Engine<H> {
    /// What hits of a source do at `now_ms`, if they are not answered as always.
    pub fn hits_of(&self, index: SourceIndex, source: &ActiveSource, is_down: bool, now_ms: u64) -> Option<String> {
        let absence = Absence {
            is_down,
            was_up: source.was_up(),
            is_live: self.freshness_of(index, now_ms) == LeaseStatus::Live,
            is_watched: self.watched(index) > 0,
        };
        absence.hits(self.settings.get())
    }

    /// Tells the log that a source came up or went down: what it is connected to, or why not, and what hits do.
    pub fn log_transition(&self, index: SourceIndex, transition: &Transition, now_ms: u64) {
        let Some(source) = self.sources.get(index) else { return };
        let name = &source.name;
        let hits =
            self.hits_of(index, source, !transition.up, now_ms).map(|hits| format!("; {hits}")).unwrap_or_default();
        if let Some(reason) = &transition.reason {
            return log::warn!("source {name} is down: {reason}{hits}");
        }
        let Some(identity) = source.identity() else { return };
        log::info!("source {name} is up: {identity}{hits}");
        if !source.was_up() && identity.server.as_ref().is_some_and(|server| server.is_superuser) {
            log::warn!("{}", superuser(name, &identity.role));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const UP: Absence = Absence { is_down: false, was_up: true, is_live: true, is_watched: true };
    const SUSPECT: Absence = Absence { is_live: false, ..UP };
    const DOWN: Absence = Absence { is_down: true, ..UP };

    fn hits(absence: Absence, settings: &[&str]) -> String {
        let settings: Vec<String> = settings.iter().map(|word| (*word).to_owned()).collect();
        absence.hits(&crate::settings::load(&settings, []).unwrap().settings).unwrap_or_default()
    }

    #[test]
    fn nothing_is_said_while_hits_are_answered_as_always() {
        assert_eq!(hits(UP, &[]), "");
        assert_eq!(hits(Absence { is_watched: false, ..SUSPECT }, &[]), "");
    }

    #[test]
    fn the_consistent_choice_names_the_other_one() {
        let live = hits(DOWN, &["max_staleness_ms", "700"]);
        assert!(live.starts_with("hits of watched tables answer PGDOWN after at most 700 ms"), "{live}");
        let gone = hits(Absence { is_down: true, ..SUSPECT }, &[]);
        assert!(gone.starts_with("hits of watched tables answer PGDOWN: on_gap bypass; CONFIG SET"), "{gone}");
        let suspect = hits(SUSPECT, &[]);
        assert!(
            suspect.starts_with("reads of watched tables ask PostgreSQL until change notices are live"),
            "{suspect}"
        );
        assert!([live, gone, suspect].iter().all(|told| told.contains("CONFIG SET pgcache.on_gap serve")));
    }

    #[test]
    fn the_available_choice_names_its_price() {
        for absence in [DOWN, SUSPECT, Absence { is_down: true, ..SUSPECT }] {
            let told = hits(absence, &["on_gap", "serve"]);
            assert!(told.contains("go on") && told.contains("may be out of date"), "{told}");
        }
    }

    #[test]
    fn grace_keeps_rows_and_no_results() {
        let told = hits(DOWN, &["grace", "3600"]);
        assert!(told.contains("rows of watched tables go on for 3600 s"), "{told}");
        assert!(told.contains("results of queries answer PGDOWN after at most 2000 ms"), "{told}");
    }

    #[test]
    fn tables_that_nobody_watches_or_knows_are_told_of_too() {
        assert!(hits(Absence { is_watched: false, ..DOWN }, &[]).contains("until their time to live ends"));
        let first = Absence { is_down: true, was_up: false, is_live: false, is_watched: false };
        assert!(hits(first, &["on_gap", "serve"]).starts_with("reads answer PGDOWN until it has been up once"));
    }
}
