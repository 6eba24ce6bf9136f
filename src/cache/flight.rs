//! Flights: one load under way for one cache key, with everyone who waits for it.
//!
//! The rules that keep a stale row out of the cache live here. A flight that began before an invalidation
//! of its key never fills. Those who ask after start a new one; those who asked before get an answer that nobody who saw a
//! newer one will take for old: what has been stored since, else what the next flight brings, else what theirs brings.

use std::collections::HashMap;
use std::rc::Rc;

use foldhash::quality::RandomState;

use super::{ttl, Lsn, SnapshotGuard};

/// Names one flight for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlightId(pub u64);

/// What a flight loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A row.
    Row(RowTarget),
    /// What a query returns: the number under which the query is known that was asked.
    Query(u64),
}

/// The row that a flight loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowTarget {
    /// The table's number in the memo, for superseding all of a table's flights at once.
    pub table: u64,
    /// Whether only PostgreSQL knows the row's own key, so that any invalidation in its table may be about it.
    pub needs_postgres: bool,
    /// Whether no unique key names the row, with the same consequence.
    pub is_non_unique: bool,
    /// Whether what its key turns out to mean may be remembered.
    pub may_alias: bool,
}

impl RowTarget {
    /// Whether any change of its table may be about the row.
    pub fn is_uncertain(self) -> bool {
        self.needs_postgres || self.is_non_unique
    }
}

/// What a flight is about and how long its answer may be waited for.
#[derive(Debug, Clone)]
pub struct FlightPlan {
    /// What it loads.
    pub target: Target,
    /// Time to live of what it stores, in seconds; 0: no expiry.
    pub ttl_s: u32,
    /// When its waiters are told that it took too long, in milliseconds of a clock that only goes forward.
    pub deadline_ms: u64,
    /// Where in the cache key the lookup key, or the parameters, start.
    pub prefix_len: usize,
    /// Whether it loads anew what is stored already, for nobody in particular.
    pub is_refresh: bool,
    /// What it has to see before it may fill; `None`: whatever it sees will do.
    pub guard: Option<Box<SnapshotGuard>>,
    /// The position in the write-ahead log that its answer must reach: that of the reader who had it started, or of one whom it
    /// was handed over. It began after they had asked, so that what it brings does; an entry may not.
    pub min_lsn: Option<Lsn>,
}

impl FlightPlan {
    /// The row that it loads; `None`: it runs a query.
    pub fn row(&self) -> Option<RowTarget> {
        match self.target {
            Target::Row(row) => Some(row),
            Target::Query(_) => None,
        }
    }

    fn is_uncertain(&self) -> bool {
        self.row().is_some_and(RowTarget::is_uncertain)
    }

    fn is_of(&self, table: u64) -> bool {
        self.row().is_some_and(|row| row.table == table)
    }

    /// Whether a reader who plans `other` may wait for this flight, which is under way.
    ///
    /// A reader's position was read after his COMMIT. Where it is before that of this flight, it was read earlier, so that his change was
    /// visible when this flight began. The same position proves nothing: a commit may stand there and not be visible yet.
    fn serves(&self, other: &Self) -> bool {
        !self.is_refresh && other.min_lsn.is_none_or(|_| self.min_lsn > other.min_lsn)
    }

    /// Takes over those who waited for a flight of this `other` plan.
    fn take_over(&mut self, other: &Self) {
        self.ttl_s = ttl::shorter(self.ttl_s, other.ttl_s);
        self.min_lsn = self.min_lsn.max(other.min_lsn);
    }
}

/// A flight that has ended: its load came back, or it was given up.
#[derive(Debug)]
pub struct CompletedFlight<W> {
    /// The cache key it was asked for under.
    pub key: Rc<[u8]>,
    /// As planned; `ttl_s` is the shortest that any of its waiters asked for.
    pub plan: FlightPlan,
    /// False when it was superseded: its answer may be given to its waiters but not stored.
    pub may_fill: bool,
    /// Who waits, in the order they came.
    pub waiters: Vec<W>,
    /// How many of them, the first ones, were handed over by a flight that this one replaced.
    pub handed_over: usize,
    /// How many of them, the first ones, came before it began: whatever it brings is new enough for them.
    pub early: usize,
}

impl<W> CompletedFlight<W> {
    /// Takes out those who came while it was under way.
    pub fn take_late(&mut self) -> Vec<W> {
        self.waiters.split_off(self.early.min(self.waiters.len()))
    }

    /// Those who have waited for another flight wait for this one now, which began after they came.
    fn take_over(&mut self, waiters: Vec<W>) {
        let before = self.handed_over;
        self.handed_over += waiters.len();
        self.early += waiters.len();
        self.waiters.splice(before..before, waiters);
    }
}

/// All flights under way. `W` stands for whoever waits.
#[derive(Debug)]
pub struct Flights<W> {
    // Clients choose these keys: the hash has a seed of each process.
    joinable: HashMap<Rc<[u8]>, FlightId, RandomState>,
    // Own numbers need no defence against chosen collisions.
    live: foldhash::HashMap<FlightId, CompletedFlight<W>>,
    uncertain: usize,
    next: u64,
}

/// How a reader came to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// A flight for that key was under way.
    Waiting(FlightId),
    /// There was none: the caller must have this one loaded.
    Started(FlightId),
}

impl<W> Default for Flights<W> {
    fn default() -> Self {
        Self { joinable: HashMap::default(), live: foldhash::HashMap::default(), uncertain: 0, next: 0 }
    }
}

impl<W> Flights<W> {
    /// Waits on the flight for `key`, or starts one. A refresh is not waited for: it may stand in line for long, and what it
    /// brings must not replace what the new one brings. Nor is one that may have read before the reader's own change.
    pub fn join(&mut self, key: &[u8], plan: FlightPlan, waiter: W) -> Joined {
        if let Some(id) = self.joinable.get(key) {
            if let Some(flight) = self.live.get_mut(id) {
                if flight.plan.serves(&plan) {
                    flight.plan.ttl_s = ttl::shorter(flight.plan.ttl_s, plan.ttl_s);
                    flight.waiters.push(waiter);
                    return Joined::Waiting(*id);
                }
                flight.may_fill = false;
            }
        }
        Joined::Started(self.start(key, plan, vec![waiter]))
    }

    /// Starts a flight that nobody waits for. `None`: there is one for `key`.
    pub fn refresh(&mut self, key: &[u8], plan: FlightPlan) -> Option<FlightId> {
        let plan = FlightPlan { is_refresh: true, ..plan };
        (!self.joinable.contains_key(key)).then(|| self.start(key, plan, vec![]))
    }

    fn start(&mut self, key: &[u8], plan: FlightPlan, waiters: Vec<W>) -> FlightId {
        self.next += 1;
        let id = FlightId(self.next);
        self.uncertain += usize::from(plan.is_uncertain());
        let key: Rc<[u8]> = Rc::from(key);
        self.joinable.insert(Rc::clone(&key), id);
        let early = waiters.len();
        self.live.insert(id, CompletedFlight { key, plan, may_fill: true, waiters, handed_over: 0, early });
        id
    }

    /// Flight `id`, which begins now, may fill only if its load sees what `guard` says.
    pub fn guard(&mut self, id: FlightId, guard: SnapshotGuard) {
        if let Some(flight) = self.live.get_mut(&id) {
            flight.plan.guard = Some(Box::new(guard));
        }
    }

    /// The load of flight `id` came back, or could not be asked for. `None`: it was given up before.
    pub fn complete(&mut self, id: FlightId) -> Option<CompletedFlight<W>> {
        let completed = self.live.remove(&id)?;
        self.uncertain -= usize::from(completed.plan.is_uncertain());
        if self.joinable.get(&completed.key) == Some(&id) {
            self.joinable.remove(&completed.key);
        }
        Some(completed)
    }

    /// `completed` was superseded, and `key` is what a reader of its row asks for now. If another flight is under way for that,
    /// which may have read before `completed` did, nobody may be answered here and find its older row next: who waits goes over
    /// to the other flight. Nobody is handed over twice, or a row that changes all the time would never be answered;
    /// for the sake of those who stay, the other flight may no longer fill or be joined. Says whether it was superseded.
    pub fn hand_over(&mut self, key: &[u8], completed: &mut CompletedFlight<W>) -> bool {
        let Some(next) = self.joinable.get(key).and_then(|id| self.live.get_mut(id)) else { return false };
        if next.plan.is_refresh {
            return self.supersede_key(key);
        }
        let handed = completed.waiters.split_off(completed.handed_over);
        next.plan.take_over(&completed.plan);
        next.take_over(handed);
        !completed.waiters.is_empty() && self.supersede_key(key)
    }

    /// `late` came while a load was under way that saw too little for them. They wait for the flight that is under way for `key` by now,
    /// which began after they came, or for a new one, which is returned: the caller must have it loaded.
    pub fn rejoin(&mut self, key: &[u8], plan: FlightPlan, late: Vec<W>) -> Option<FlightId> {
        let next = self.joinable.get(key).and_then(|id| self.live.get_mut(id));
        if let Some(next) = next.filter(|next| !next.plan.is_refresh) {
            next.plan.take_over(&plan);
            next.take_over(late);
            return None;
        }
        self.supersede_key(key);
        let id = self.start(key, plan, vec![]);
        self.live.get_mut(&id)?.take_over(late);
        Some(id)
    }

    /// Whether the flight has to see anything before it may fill.
    pub fn is_guarded(&self, id: FlightId) -> bool {
        self.live.get(&id).is_some_and(|flight| flight.plan.guard.is_some())
    }

    /// Whether the flight is under way.
    pub fn is_under_way(&self, id: FlightId) -> bool {
        self.live.contains_key(&id)
    }

    /// `key` was invalidated or written: its flight may no longer fill or be joined. Says whether there was one.
    pub fn supersede_key(&mut self, key: &[u8]) -> bool {
        let Some(id) = self.joinable.remove(key) else { return false };
        if let Some(flight) = self.live.get_mut(&id) {
            flight.may_fill = false;
        }
        true
    }

    /// All of a table was dropped, or a key of it that cannot be told from another. Returns how many it hit.
    pub fn supersede_table(&mut self, table: u64) -> usize {
        self.supersede_where(|flight| flight.plan.is_of(table))
    }

    /// A key of the table was invalidated: a flight whose own key nobody knows may be about that row.
    pub fn supersede_uncertain(&mut self, table: u64) -> usize {
        if self.uncertain == 0 {
            return 0;
        }
        self.supersede_where(|flight| flight.plan.is_uncertain() && flight.plan.is_of(table))
    }

    /// Everything was dropped: FLUSHALL, FLUSHDB, SWAPDB. Returns how many it hit.
    pub fn supersede_all(&mut self) -> usize {
        self.supersede_where(|_| true)
    }

    fn supersede_where(&mut self, hit: impl Fn(&CompletedFlight<W>) -> bool) -> usize {
        let mut superseded = 0;
        for flight in self.live.values_mut().filter(|flight| flight.may_fill && hit(flight)) {
            flight.may_fill = false;
            self.joinable.remove(&flight.key);
            superseded += 1;
        }
        superseded
    }

    /// Gives up every flight whose deadline is at or before `now_ms`. What they bring later is not used.
    pub fn expire(&mut self, now_ms: u64) -> Vec<CompletedFlight<W>> {
        let late = |flight: &CompletedFlight<W>| flight.plan.deadline_ms <= now_ms;
        let mut ids: Vec<FlightId> = self.live.iter().filter(|(_, flight)| late(flight)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.complete(id)).collect()
    }

    /// What the flight loads that a reader of `key` would join.
    pub fn target_of(&self, key: &[u8]) -> Option<Target> {
        self.joinable.get(key).and_then(|id| self.live.get(id)).map(|flight| flight.plan.target)
    }

    /// How many wait on the flight that a reader of `key` would join; `None` when there is none.
    pub fn waiters_of(&self, key: &[u8]) -> Option<usize> {
        self.joinable.get(key).and_then(|id| self.live.get(id)).map(|flight| flight.waiters.len())
    }

    /// The flights under way, with the keys that they were asked for under.
    #[cfg(test)]
    pub fn under_way(&self) -> Vec<(FlightId, Rc<[u8]>)> {
        let mut all: Vec<_> = self.live.iter().map(|(id, flight)| (*id, Rc::clone(&flight.key))).collect();
        all.sort_unstable();
        all
    }

    /// How many flights are under way.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }
}

#[cfg(test)]
#[path = "flight_tests.rs"]
mod tests;
