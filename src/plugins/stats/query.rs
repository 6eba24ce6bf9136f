//! What is counted of queries: each named one, and all others together.

use foldhash::HashMap;

use super::latency::Latency;
use super::table::hit_ratio;
use crate::cache::name::DEFAULT_SOURCE;
use crate::cache::named_query::{FREE, NAMED};
use crate::cache::Value;
use crate::plugins::overview::Overview;
use crate::plugins::Event;
use crate::settings::EventType;

/// How many named queries are told apart: the times of each take up to 26 kB.
const MAX_QUERIES: usize = 256;
/// What those beyond are called, and what free SQL is. No query has a name with spaces.
const OTHERS: &str = "all others";
const FREE_SQL: &str = "free SQL";

/// One query's figures since the last reset.
#[derive(Debug, Default)]
pub struct QueryStats {
    /// Its name, behind that of its source if that is not the default one.
    pub name: String,
    /// The same as its entries are counted.
    pub stem: String,
    /// Answers from memory.
    pub hits: u64,
    /// Those that had to ask PostgreSQL.
    pub misses: u64,
    /// Loads that PostgreSQL answered.
    pub loads: u64,
    /// Loads that failed.
    pub errors: u64,
    /// How long PostgreSQL took for them.
    pub postgres: Latency,
}

impl QueryStats {
    fn count(&mut self, event: &Event<'_>) {
        match event.kind {
            EventType::Hit => self.hits += 1,
            EventType::Miss => self.misses += 1,
            EventType::Load => {
                self.loads += 1;
                self.postgres.record(event.duration_us.unwrap_or_default());
            }
            EventType::Error => self.errors += 1,
            _ => {}
        }
    }

    /// Name and value of each count, as STATS and INFO show them.
    pub fn figures(&self, overview: &Overview) -> [(&'static str, u64); 6] {
        let amount = overview.census.of_query(&self.stem);
        [
            ("hits", self.hits),
            ("misses", self.misses),
            ("loads", self.loads),
            ("errors", self.errors),
            ("entries", amount.entries),
            ("bytes", amount.bytes),
        ]
    }

    /// As STATS shows it.
    pub fn described(&self, overview: &Overview) -> Value {
        let figures = self.figures(overview).map(|(name, value)| (name, Value::from(value)));
        let further = [
            ("hit_ratio", Value::Double(hit_ratio(self.hits, self.misses))),
            ("postgres_us", super::report::percentiles(&self.postgres)),
        ];
        Value::map(figures.into_iter().chain(further))
    }
}

/// The figures of all queries.
#[derive(Debug, Default)]
pub struct QueryFigures {
    /// By what their cache keys start with.
    places: HashMap<Box<[u8]>, usize>,
    by_place: Vec<QueryStats>,
}

impl QueryFigures {
    /// Counts an event, if it is about a query.
    pub fn count(&mut self, event: &Event<'_>) {
        let Some(name) = event.query else { return };
        let stem = event.cache_key.get(..event.prefix_len).unwrap_or_default();
        // In a cluster a tag follows, which says what slot the entry belongs to.
        let stem = stem.split(|byte| *byte == b'{').next().unwrap_or_default();
        let place = self.places.get(stem).copied().unwrap_or_else(|| self.place_of(stem, event.source, name));
        if let Some(query) = self.by_place.get_mut(place) {
            query.count(event);
        }
    }

    /// The place of a query that `places` does not have.
    fn place_of(&mut self, stem: &[u8], source: &str, name: &str) -> usize {
        let source = if source == DEFAULT_SOURCE { String::new() } else { format!("{source}:") };
        let is_named = stem.strip_suffix(b":").and_then(|stem| stem.strip_suffix(name.as_bytes()));
        if is_named.is_none_or(|rest| !rest.ends_with(NAMED.as_bytes())) {
            return self.place_called(FREE_SQL, FREE);
        }
        if self.places.len() >= MAX_QUERIES {
            return self.place_called(OTHERS, "");
        }
        let place = self.place_called(&format!("{source}{name}"), &format!("{source}{NAMED}{name}"));
        self.places.insert(stem.into(), place);
        place
    }

    fn place_called(&mut self, name: &str, stem: &str) -> usize {
        self.by_place.iter().position(|query| query.name == name).unwrap_or_else(|| {
            self.by_place.push(QueryStats { name: name.to_owned(), stem: stem.to_owned(), ..QueryStats::default() });
            self.by_place.len() - 1
        })
    }

    /// The figures of the query called `name`.
    pub fn named(&self, name: &[u8]) -> Option<&QueryStats> {
        self.by_place.iter().find(|query| query.name.as_bytes() == name)
    }

    /// The figures of `count` queries with the most traffic, the busiest first.
    pub fn busiest(&self, count: usize) -> Vec<&QueryStats> {
        let mut queries: Vec<&QueryStats> = self.by_place.iter().collect();
        queries.sort_unstable_by_key(|query| (std::cmp::Reverse(query.hits + query.misses), &query.name));
        queries.truncate(count);
        queries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(figures: &mut QueryFigures, kind: EventType, source: &str, name: &str, key: &str) {
        let prefix_len = key.rfind(':').map_or(0, |colon| colon + 1);
        let event = Event { query: Some(name), source, duration_us: Some(7), ..Event::new(kind) };
        figures.count(&event.key(key.as_bytes(), prefix_len));
    }

    fn told(figures: &QueryFigures) -> Vec<(&str, u64, u64, u64)> {
        figures.busiest(9).iter().map(|query| (&*query.name, query.hits, query.misses, query.loads)).collect()
    }

    #[test]
    fn each_named_query_counts_for_itself_and_free_sql_as_one() {
        let mut figures = QueryFigures::default();
        for (kind, times) in [(EventType::Miss, 1), (EventType::Load, 1), (EventType::Hit, 3)] {
            (0..times).for_each(|_| count(&mut figures, kind, "default", "top", "p:@query:top:[1]"));
        }
        count(&mut figures, EventType::Hit, "a", "top", "p:a:@query:top:[1]");
        count(&mut figures, EventType::Hit, "default", "0a1b", "p:@sql:0a1b:[]");
        count(&mut figures, EventType::Miss, "default", "ffff", "p:@sql:ffff:[]");
        assert_eq!(told(&figures), [("top", 3, 1, 1), ("free SQL", 1, 1, 0), ("a:top", 1, 0, 0)]);
        assert_eq!(figures.named(b"top").map(|query| query.postgres.percentiles().p50_us), Some(7));
        assert!(figures.named(b"nothing").is_none());
    }

    #[test]
    fn any_number_of_queries_takes_bounded_memory() {
        let mut figures = QueryFigures::default();
        for query in 0..1000 {
            let name = format!("q{query}");
            count(&mut figures, EventType::Hit, "default", &name, &format!("p:@query:{name}:[]"));
        }
        assert_eq!(figures.named(OTHERS.as_bytes()).map(|query| query.hits), Some(1000 - MAX_QUERIES as u64));
        assert_eq!(figures.by_place.len(), MAX_QUERIES + 1);
    }

    #[test]
    fn what_is_about_a_table_counts_for_no_query() {
        let mut figures = QueryFigures::default();
        figures.count(&Event { table: Some((1, "users")), ..Event::new(EventType::Hit) });
        assert!(told(&figures).is_empty());
    }
}
