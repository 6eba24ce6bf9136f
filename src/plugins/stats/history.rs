//! The last hour, second by second, for the page: what happened in each, and how things stood.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

use super::latency::Latency;
use super::recent::Latencies;
use crate::plugins::overview::Overview;

/// How many whole minutes are kept beside the one under way.
const MINUTES: usize = 60;
const SECONDS_PER_MINUTE: usize = 60;

/// What is counted, as the overview calls it: how often it happened per second.
const COUNTED: [&str; 13] = [
    "hits",
    "misses",
    "writes",
    "invalidations",
    "notices",
    "statements",
    "keys_loaded",
    "coalesced",
    "superseded",
    "stale_served",
    "expired",
    "evicted",
    "errors",
];

/// How many there were at that moment.
const GAUGES: [&str; 5] = ["waiting_clients", "flights", "queued_tasks", "entries", "bytes"];

/// What else there is of a second: commands, percentiles of its times in microseconds, and for how long no notices came.
const FURTHER: [&str; 8] = [
    "commands",
    "command_p50_us",
    "command_p95_us",
    "command_p99_us",
    "queue_p95_us",
    "postgres_p95_us",
    "main_p95_us",
    "staleness_ms",
];

const FIELDS: usize = COUNTED.len() + GAUGES.len() + FURTHER.len();

/// Where there is no value.
const NONE: f32 = -1.0;

/// One second. As many bytes whatever happens, so that an hour has an end: 400 kB.
#[derive(Debug, Clone, Copy)]
struct Second {
    at_ms: u64,
    /// Whether the counters began anew since the one before.
    is_new_start: bool,
    values: [f32; FIELDS],
}

impl Second {
    /// Writes `[at_ms,0,1.5,null,…]`.
    fn write(&self, out: &mut String) {
        // Writing to a text never fails.
        let _ = write!(out, "[{},{}", self.at_ms, u8::from(self.is_new_start));
        for value in self.values {
            let _ = match value {
                NONE => write!(out, ",null"),
                value if value.fract() == 0.0 => write!(out, ",{value:.0}"),
                value => write!(out, ",{value:.2}"),
            };
        }
        out.push(']');
    }
}

/// The hour.
#[derive(Debug, Default, Clone)]
pub struct History {
    /// Whole minutes are shared with whoever writes them out.
    minutes: VecDeque<Arc<[Second]>>,
    current: Vec<Second>,
    /// When the last second was added, and the counters then; none after a reset.
    before: Option<(u64, [u64; COUNTED.len()])>,
}

impl History {
    /// Adds how things stand, which is asked for once a second, with the `commands` and the times of that second.
    pub fn add(&mut self, overview: &Overview, commands: u64, times: &Latencies) {
        let now = COUNTED.map(|name| overview.figure(name));
        let rates = self.before.map(|(at_ms, before)| per_second(overview.at_ms.saturating_sub(at_ms), &before, &now));
        let is_new_start = self.before.is_none() && !self.is_empty();
        let values = rates.unwrap_or([NONE; COUNTED.len()]).into_iter();
        let values = values.chain(GAUGES.map(|name| overview.figure(name) as f32));
        let mut second = Second { at_ms: overview.at_ms, is_new_start, values: [NONE; FIELDS] };
        for (place, value) in second.values.iter_mut().zip(values.chain(further(overview, commands, times))) {
            *place = value;
        }
        self.before = Some((overview.at_ms, now));
        self.push(second);
    }

    fn push(&mut self, second: Second) {
        self.current.push(second);
        if self.current.len() == SECONDS_PER_MINUTE {
            self.minutes.push_back(self.current.drain(..).collect());
        }
        if self.minutes.len() > MINUTES {
            self.minutes.pop_front();
        }
    }

    fn is_empty(&self) -> bool {
        self.minutes.is_empty() && self.current.is_empty()
    }

    /// The counters begin anew.
    pub fn begin_anew(&mut self) {
        self.before = None;
    }

    /// `{"fields":["at_ms","is_new_start","hits",…],"seconds":[[…],…]}`.
    pub fn to_json(&self) -> String {
        let mut json = String::from(r#"{"fields":["at_ms","is_new_start""#);
        for name in COUNTED.iter().chain(&GAUGES).chain(&FURTHER) {
            json.extend([",\"", name, "\""]);
        }
        json.push_str(r#"],"seconds":["#);
        for (place, second) in self.minutes.iter().flat_map(|minute| minute.iter()).chain(&self.current).enumerate() {
            if place > 0 {
                json.push(',');
            }
            second.write(&mut json);
        }
        json.push_str("]}");
        json
    }

    /// The last second alone, as it stands there.
    pub fn last_second(&self) -> String {
        let last = self.current.last().or_else(|| self.minutes.back().and_then(|minute| minute.last()));
        let mut json = String::new();
        match last {
            Some(second) => second.write(&mut json),
            None => json.push_str("null"),
        }
        json
    }
}

/// How often each happened per second, where `passed_ms` have passed since.
fn per_second(passed_ms: u64, before: &[u64; COUNTED.len()], now: &[u64; COUNTED.len()]) -> [f32; COUNTED.len()] {
    let mut rates = [NONE; COUNTED.len()];
    for (rate, (before, now)) in rates.iter_mut().zip(before.iter().zip(now)) {
        if let (Some(grown), true) = (now.checked_sub(*before), passed_ms > 0) {
            *rate = (grown as f64 * 1000.0 / passed_ms as f64) as f32;
        }
    }
    rates
}

/// The values of [`FURTHER`].
fn further(overview: &Overview, commands: u64, times: &Latencies) -> [f32; FURTHER.len()] {
    let staleness = overview.sources.iter().filter_map(|source| source.staleness_ms).max();
    let p95 = |latency: &Latency| {
        let told = latency.percentiles();
        if told.count == 0 {
            NONE
        } else {
            told.p95_us as f32
        }
    };
    let command = times.command.percentiles();
    let of_command = |us: u64| if command.count == 0 { NONE } else { us as f32 };
    [
        commands as f32,
        of_command(command.p50_us),
        of_command(command.p95_us),
        of_command(command.p99_us),
        p95(&times.queue),
        p95(&times.postgres),
        p95(&times.main),
        staleness.map_or(NONE, |ms| ms as f32),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn overview(second: u64, hits: u64) -> Overview {
        let counters = COUNTED.map(|name| (name, if name == "hits" { hits } else { 0 })).to_vec();
        Overview { at_ms: second * 1000, counters, ..Overview::default() }
    }

    fn told(history: &History, field: &str) -> Vec<Value> {
        let told: Value = serde_json::from_str(&history.to_json()).unwrap();
        let fields = told["fields"].as_array().unwrap();
        let place = fields.iter().position(|name| name == field).unwrap();
        let seconds = told["seconds"].as_array().unwrap();
        assert!(seconds.iter().all(|second| second.as_array().unwrap().len() == fields.len()));
        seconds.iter().map(|second| second[place].clone()).collect()
    }

    #[test]
    fn each_second_tells_what_happened_in_it() {
        let mut history = History::default();
        assert_eq!(history.last_second(), "null");
        let mut times = Latencies::default();
        [(1, 5), (2, 25), (4, 65)].iter().for_each(|(at, hits)| history.add(&overview(*at, *hits), 7, &times));
        times.command.record(40);
        history.add(&overview(5, 66), 1, &times);
        assert_eq!(told(&history, "hits"), [Value::Null, 20.into(), 20.into(), 1.into()]);
        assert_eq!(told(&history, "commands"), [7, 7, 7, 1]);
        assert_eq!(told(&history, "command_p99_us"), [Value::Null, Value::Null, Value::Null, 40.into()]);
        assert!(history.last_second().starts_with("[5000,0,1,0,"), "{}", history.last_second());
    }

    #[test]
    fn a_new_start_is_told_and_no_rate_with_it() {
        let mut history = History::default();
        let times = Latencies::default();
        history.add(&overview(1, 5), 0, &times);
        history.begin_anew();
        [(2, 3), (3, 4)].iter().for_each(|(at, hits)| history.add(&overview(*at, *hits), 0, &times));
        assert_eq!(told(&history, "hits"), [Value::Null, Value::Null, 1.into()]);
        assert_eq!(told(&history, "is_new_start"), [0, 1, 0]);
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut history = History::default();
        (0..10_000).for_each(|second| history.add(&overview(second, second), 0, &Latencies::default()));
        let times = told(&history, "at_ms");
        assert!((3600..3660).contains(&times.len()), "{}", times.len());
        assert_eq!(times.last(), Some(&Value::from(9_999_000)));
        assert!(history.to_json().len() < 500_000, "{}", history.to_json().len());
    }
}
