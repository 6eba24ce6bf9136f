//! The connections of one source. One that owes an answer while PostgreSQL says that it has nothing to do there is lost:
//! its process stands still, or the network has lost it. A statement that takes long is another matter.

use crate::postgres::Texts;
use std::sync::{Arc, Weak};
use std::time::Instant;

use ::postgres::SimpleQueryMessage;
use parking_lot::Mutex;

use super::client::Pulse;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It loads, and what it was about to load is loaded by another one when it is lost.
    Load,
    /// It listens. Another one in its place begins with a gap.
    Listen,
}

/// The connections of one source, whoever has them.
#[derive(Debug, Default)]
pub struct Pulses {
    all: Mutex<Vec<(Purpose, Weak<Pulse>)>>,
    /// When one that loads was found to be lost last.
    loads_lost: Mutex<Option<Instant>>,
}

/// Connections whose answers are late.
#[derive(Debug)]
pub(crate) struct Late(Vec<(Purpose, Arc<Pulse>)>);

/// Connections that are lost.
#[derive(Debug)]
pub(crate) struct Lost(Vec<(Purpose, Arc<Pulse>)>);

/// For how long, in seconds, PostgreSQL must have had nothing to do for a connection that owes an answer: one that has just
/// been sent may not have been read yet.
const REST: f64 = 0.2;

/// What PostgreSQL says of a connection that owes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    /// It has nothing to do, or does not exist.
    None,
    /// It computes, or stands still since it did.
    Computes,
    /// It waits for something, has just answered, or nobody may know.
    Waits,
}

impl Pulses {
    /// One was opened.
    pub(crate) fn keep(&self, purpose: Purpose, pulse: &Arc<Pulse>) {
        let mut pulses = self.all.lock();
        pulses.retain(|(_, pulse)| pulse.strong_count() > 0);
        pulses.push((purpose, Arc::downgrade(pulse)));
    }

    /// Ends those that load: whoever waits for an answer on one of them is told at once.
    pub(crate) fn end_loads(&self) {
        let all = self.all().into_iter();
        all.filter(|(purpose, _)| *purpose == Purpose::Load).for_each(|(_, pulse)| pulse.stop());
    }

    /// Those whose answers are late, of which PostgreSQL can be asked.
    pub(crate) fn late(&self) -> Late {
        let mut late = self.all();
        late.retain(|(_, pulse)| pulse.is_late() && pulse.process().is_some());
        Late(late)
    }

    /// Those of `late` that are lost by what was answered to [`Late::question`]. Of those that have a reason the next doubt begins later.
    pub(crate) fn lost(&self, late: &Late, answers: &[SimpleQueryMessage]) -> Lost {
        let activities: Vec<Activity> = late.0.iter().map(|(_, pulse)| activity(pulse, answers)).collect();
        let loads_lost = self.loads_lost(late, &activities);
        let mut lost = Vec::new();
        for ((purpose, pulse), activity) in late.0.iter().zip(activities) {
            let are_others_lost = loads_lost.is_some_and(|lost| !pulse.has_answered_since(lost));
            // It may have been answered meanwhile.
            if is_lost(*purpose, activity, are_others_lost, pulse.is_useless()) && pulse.is_late() {
                lost.push((*purpose, Arc::clone(pulse)));
            } else if activity != Activity::None {
                pulse.excuse();
            }
        }
        Lost(lost)
    }

    /// When loads were found to be lost last: now, perhaps.
    fn loads_lost(&self, late: &Late, activities: &[Activity]) -> Option<Instant> {
        let mut last = self.loads_lost.lock();
        let mut all = late.0.iter().zip(activities);
        if all.any(|((purpose, _), activity)| (*purpose, *activity) == (Purpose::Load, Activity::None)) {
            *last = Some(Instant::now());
        }
        *last
    }

    fn all(&self) -> Vec<(Purpose, Arc<Pulse>)> {
        let pulses = self.all.lock();
        pulses.iter().filter_map(|(purpose, pulse)| Some((*purpose, pulse.upgrade()?))).collect()
    }
}

impl Late {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks what they do.
    pub(crate) fn question(&self) -> String {
        let processes: Vec<String> =
            self.0.iter().filter_map(|(_, pulse)| Some(pulse.process()?.to_string())).collect();
        format!(
            "SELECT pid, state, wait_event,
                    EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) state_change)
             FROM pg_catalog.pg_stat_activity
             WHERE pid OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.int4[])",
            processes.join(", ")
        )
    }
}

impl Lost {
    /// How many they are, of those for this purpose.
    pub(crate) fn count(&self, purpose: Purpose) -> usize {
        self.0.iter().filter(|(of, _)| *of == purpose).count()
    }

    /// Ends them.
    pub(crate) fn end(&self) {
        self.0.iter().for_each(|(_, pulse)| pulse.stop());
    }
}

/// Whether a connection is lost. What computes may stand still, which PostgreSQL cannot tell: it is ended when others are lost, and
/// nothing has been answered since they were. Whoever listens waits longer, as long as the source is not suspect: a process that goes
/// on in time has missed nothing.
fn is_lost(purpose: Purpose, activity: Activity, are_others_lost: bool, is_useless: bool) -> bool {
    match (activity, purpose) {
        (Activity::None, Purpose::Load) => true,
        (Activity::None, Purpose::Listen) => are_others_lost || is_useless,
        (Activity::Computes, _) => are_others_lost,
        (Activity::Waits, _) => false,
    }
}

fn activity(pulse: &Pulse, answers: &[SimpleQueryMessage]) -> Activity {
    if pulse.has_unread() {
        // The answer is there: it is our thread that has had no turn.
        return Activity::Waits;
    }
    let process = pulse.process().map(|process| process.to_string());
    let row = answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) if row.text(0) == process.as_deref() => Some(row),
        _ => None,
    });
    row.map_or(Activity::None, |row| Activity::of(row.text(1), row.text(2), row.text(3)))
}

impl Activity {
    /// By `pg_stat_activity`: the state, what the process waits for, and for how many seconds the state has been so.
    fn of(state: Option<&str>, event: Option<&str>, seconds: Option<&str>) -> Self {
        let seconds: f64 = seconds.and_then(|text| text.parse().ok()).unwrap_or_default();
        match state {
            Some(state) if state.starts_with("idle") && seconds >= REST => Self::None,
            Some("active") if event.is_none() => Self::Computes,
            _ => Self::Waits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_without_anything_to_do_owes_nothing_and_one_at_work_may_take_its_time() {
        let of = |state, event, seconds| Activity::of(Some(state), event, Some(seconds));
        assert_eq!(of("idle", Some("ClientRead"), "0.6"), Activity::None);
        assert_eq!(of("idle in transaction (aborted)", Some("ClientRead"), "0.6"), Activity::None);
        assert_eq!(of("idle", Some("ClientRead"), "0.1"), Activity::Waits, "its answer is on the way");
        assert_eq!(of("active", Some("relation"), "60"), Activity::Waits, "it stands at a lock");
        assert_eq!(of("active", None, "60"), Activity::Computes);
        assert_eq!(of("disabled", None, "60"), Activity::Waits, "track_activities is off");
        assert_eq!(Activity::of(None, None, None), Activity::Waits, "the role may not know");
    }

    #[test]
    fn what_can_be_done_again_is_ended_sooner_than_who_listens() {
        use {Activity::*, Purpose::*};
        assert!(is_lost(Load, None, true, false));
        assert!(is_lost(Load, Computes, true, true) && !is_lost(Load, Computes, false, true));
        assert!(!is_lost(Listen, None, false, false), "it may go on without a gap");
        assert!(is_lost(Listen, None, true, false) && is_lost(Listen, None, false, true));
        assert!(is_lost(Listen, Computes, true, false) && !is_lost(Listen, Computes, false, true));
        assert!(!is_lost(Load, Waits, true, true) && !is_lost(Listen, Waits, true, true));
    }
}
