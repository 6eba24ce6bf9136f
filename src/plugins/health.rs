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

/// The status with its reasons, and what `/health` tells besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// How well the cache is.
    pub status: Status,
    /// Why it is not healthy, a text each; empty when it is.
    pub reasons: Vec<String>,
    /// What is risky though it works, a text each.
    pub warnings: Vec<String>,
    /// What each source is connected to, by name.
    pub sources: Vec<(String, Value)>,
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
        let warnings = overview.warnings.iter().cloned().chain(sources.iter().filter_map(warning)).collect();
        let sources = sources.iter().map(|source| (source.name.clone(), Value::map(connected_to(source)))).collect();
        Self { status, reasons, warnings, sources }
    }

    /// As JSON, for `/health`.
    pub fn to_json(&self) -> String {
        let sources = [("sources", Value::Map(self.sources.clone()))];
        Value::map(self.fields().into_iter().chain(sources)).to_json()
    }

    fn fields(&self) -> [(&'static str, Value); 3] {
        [
            ("status", Value::from(self.status.name())),
            ("reasons", Value::texts(&self.reasons)),
            ("warnings", Value::texts(&self.warnings)),
        ]
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
    if let (Some(complaint), Some(hits)) = (complaints.first_mut(), &source.hits) {
        complaint.push_str(&format!("; {hits}"));
    }
    complaints
}

/// What is risky about a source's role.
fn warning(source: &SourceOverview) -> Option<String> {
    source.is_superuser?.then(|| superuser(&source.name, &source.role))
}

/// What the log and HEALTH say of a role that may do everything.
pub fn superuser(source: &str, role: &str) -> String {
    format!(
        "source {source}: role {role} is a superuser: clients may read every table, past row security, and code in views may do anything to \
         PostgreSQL; a role that may only read is enough: CREATE ROLE pgcache LOGIN; GRANT SELECT ON users TO pgcache; (see Roles and grants \
         in docs/operations.md)"
    )
}

/// What HEALTH tells.
pub fn described(overview: &Overview) -> Value {
    let sources = overview.sources.iter().map(|source| (source.name.clone(), of_source(source))).collect();
    let last = [("near_channel", Value::from(overview.near_channel.as_deref())), ("sources", Value::Map(sources))];
    let fields = Verdict::of(overview).fields().into_iter().chain(last);
    Value::map(fields)
}

/// What a source is connected to, and whether it answers.
fn connected_to(source: &SourceOverview) -> [(&'static str, Value); 8] {
    [
        ("status", Value::from(source.status)),
        ("address", Value::from(source.address.as_str())),
        ("database", Value::from(source.database.as_str())),
        ("role", Value::from(source.role.as_str())),
        ("superuser", Value::from(source.is_superuser)),
        ("server_version", Value::from(source.server_version.as_deref())),
        ("tls", Value::from(source.tls)),
        ("pooler", Value::from(source.has_pooler)),
    ]
}

fn of_source(source: &SourceOverview) -> Value {
    let gaps = source.gaps.iter().map(|(cause, count)| ((*cause).to_owned(), Value::from(*count))).collect();
    let state = [
        ("since", Value::from(source.since_ms)),
        ("reason", Value::from(source.reason.as_deref())),
        ("hits", Value::from(source.hits.as_deref())),
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
        ("applied_lsn", Value::from(source.applied_lsn.as_deref())),
        ("lease_ms", Value::from(source.lease_ms)),
        ("gaps", Value::Map(gaps)),
        ("foreign_notices", Value::from(source.foreign_notices)),
    ];
    Value::map(connected_to(source).into_iter().chain(state))
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
        let Verdict { status, reasons, .. } =
            Verdict::of(&Overview { sources: sources.to_vec(), ..Overview::default() });
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
    fn what_hits_do_is_told_once() {
        let hits = Some("hits of watched tables answer PGDOWN".to_owned());
        let away = SourceOverview { hits, ..source("a", false, 1, false) };
        let (_, reasons) = verdict(&[away]);
        let refused = "source a is down: connection refused; hits of watched tables answer PGDOWN";
        assert_eq!(reasons, [refused, "source a: change notices are suspect"]);
    }

    #[test]
    fn a_warning_alone_leaves_the_cache_healthy() {
        let risky = SourceOverview { is_superuser: Some(true), role: "boss".into(), ..source("a", true, 1, true) };
        let overview = Overview { sources: vec![risky], warnings: vec!["query any".into()], ..Overview::default() };
        let Verdict { status, reasons, warnings, .. } = Verdict::of(&overview);
        assert_eq!((status, reasons), (Status::Healthy, vec![]));
        assert!(warnings[0] == "query any" && warnings[1].contains("role boss is a superuser"), "{warnings:?}");
    }

    #[test]
    fn doubt_counts_where_something_is_watched() {
        assert_eq!(verdict(&[source("a", true, 0, false)]).0, "healthy");
        let doubtful = verdict(&[source("a", true, 1, false)]);
        assert_eq!(doubtful, ("degraded", vec!["source a: change notices are suspect".to_owned()]));
    }
}
