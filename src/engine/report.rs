//! What INFO tells of the engine, section by section.

use crate::plugins::stats::latency::Percentiles;
use crate::plugins::stats::table::TableStats;
use crate::server::clock::monotonic_ms;

use super::sources::ActiveSource;
use super::state::Engine;

/// A part of INFO.
#[derive(Debug)]
pub struct Section {
    /// Its name, which INFO prints with the module's name in front.
    pub name: &'static str,
    /// Its lines.
    pub fields: Vec<(String, Field)>,
}

/// What stands behind a name.
#[derive(Debug)]
pub enum Field {
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
    /// Several of them in one line.
    Dict(Vec<(&'static str, Field)>),
}

impl Field {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Engine {
    /// All of it.
    pub fn report(&self) -> Vec<Section> {
        vec![
            self.server_section(),
            self.stats_section(),
            self.commands_section(),
            self.sources_section(),
            self.freshness_section(),
            self.tables_section(),
        ]
    }

    fn server_section(&self) -> Section {
        let fields = vec![
            ("version".into(), Field::text(env!("CARGO_PKG_VERSION"))),
            ("uptime_in_seconds".into(), Field::Number(monotonic_ms() / 1000)),
            ("sources".into(), Field::Number(self.sources.iter().count() as u64)),
        ];
        Section { name: "server", fields }
    }

    fn stats_section(&self) -> Section {
        let figures = self.figures().into_iter();
        Section {
            name: "stats",
            fields: figures.map(|(name, value)| (name.into(), Field::Number(value))).collect(),
        }
    }

    fn commands_section(&self) -> Section {
        let book = self.plugins.stats.book();
        let of_command = |name: &str, errors: u64, told: Percentiles| {
            let mut dict = vec![("calls", Field::Number(told.count)), ("errors", Field::Number(errors))];
            dict.extend(times(told));
            (name.replace('.', "_"), Field::Dict(dict))
        };
        let mut fields: Vec<_> = book
            .commands
            .iter()
            .map(|command| of_command(command.name, command.errors, command.latency.percentiles()))
            .collect();
        for (name, latency) in
            [("time_queue", &book.queue), ("time_postgres", &book.postgres), ("time_main", &book.main)]
        {
            let told = latency.percentiles();
            let mut dict = vec![("count", Field::Number(told.count))];
            dict.extend(times(told));
            fields.push((name.into(), Field::Dict(dict)));
        }
        Section { name: "commands", fields }
    }

    fn sources_section(&self) -> Section {
        let of_source = |source: &ActiveSource| {
            let health = source.source.health();
            let dict = vec![
                ("status", Field::text(health.condition.name())),
                ("connections", Field::Number(health.connections.into())),
                ("idle", Field::Number(health.idle.into())),
                ("in_use", Field::Number(health.connections.saturating_sub(health.idle).into())),
                ("queued", Field::Number(source.queue.len() as u64)),
                ("failures", Field::Number(health.failures.into())),
            ];
            (format!("source_{}", plain(&source.name)), Field::Dict(dict))
        };
        Section { name: "sources", fields: self.sources.iter().map(of_source).collect() }
    }

    fn freshness_section(&self) -> Section {
        let of_source = |(index, source): (usize, &ActiveSource)| {
            let known = self.freshness.get(index)?;
            let dict = vec![
                ("invalidation", Field::text(known.mode.name())),
                ("state", Field::text(self.freshness_name(index))),
                ("watched", Field::Number(self.watched(index) as u64)),
                ("gaps", Field::Number(known.lease.gaps())),
            ];
            Some((format!("source_{}", plain(&source.name)), Field::Dict(dict)))
        };
        Section { name: "freshness", fields: self.sources.iter().enumerate().filter_map(of_source).collect() }
    }

    fn tables_section(&self) -> Section {
        let book = self.plugins.stats.book();
        let of_table = |table: &TableStats| {
            let figures = table.figures().into_iter();
            let dict = figures.map(|(name, value)| (name, Field::Number(value))).collect();
            (format!("table_{}", plain(&table.name)), Field::Dict(dict))
        };
        Section { name: "tables", fields: book.busiest().into_iter().map(of_table).collect() }
    }
}

fn times(told: Percentiles) -> [(&'static str, Field); 5] {
    [
        ("usec_avg", Field::Number(told.average_us)),
        ("p50", Field::Number(told.p50_us)),
        ("p95", Field::Number(told.p95_us)),
        ("p99", Field::Number(told.p99_us)),
        ("max", Field::Number(told.max_us)),
    ]
}

/// A name that cannot break a line of INFO: tables may be called anything.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "_.-".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_line() {
        assert_eq!(plain("analytics:\"My,Table\"\r\n=1"), "analytics__My_Table____1");
    }
}
