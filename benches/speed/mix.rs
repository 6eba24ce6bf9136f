//! A mix: reads by Zipf's law, 95 of a hundred from memory, while others change rows and the cache is told of it.

use crate::crowd;
use crate::figure::Figure;
use crate::ids::Zipf;
use crate::load::entries;
use crate::load::pair::Pair;
use crate::reader::{Aside, Reader};
use crate::stage::{key_of, prefix, Stage, FIRST_ID, ROWS};
use crate::support::watched::{await_freshness, watch};
use crate::support::Server;
use crate::writers::Writers;

const CLIENTS: usize = 50;
const ROUNDS: usize = 6;
const UPDATES_PER_SECOND: u32 = 1000;
/// Which share of the reads finds its row in memory at the start.
const WARM: f64 = 0.95;

/// With writers against without, and against cache-aside, which nobody tells of changes.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    let zipf = Zipf::new();
    let (server, plain) = (stage.with_all_rows().server(), stage.plain());
    await_freshness(&mut server.client(), "live");
    watch(&mut server.client(), "users");
    warm(&server, &plain, zipf.rows_for(WARM));

    let mut readers = Reader::crowd(&server, CLIENTS);
    let mut asides = Aside::crowd(&plain, stage, CLIENTS);
    let mut rounds = vec![];
    let mut ratio = HitRatio::default();
    for round in 0..ROUNDS {
        let mut quiet = 0.0;
        let mut busy = 0.0;
        let mut aside = 0.0;
        let mut order = [0, 1, 2];
        if round % 2 == 1 {
            order.reverse();
        }
        for side in order {
            let _writers = (side > 0).then(|| Writers::start(stage, &script(), UPDATES_PER_SECOND));
            let draw = || zipf.draw(&mut fastrand::Rng::new());
            match side {
                0 => quiet = ratio.over(&server, || crowd::rate(&mut readers, |reader| reader.read(draw()))),
                1 => busy = ratio.over(&server, || crowd::rate(&mut readers, |reader| reader.read(draw()))),
                _ => aside = crowd::rate(&mut asides, |aside| aside.read(draw())),
            }
        }
        rounds.push((quiet, busy, aside));
    }
    server.client().call(&["PGCACHE.WATCH", "DEL", "users"]);

    let against = |other: fn(&(f64, f64, f64)) -> f64| {
        let pairs: Vec<(f64, f64)> = rounds.iter().map(|round| (round.1, other(round))).collect();
        Pair::median(&pairs)
    };
    let hits = Pair { ours: ratio.ratio() * 100.0, theirs: f64::NAN, ratio: f64::NAN };
    vec![
        Figure::new("mix", "zipf mix: reads with 1,000 updates/s against none", "/s", against(|round| round.0)),
        Figure::new("mix", "zipf mix with 1,000 updates/s against cache-aside", "/s", against(|round| round.2)),
        Figure::new("mix", "zipf mix: reads that are hits", "%", hits),
    ]
}

/// One row by Zipf's law, as the readers choose them.
fn script() -> String {
    format!(
        "\\set id {FIRST_ID} - 1 + random_zipfian(1, {ROWS}, 1.001)\n\
         UPDATE users SET name = name WHERE id = :id;\n"
    )
}

/// Stores the rows that are wanted most on both sides.
fn warm(server: &Server, plain: &Server, rows: u32) {
    let mut client = server.client();
    let value = client.read("users", &key_of(0)).text();
    let prefix = prefix(&mut client, "users");
    entries::fill(&mut client, (0..rows).map(|number| format!("{prefix}{}", key_of(number))), &value);
    entries::fill(&mut plain.client(), (0..rows).map(Aside::key_of), &value);
}

/// How many of the cache's reads were hits.
#[derive(Default)]
struct HitRatio {
    hits: u64,
    misses: u64,
}

impl HitRatio {
    /// Counts what happens meanwhile.
    fn over(&mut self, server: &Server, work: impl FnOnce() -> f64) -> f64 {
        let mut client = server.client();
        let (hits, misses) = (client.figure("hits"), client.figure("misses"));
        let rate = work();
        self.hits += client.figure("hits") - hits;
        self.misses += client.figure("misses") - misses;
        rate
    }

    fn ratio(&self) -> f64 {
        self.hits as f64 / (self.hits + self.misses) as f64
    }
}
