//! A run: a world, its writers and readers, one nemesis, and the judgement.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread::{self, sleep, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::support::Kind;

use super::ages::Ages;
use super::clock::Nanos;
use super::final_check;
use super::history::History;
use super::near_reader;
use super::nemesis::Nemesis;
use super::noise::Noise;
use super::oracle::{judge, Verdict};
use super::plan::Plan;
use super::reader::{Reader, Recorded};
use super::workload::{writers, Ledger};
use super::world::World;

/// How many threads read.
const READERS: usize = 4;
/// For so long a world is used: what was recorded has to fit into memory.
const ROUND: Duration = Duration::from_secs(30);

/// What came of a run.
#[derive(Debug, Default)]
pub struct Findings {
    /// Rows written.
    pub writes: usize,
    /// For how long writers wrote.
    pub seconds: f64,
    /// Blows of the nemesis: when each began and ended.
    pub blows: Vec<(Nanos, Nanos)>,
    /// The oracle's verdict, and the final check's.
    pub verdict: Verdict,
    /// How many reads a near cache answered.
    pub near: usize,
    /// How late the control thread woke.
    pub noise: Ages,
    /// SQLSTATEs that writers were given.
    pub writers_refused: BTreeMap<String, usize>,
    /// Error codes that readers were given.
    pub readers_refused: BTreeMap<String, usize>,
}

/// Runs `plan` against `nemesis` on a server of this kind: in several rounds, if it takes long.
pub fn run(kind: &Kind, nemesis: &dyn Nemesis, plan: &Plan) -> Findings {
    let rounds = plan.length.as_secs_f64() / ROUND.as_secs_f64();
    let rounds = rounds.ceil().max(1.0) as u32;
    let mut all = Findings::default();
    for _ in 0..rounds {
        let mut plan = Plan { length: plan.length / rounds, ..plan.clone() };
        nemesis.prepare(&mut plan);
        let world = World::start(kind, plan);
        all.add(round(&world, nemesis));
    }
    all
}

/// Has everybody stop, also when somebody panics.
struct Stop<'w>(&'w World);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop_writing.store(true, Ordering::Relaxed);
        self.0.stop_reading.store(true, Ordering::Relaxed);
    }
}

fn round(world: &World, nemesis: &dyn Nemesis) -> Findings {
    thread::scope(|scope| {
        let stop = Stop(world);
        let noise = scope.spawn(|| Noise::measure(world.clock, &world.stop_reading));
        let readers = (0..READERS).map(|_| Reader::new(world));
        let of_nodes = world.site.late_nodes().iter().map(|node| Reader::of_node(world, node.clone()));
        let mut readers: Vec<_> = readers.chain(of_nodes).map(|reader| scope.spawn(|| reader.run())).collect();
        if world.plan.has_near_reader() {
            readers.push(scope.spawn(|| near_reader::run(world)));
        }
        let began = Instant::now();
        let writers: Vec<_> =
            writers(&world.plan).into_iter().map(|writer| scope.spawn(move || writer(world))).collect();
        let blows = afflict(world, nemesis);
        world.stop_writing.store(true, Ordering::Relaxed);
        let ledgers: Vec<Ledger> = writers.into_iter().map(joined).collect();
        let seconds = began.elapsed().as_secs_f64();
        nemesis.heal(world);
        let left = final_check::take(world);
        drop(stop);
        let readers: Vec<Recorded> = readers.into_iter().map(joined).collect();
        let noise = joined(noise);
        let mut findings = Findings { seconds, blows, noise: noise.ages(), ..Findings::default() };
        let history = findings.gather(world, ledgers, readers);
        findings.verdict = judge(&history, &noise, world.plan.bound());
        findings.verdict.violations.merge(left);
        findings
    })
}

/// Strikes until time is up, and once at least, however slow the machine is.
fn afflict(world: &World, nemesis: &dyn Nemesis) -> Vec<(Nanos, Nanos)> {
    let end = Instant::now() + world.plan.length;
    let mut blows = vec![];
    sleep(nemesis.rest());
    while blows.is_empty() || Instant::now() < end {
        let began = world.clock.now();
        nemesis.strike(world, blows.len());
        blows.push((began, world.clock.now()));
        sleep(nemesis.rest().min(end.saturating_duration_since(Instant::now())));
    }
    blows
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Findings {
    /// Counts what writers and readers leave behind, and makes one history of it.
    fn gather(&mut self, world: &World, ledgers: Vec<Ledger>, readers: Vec<Recorded>) -> History {
        let mut history = std::mem::take(&mut *world.deeds.lock().unwrap());
        for ledger in ledgers {
            self.writes += ledger.writes;
            count(&mut self.writers_refused, ledger.refused);
            history.add(ledger.history);
        }
        for reader in readers {
            count(&mut self.readers_refused, reader.refused);
            self.near += reader.near;
            history.reads.extend(reader.reads);
        }
        history
    }

    /// Those of another round as well.
    fn add(&mut self, other: Self) {
        self.writes += other.writes;
        self.seconds += other.seconds;
        self.blows.extend(other.blows);
        self.verdict.add(other.verdict);
        self.noise.add(other.noise);
        self.near += other.near;
        count(&mut self.writers_refused, other.writers_refused);
        count(&mut self.readers_refused, other.readers_refused);
    }
}

fn count(all: &mut BTreeMap<String, usize>, more: BTreeMap<String, usize>) {
    for (code, count) in more {
        *all.entry(code).or_default() += count;
    }
}
