//! Top keys: which keys are hit most, from a sample of the hits while somebody wants to know.

use std::cell::RefCell;
use std::rc::Rc;

use super::event::Event;
use super::plugin::{EventContext, Plugin};
use crate::cache::sketch::{Followed, Sketch};
use crate::cache::Value;
use crate::settings::{EventType, EventTypes, PluginName, Settings};

/// For how long hits are sampled after somebody has asked.
pub const SAMPLED_MS: u64 = 60_000;

/// So many hits are sampled between two ticks of the clock, more or less: 2,000 a second.
const PER_TICK: u64 = 200;

/// Of how many hits one is sampled, before the first tick says how many there are.
const FIRST_GAP: u64 = 16;

/// Longer keys are left out: they are kept by copy.
const MAX_KEY_BYTES: usize = 1024;

/// What a key is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct About {
    is_query: bool,
    /// The table's name as it stands in cache keys, or the query's.
    name: Box<str>,
    /// Where in the key the lookup key, or the parameters, start.
    prefix_len: usize,
}

/// The sample, if there is one.
#[derive(Debug, Default)]
struct Sampling {
    /// Both on the clock that only goes forward; `until_ms` 0: nobody wants to know.
    began_ms: u64,
    until_ms: u64,
    /// How many hits a sampled one stands for.
    gap: u64,
    /// How many hits are left out before the next one is sampled.
    left_out: u64,
    /// How many were sampled since the last tick.
    sampled: u64,
    /// How many hits there were, as the sample says.
    hits: u64,
    sketch: Sketch<About>,
}

impl Sampling {
    fn begin(now_ms: u64) -> Self {
        Self { began_ms: now_ms, gap: FIRST_GAP, ..Self::default() }
    }

    fn is_on(&self) -> bool {
        self.until_ms > 0
    }

    /// A hit. Those that are left out cost one subtraction.
    fn hit(&mut self, event: &Event<'_>) {
        match self.left_out.checked_sub(1) {
            Some(left_out) => self.left_out = left_out,
            None => self.take(event),
        }
    }

    fn take(&mut self, event: &Event<'_>) {
        // At random, or a pattern among the hits would show as a hot key.
        self.left_out = fastrand::u64(..self.gap * 2 - 1);
        self.sampled += 1;
        self.hits += self.gap;
        let name = event.query.or(event.table.map(|(_, name)| name)).unwrap_or_default();
        if event.cache_key.len() <= MAX_KEY_BYTES {
            let (is_query, prefix_len) = (event.query.is_some(), event.prefix_len);
            self.sketch.add(event.cache_key, self.gap, || About { is_query, name: name.into(), prefix_len });
        }
    }

    /// Chooses the gap by how many hits there were since the last tick.
    fn tick(&mut self) {
        self.gap = (self.sampled * self.gap / PER_TICK).max(1);
        self.left_out = self.left_out.min(self.gap * 2);
        self.sampled = 0;
    }
}

/// The plugin, shared with the command that shows what it has found.
#[derive(Debug, Default, Clone)]
pub struct TopKeys(Rc<RefCell<Sampling>>);

impl TopKeys {
    /// Has hits sampled from `now_ms` on. Returns whether they were not before: then plugins are to be arranged.
    pub fn ask(&self, now_ms: u64) -> bool {
        let mut sampling = self.0.borrow_mut();
        let is_new = !sampling.is_on();
        if is_new {
            *sampling = Sampling::begin(now_ms);
        }
        sampling.until_ms = now_ms + SAMPLED_MS;
        is_new
    }

    /// The clock ticks. Returns whether the time is over: then plugins are to be arranged.
    pub fn tick(&self, now_ms: u64) -> bool {
        let mut sampling = self.0.borrow_mut();
        if !sampling.is_on() {
            return false;
        }
        sampling.tick();
        let is_over = now_ms >= sampling.until_ms;
        if is_over {
            *sampling = Sampling::default();
        }
        is_over
    }

    /// Begins anew, if hits are sampled.
    pub fn reset(&self, now_ms: u64) {
        let mut sampling = self.0.borrow_mut();
        if sampling.is_on() {
            *sampling = Sampling { until_ms: sampling.until_ms, ..Sampling::begin(now_ms) };
        }
    }

    /// The `count` keys with the most hits, of `table` if that is given.
    pub fn described(&self, now_ms: u64, table: Option<&str>, count: usize) -> Value {
        let sampling = self.0.borrow();
        let is_wanted =
            |one: &&&Followed<About>| table.is_none_or(|table| !one.about.is_query && &*one.about.name == table);
        let top = sampling.sketch.top();
        let keys = top.iter().filter(is_wanted).take(count).map(|one| described(one, sampling.hits)).collect();
        Value::map([
            ("sampled_ms", Value::from(now_ms.saturating_sub(sampling.began_ms))),
            ("hits", Value::from(sampling.hits)),
            ("keys", Value::List(keys)),
        ])
    }
}

fn described(one: &Followed<About>, hits: u64) -> Value {
    let key = one.key.get(one.about.prefix_len..).unwrap_or_default();
    Value::map([
        (if one.about.is_query { "query" } else { "table" }, Value::from(&*one.about.name)),
        ("key", Value::from(&*String::from_utf8_lossy(key))),
        ("hits", Value::from(one.count())),
        ("share", Value::Double(if hits == 0 { 0.0 } else { one.count() as f64 / hits as f64 })),
    ])
}

impl Plugin for TopKeys {
    /// It is part of the statistics.
    fn name(&self) -> PluginName {
        PluginName::Stats
    }

    /// To nothing, unless somebody wants to know.
    fn subscribes_to(&self, _: &Settings) -> EventTypes {
        if self.0.borrow().is_on() {
            EventType::Hit.into()
        } else {
            EventTypes::empty()
        }
    }

    fn on_event(&self, _: EventContext<'_>, event: &Event<'_>) {
        self.0.borrow_mut().hit(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(keys: &TopKeys, id: u64) {
        let key = format!("p:users:{{\"id\":{id}}}");
        let event = Event { table: Some((1, "users")), ..Event::new(EventType::Hit) };
        keys.0.borrow_mut().hit(&event.key(key.as_bytes(), 8));
    }

    #[test]
    fn nobody_is_told_of_hits_until_somebody_asks_and_when_the_time_is_over() {
        let keys = TopKeys::default();
        let is_told = || keys.0.borrow().is_on();
        assert!(!is_told() && !keys.tick(5));
        assert!(keys.ask(1000) && is_told() && !keys.ask(2000));
        assert!(!keys.tick(2000 + SAMPLED_MS - 1) && is_told());
        assert!(keys.tick(2000 + SAMPLED_MS) && !is_told());
    }

    #[test]
    fn with_little_traffic_every_hit_counts() {
        let keys = TopKeys::default();
        keys.ask(1000);
        keys.tick(1100);
        keys.0.borrow_mut().left_out = 0;
        [1, 2, 1, 1].into_iter().for_each(|id| hit(&keys, id));
        let told = keys.described(3000, Some("users"), 1).to_json();
        let wanted =
            r#"{"sampled_ms":2000,"hits":4,"keys":[{"table":"users","key":"{\"id\":1}","hits":3,"share":0.75}]}"#;
        assert_eq!(told, wanted);
        assert!(keys.described(3000, Some("orders"), 1).to_json().ends_with(r#""keys":[]}"#));
    }

    #[test]
    fn with_much_traffic_a_sample_stands_for_all_hits() {
        let keys = TopKeys::default();
        keys.ask(1000);
        for tick in 1..=20 {
            // Every other hit is of one key, with a period that a fixed gap would fall in step with.
            (0..50_000).for_each(|n| hit(&keys, if n % 2 == 0 { 0 } else { 1 + n % 1000 }));
            keys.tick(1000 + tick * 100);
        }
        let sampling = keys.0.borrow();
        let hot = sampling.sketch.top()[0];
        assert!(hot.key.ends_with(b"{\"id\":0}"));
        let share = hot.count() as f64 / sampling.hits as f64;
        assert!((0.45..0.55).contains(&share), "{share}");
        assert!((900_000..1_100_000).contains(&sampling.hits), "{}", sampling.hits);
    }
}
