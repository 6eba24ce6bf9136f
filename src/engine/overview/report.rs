//! What INFO tells of the engine, section by section.

use crate::cache::info::{Field, Section};
use crate::engine::host::Host;
use crate::engine::Engine;
use crate::plugins::overview::{Overview, SourceOverview};
use crate::plugins::stats::latency::Percentiles;
use crate::plugins::stats::query::QueryStats;
use crate::plugins::stats::statistics::BUSIEST;
use crate::plugins::stats::table::TableStats;

impl<H: Host> Engine<H> {
    /// All of it.
    pub fn report(&self) -> Vec<Section> {
        let overview = self.overview();
        vec![
            server_section(&overview),
            stats_section(&overview),
            self.commands_section(),
            of_sources("sources", &overview, state_of),
            of_sources("pool", &overview, pool_of),
            of_sources("freshness", &overview, freshness_of),
            self.tables_section(&overview),
            self.queries_section(&overview),
        ]
    }

    fn commands_section(&self) -> Section {
        let statistics = self.plugins.stats.statistics();
        let of_command = |name: &str, errors: u64, told: Percentiles| {
            let mut dict = vec![("calls", Field::Number(told.count)), ("errors", Field::Number(errors))];
            dict.extend(times(told));
            (name.replace('.', "_"), Field::Dict(dict))
        };
        let mut fields: Vec<_> = statistics
            .commands
            .iter()
            .map(|command| of_command(command.name, command.errors, command.latency().percentiles()))
            .collect();
        for (name, latency) in [
            ("time_queue", &statistics.queue),
            ("time_postgres", &statistics.postgres),
            ("time_catalog", &statistics.catalog),
            ("time_main", &statistics.main()),
        ] {
            let told = latency.percentiles();
            let mut dict = vec![("count", Field::Number(told.count))];
            dict.extend(times(told));
            fields.push((name.into(), Field::Dict(dict)));
        }
        Section { name: "commands", fields }
    }

    fn tables_section(&self, overview: &Overview) -> Section {
        let statistics = self.plugins.stats.statistics();
        let of_table = |table: &TableStats| {
            let amount = overview.census.of_table(&table.name);
            let amounts = [("entries", amount.entries), ("bytes", amount.bytes)];
            let dict =
                table.figures().into_iter().chain(amounts).map(|(name, value)| (name, Field::Number(value))).collect();
            (format!("table_{}", plain(&table.name)), Field::Dict(dict))
        };
        Section { name: "tables", fields: statistics.busiest().into_iter().map(of_table).collect() }
    }

    fn queries_section(&self, overview: &Overview) -> Section {
        let statistics = self.plugins.stats.statistics();
        let of_query = |query: &QueryStats| {
            let mut dict: Dict = query.figures(overview).map(|(name, value)| (name, Field::Number(value))).into();
            dict.extend(times(query.postgres.percentiles()));
            (format!("query_{}", plain(&query.name)), Field::Dict(dict))
        };
        Section { name: "queries", fields: statistics.queries.busiest(BUSIEST).into_iter().map(of_query).collect() }
    }
}

fn server_section(overview: &Overview) -> Section {
    let fields = vec![
        ("version".into(), Field::text(env!("CARGO_PKG_VERSION"))),
        ("uptime_in_seconds".into(), Field::Number(overview.uptime_s)),
        ("sources".into(), Field::Number(overview.sources.len() as u64)),
    ];
    Section { name: "server", fields }
}

fn stats_section(overview: &Overview) -> Section {
    let fields = overview.figures().map(|(name, value)| (name.into(), Field::Number(value)));
    Section { name: "stats", fields: fields.collect() }
}

/// What one line tells of a source.
type Dict = Vec<(&'static str, Field)>;

/// A section with a line for each source.
fn of_sources(name: &'static str, overview: &Overview, line: fn(&SourceOverview) -> Dict) -> Section {
    let fields = overview.sources.iter().map(|source| {
        let name = format!("source_{}", plain(&source.name));
        (name, Field::Dict(line(source)))
    });
    Section { name, fields: fields.collect() }
}

fn state_of(source: &SourceOverview) -> Dict {
    vec![
        ("status", Field::text(source.status)),
        ("connections", Field::Number(source.connections)),
        ("idle", Field::Number(source.idle)),
        ("in_use", Field::Number(source.in_use())),
        ("queued", Field::Number(source.queued)),
        ("failures", Field::Number(source.failures)),
        ("address", Field::Text(plain_value(&source.address))),
        ("database", Field::Text(plain_value(&source.database))),
        ("role", Field::Text(plain_value(&source.role))),
        ("server_version", Field::Text(plain_value(source.server_version.as_deref().unwrap_or_default()))),
        ("tls", Field::text(source.tls.unwrap_or_default())),
        ("pooler", Field::Number(source.has_pooler.unwrap_or_default().into())),
        ("superuser", Field::Number(source.is_superuser.unwrap_or_default().into())),
    ]
}

fn pool_of(source: &SourceOverview) -> Dict {
    vec![
        ("connections", Field::Number(source.connections)),
        ("idle", Field::Number(source.idle)),
        ("in_use", Field::Number(source.in_use())),
        ("waiting", Field::Number(source.waiting)),
    ]
}

fn freshness_of(source: &SourceOverview) -> Dict {
    vec![
        ("invalidation", Field::text(source.invalidation)),
        ("state", Field::text(source.freshness)),
        ("watched", Field::Number(source.watched)),
        ("applied_lsn", Field::text(source.applied_lsn.as_deref().unwrap_or_default())),
        ("gaps", Field::Number(source.gaps.iter().map(|(_, count)| count).sum())),
    ]
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

/// A value that cannot break a line of INFO, nor end before its time.
fn plain_value(value: &str) -> String {
    value.chars().map(|c| if c.is_control() || ",=".contains(c) { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_line() {
        assert_eq!(plain_value("/run/postgresql/.s.PGSQL.5432"), "/run/postgresql/.s.PGSQL.5432");
        assert_eq!(plain_value("a,b=1\r\nc"), "a_b_1__c");
        assert_eq!(plain("analytics:\"My,Table\"\r\n=1"), "analytics__My_Table____1");
    }
}
