//! How fast the cache is beside what one would use without it, all in one run: `make bench`.
//!
//! `PGCACHE_BENCH=hits,cold` measures these groups only and leaves the others as they were recorded; `PGCACHE_BENCH=none`
//! measures nothing and shows what was recorded. `PGCACHE_BENCH_PUBLISH=1` puts the table and the chart into `docs/performance.md`.
//! `PGCACHE_BENCH_HUGE=1` adds ten million entries, for which 6 GB are needed.
#![allow(clippy::unwrap_used)]

#[path = "../load/mod.rs"]
mod load;
#[path = "../../tests/support/mod.rs"]
mod support;

mod aside;
mod chart;
mod clients;
mod cold;
mod crowd;
mod figure;
mod growth;
mod hits;
mod ids;
mod memory;
mod mix;
mod multiread;
mod notices;
mod number;
mod ping;
mod reader;
mod record;
mod stage;
mod table;
mod writers;

use std::time::Instant;

use figure::Figure;
use record::Record;
use stage::Stage;
use support::on_every_server;

/// What measures a group.
type Measure = fn(&Stage) -> Vec<Figure>;

/// The groups, in the order in which they are measured and shown.
const GROUPS: [(&str, Measure); 9] = [
    ("hits", hits::figures),
    ("multiread", multiread::figures),
    ("cold", cold::figures),
    ("aside", aside::figures),
    ("mix", mix::figures),
    ("notices", notices::figures),
    ("memory", memory::figures),
    ("ping", ping::figures),
    ("growth", growth::figures),
];

fn main() {
    let chosen = chosen();
    on_every_server(|kind| {
        let stage = Stage { kind };
        for (group, measure) in &chosen {
            eprintln!("{group} on {}", stage.kind.name);
            let began = Instant::now();
            let figures = measure(&stage);
            eprintln!("{group} took {:.0} s", began.elapsed().as_secs_f64());
            // Each group by itself, so that a run that is interrupted keeps what it has.
            let mut record = Record::read();
            record.put(&stage.kind.name, group, figures);
            record.write();
        }
    });
    let record = Record::read();
    print!("{}", table::plain(&record));
    if std::env::var("PGCACHE_BENCH_PUBLISH").is_ok_and(|value| value == "1") {
        publish(&record);
    }
}

/// The groups in `PGCACHE_BENCH`; without it all of them.
fn chosen() -> Vec<(&'static str, Measure)> {
    let names = std::env::var("PGCACHE_BENCH").unwrap_or_else(|_| "all".into());
    if names == "all" {
        return GROUPS.to_vec();
    }
    let find = |name: &str| GROUPS.into_iter().find(|(group, _)| *group == name);
    let unknown = |name: &str| {
        let known: Vec<_> = GROUPS.iter().map(|(group, _)| *group).collect();
        panic!("PGCACHE_BENCH: no group {name}; there are {}, all and none", known.join(", "))
    };
    let names = names.split(',').map(str::trim).filter(|name| !matches!(*name, "" | "none"));
    names.map(|name| find(name).unwrap_or_else(|| unknown(name))).collect()
}

/// Writes the figures into `docs/performance.md` and its chart.
fn publish(record: &Record) {
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(home.join("docs/speed.svg"), chart::svg(record)).unwrap();
    let page = home.join("docs/performance.md");
    let text = std::fs::read_to_string(&page).unwrap();
    std::fs::write(page, table::put_into(&text, &table::markdown(record))).unwrap();
}
