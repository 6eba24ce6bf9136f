//! Health: whether the sources can be reached and relied on, and if not, why.

use super::overview::{Overview, SourceOverview};
use crate::cache::Value;

/// How well the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Every source is up, so are the notices of what is watched, and the records of hooks and queries are ours.
    Healthy,
    /// Some are not.
    Degraded,
    /// No source is up.
    Unhealthy,
}

impl Status {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The status with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How well the cache is.
    pub status: Status,
    /// Why it is not healthy, a text each; empty when it is.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// What follows from that.
    pub fn of(overview: &Overview) -> Self {
        let sources = &overview.sources;
        let reasons: Vec<String> =
            sources.iter().flat_map(complaints).chain(overview.complaints.iter().cloned()).collect();
        let status = match sources.iter().filter(|source| source.is_up).count() {
            0 => Status::Unhealthy,
            _ if reasons.is_empty() => Status::Healthy,
            _ => Status::Degraded,
        };
        Self { status, reasons }
    }

    /// Status and reasons, as HEALTH and `/health` show them.
    pub fn fields(&self) -> [(&'static str, Value); 2] {
        [("status", Value::from(self.status.name())), ("reasons", Value::texts(&self.reasons))]
    }
}

/// What is wrong with a source.
fn complaints(source: &SourceOverview) -> Vec<String> {
    let name = &source.name;
    let because = |reason: &Option<String>| reason.as_ref().map_or(String::new(), |text| format!(": {text}"));
    let mut complaints = Vec::new();
    if !source.is_up {
        complaints.push(format!("source {name} is {}{}", source.status, because(&source.reason)));
    }
    if source.is_in_doubt() {
        let why = because(&source.freshness_reason);
        complaints.push(format!("source {name}: change notices are {}{why}", source.freshness));
    }
    complaints
}

/// What HEALTH tells.
pub fn described(overview: &Overview) -> Value {
    let sources = overview.sources.iter().map(|source| (source.name.clone(), of_source(source))).collect();
    let fields = Verdict::of(overview).fields().into_iter().chain([("sources", Value::Map(sources))]);
    Value::map(fields)
}

fn of_source(source: &SourceOverview) -> Value {
    let gaps = source.gaps.iter().map(|(cause, count)| ((*cause).to_owned(), Value::from(*count))).collect();
    Value::map([
        ("status", Value::from(source.status)),
        ("since", Value::from(source.since_ms)),
        ("reason", Value::from(source.reason.as_deref())),
        ("failures", Value::from(source.failures)),
        ("connections", Value::from(source.connections)),
        ("idle", Value::from(source.idle)),
        ("in_use", Value::from(source.in_use())),
        ("waiting", Value::from(source.waiting)),
        ("queued", Value::from(source.queued)),
        ("invalidation", Value::from(source.invalidation)),
        ("freshness", Value::from(source.freshness)),
        ("freshness_reason", Value::from(source.freshness_reason.as_deref())),
        ("watched", Value::from(source.watched)),
        ("staleness_ms", Value::from(source.staleness_ms)),
        ("lease_ms", Value::from(source.lease_ms)),
        ("gaps", Value::Map(gaps)),
        ("foreign_notices", Value::from(source.foreign_notices)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, is_up: bool, watched: u64, is_fresh: bool) -> SourceOverview {
        SourceOverview {
            name: name.into(),
            status: if is_up { "up" } else { "down" },
            is_up,
            reason: (!is_up).then(|| "connection refused".into()),
            watched,
            freshness: if is_fresh { "live" } else { "suspect" },
            is_fresh,
            ..SourceOverview::default()
        }
    }

    fn verdict(sources: &[SourceOverview]) -> (&'static str, Vec<String>) {
        let Verdict { status, reasons } = Verdict::of(&Overview { sources: sources.to_vec(), ..Overview::default() });
        (status.name(), reasons)
    }

    #[test]
    fn whatever_is_not_healthy_says_why() {
        let (well, down) = (source("a", true, 1, true), source("b", false, 0, false));
        assert_eq!(verdict(std::slice::from_ref(&well)), ("healthy", vec![]));
        let refused = "source b is down: connection refused".to_owned();
        assert_eq!(verdict(&[well, down.clone()]), ("degraded", vec![refused.clone()]));
        assert_eq!(verdict(&[down]), ("unhealthy", vec![refused]));
    }

    #[test]
    fn doubt_counts_where_something_is_watched() {
        assert_eq!(verdict(&[source("a", true, 0, false)]).0, "healthy");
        let doubtful = verdict(&[source("a", true, 1, false)]);
        assert_eq!(doubtful, ("degraded", vec!["source a: change notices are suspect".to_owned()]));
    }
}
