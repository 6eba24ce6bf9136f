//! Everything that is counted.

use std::collections::BTreeMap;
use std::ptr;

use foldhash::HashMap;

use super::latency::Latency;
use super::query::QueryFigures;
use super::rate::Rate;
use super::recent::{Latencies, Recent};
use super::table::TableStats;
use crate::cache::Timings;
use crate::plugins::call::CommandEnd;
use crate::plugins::Event;

/// Codes of errors that are told apart: PostgreSQL has about 250, clients choose some of them.
const MAX_CODES: usize = 300;
/// What those beyond count as.
const OTHER: &str = "other";
/// How many tables, and how many queries, are told of without being asked for.
pub const BUSIEST: usize = 10;

/// One command's figures since the last reset.
#[derive(Debug, Default)]
pub struct CommandStats {
    /// Its name in lower case.
    pub name: &'static str,
    /// How often it was answered with an error.
    pub errors: u64,
    /// How long it took where its client did not wait: on the main thread alone.
    pub at_once: Latency,
    /// How long it took where its client waited.
    pub waited: Latency,
}

impl CommandStats {
    /// How long it took.
    pub fn latency(&self) -> Latency {
        Latency::of_all([&self.at_once, &self.waited])
    }
}

/// All figures since the last reset.
#[derive(Debug, Default)]
pub struct Statistics {
    /// By command.
    pub commands: Vec<CommandStats>,
    /// By the table's number.
    tables: HashMap<u64, usize>,
    /// What `tables` leads to.
    by_place: Vec<TableStats>,
    /// The table that was asked for last: its number and its place.
    latest: Option<(u64, usize)>,
    /// By query.
    pub queries: QueryFigures,
    /// Errors by their code.
    pub errors: BTreeMap<String, u64>,
    /// Time that commands with a load waited for a worker.
    pub queue: Latency,
    /// Time that they waited for PostgreSQL.
    pub postgres: Latency,
    /// Time that commands waited for what PostgreSQL says of a table or a query, or for what `PGCACHE.WATCH` does there.
    pub catalog: Latency,
    /// The main thread's work for commands whose clients waited.
    waited_main: Latency,
    /// Commands.
    pub rate: Rate,
    recent: Recent,
}

impl Statistics {
    /// A command was answered.
    pub fn ended(&mut self, call: &CommandEnd<'_>) {
        self.rate.add(call.at_s);
        if let Some(timings) = &call.timings {
            self.waited(timings);
        }
        let command = self.command(call.command);
        // One record for a hit.
        let latency = if call.timings.is_none() { &mut command.at_once } else { &mut command.waited };
        latency.record(call.duration_us);
        if let Some(code) = call.error {
            command.errors += 1;
            self.error(code);
        }
    }

    fn waited(&mut self, timings: &Timings) {
        if timings.postgres_us > 0 {
            self.queue.record(timings.queue_us);
            self.postgres.record(timings.postgres_us);
        }
        if timings.catalog_us > 0 {
            self.catalog.record(timings.catalog_us);
        }
        self.waited_main.record(timings.main_us);
    }

    /// All times together.
    pub fn latencies(&self) -> Latencies {
        let commands = self.commands.iter().flat_map(|command| [&command.at_once, &command.waited]);
        Latencies {
            command: Latency::of_all(commands),
            queue: self.queue.clone(),
            postgres: self.postgres.clone(),
            catalog: self.catalog.clone(),
            main: self.main(),
        }
    }

    /// All times since this was asked for last.
    pub fn recent_latencies(&mut self) -> Latencies {
        let now = self.latencies();
        self.recent.look(now)
    }

    /// The main thread's work for every command.
    pub fn main(&self) -> Latency {
        let at_once = self.commands.iter().map(|command| &command.at_once);
        Latency::of_all(at_once.chain([&self.waited_main]))
    }

    /// The commands' times of about the ten last seconds, if all times are asked for once a second.
    pub fn latest_commands(&self) -> Latency {
        self.recent.commands()
    }

    fn command(&mut self, name: &'static str) -> &mut CommandStats {
        // A dozen at most.
        let place = self.commands.iter().position(|command| ptr::eq(command.name, name));
        let place = place.or_else(|| self.commands.iter().position(|command| command.name == name));
        let place = place.unwrap_or_else(|| {
            self.commands.push(CommandStats { name, ..CommandStats::default() });
            self.commands.len() - 1
        });
        &mut self.commands[place]
    }

    fn error(&mut self, code: &str) {
        if let Some(count) = self.errors.get_mut(code) {
            *count += 1;
        } else {
            let code = if self.errors.len() < MAX_CODES { code } else { OTHER };
            *self.errors.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// The figures of the table that an occurrence is about; those about queries, tags and sources have none.
    pub fn table(&mut self, what: &Event<'_>) -> Option<&mut TableStats> {
        let (id, name) = what.table?;
        let place = self.place_of(id);
        let stats = self.by_place.get_mut(place)?;
        if stats.name != name {
            name.clone_into(&mut stats.name);
        }
        Some(stats)
    }

    /// The same for the table that was asked for last: whether it is called something else now shows with the next
    /// occurrence that is not as frequent as a hit.
    #[inline]
    pub fn latest_table(&mut self, what: &Event<'_>) -> Option<&mut TableStats> {
        match (self.latest, what.table) {
            (Some((latest, place)), Some((id, _))) if latest == id => self.by_place.get_mut(place),
            _ => self.table(what),
        }
    }

    fn place_of(&mut self, id: u64) -> usize {
        if let Some((_, place)) = self.latest.filter(|(latest, _)| *latest == id) {
            return place;
        }
        let place = *self.tables.entry(id).or_insert(self.by_place.len());
        if place == self.by_place.len() {
            self.by_place.push(TableStats::default());
        }
        self.latest = Some((id, place));
        place
    }

    /// The figures of every table.
    pub fn all_tables(&self) -> &[TableStats] {
        &self.by_place
    }

    /// The figures of the table with this number.
    pub fn table_by_id(&self, id: u64) -> Option<&TableStats> {
        self.tables.get(&id).and_then(|place| self.by_place.get(*place))
    }

    /// The [`BUSIEST`] tables with the most traffic, the busiest first.
    pub fn busiest(&self) -> Vec<&TableStats> {
        let is_busier = |a: &TableStats, b: &TableStats| {
            a.traffic() > b.traffic() || (a.traffic() == b.traffic() && a.name < b.name)
        };
        let mut busiest: Vec<&TableStats> = Vec::with_capacity(BUSIEST + 1);
        // There may be thousands of tables, and this is asked for once a second: one look at each.
        for table in &self.by_place {
            if busiest.len() == BUSIEST && busiest.last().is_some_and(|last| !is_busier(table, last)) {
                continue;
            }
            let place = busiest.partition_point(|known| is_busier(known, table));
            busiest.insert(place, table);
            busiest.truncate(BUSIEST);
        }
        busiest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::call::Args;
    use crate::settings::EventType;

    fn ended(command: &'static str, error: Option<&'static str>) -> CommandEnd<'static> {
        let timings = Some(Timings { queue_us: 10, postgres_us: 20, catalog_us: 5, main_us: 60 });
        CommandEnd {
            command,
            is_write: false,
            client: 1,
            subject: None,
            at_s: 5,
            duration_us: 100,
            timings,
            error,
            arguments: Args::Kept(&[]),
        }
    }

    #[test]
    fn commands_and_errors_are_told_apart() {
        let (read, write) = ("pgcache.read", "pgcache.write");
        let mut statistics = Statistics::default();
        statistics.ended(&ended(read, None));
        statistics.ended(&ended(read, Some("PGDOWN")));
        statistics.ended(&ended(write, Some("ERR")));
        let told: Vec<_> = statistics
            .commands
            .iter()
            .map(|command| (command.name, command.latency().percentiles().count, command.errors))
            .collect();
        assert_eq!(told, [(read, 2, 1), (write, 1, 1)]);
        assert_eq!(statistics.main().percentiles().max_us, 60);
        assert_eq!(statistics.latencies().catalog.percentiles().count, 3);
        assert_eq!(statistics.errors.into_iter().collect::<Vec<_>>(), [("ERR".into(), 1), ("PGDOWN".into(), 1)]);
    }

    #[test]
    fn any_number_of_codes_takes_bounded_memory() {
        let mut statistics = Statistics::default();
        (0..1000).for_each(|code| statistics.error(&format!("PGERR {code}")));
        assert_eq!((statistics.errors.len(), statistics.errors.get(OTHER)), (MAX_CODES + 1, Some(&700)));
    }

    #[test]
    fn the_busiest_tables_come_first() {
        let mut statistics = Statistics::default();
        for (id, hits) in [(1, 2), (2, 9), (3, 2)].into_iter().chain((4..15).map(|id| (id, 1))) {
            let name = format!("t{id:02}");
            let what = Event { table: Some((id, &name)), ..Event::new(EventType::Hit) };
            if let Some(table) = statistics.table(&what) {
                table.hits += hits;
            }
        }
        let names: Vec<&str> = statistics.busiest().into_iter().map(|table| table.name.as_str()).collect();
        assert_eq!((names.len(), &names[..4]), (BUSIEST, &["t02", "t01", "t03", "t04"][..]));
    }
}
