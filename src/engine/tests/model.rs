//! The engine against a model of PostgreSQL: changes, notices, loads, flushes, gaps, roles, expiry and evictions in any order.
//!
//! Four things hold whatever happens: no hit is older than a notice that was applied, nobody who was answered is answered with
//! something older when they ask again (unless a replica's master may have heard less), nobody is answered with what is older
//! than the position that they have named, and once everything has come to rest all readers are told what PostgreSQL holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::cache::key_change::KeyChange;
use crate::cache::{Error, ErrorKind, FlightId, Gap, Lsn, Notice, PgSnapshot, Relation};
use crate::engine::tests::memory::{Content, Role};
use crate::postgres::rows::load::Fetched;
use crate::workers::FeedEvent;

use super::cache::{table, Cache, Read};
use super::names::{json, row_of_key, Name};
use super::orders::Step;

#[path = "model_near.rs"]
mod near;
#[path = "model_roles.rs"]
mod roles;
#[path = "model_visibility.rs"]
mod visibility;

const ROWS: usize = 2;
const CLIENTS: usize = 4;

/// The keys that a row has: `id`, `k` and `g`.
const KEYS: usize = 3;

/// How old a hit may be while its source is live: `max_staleness_ms`.
const MAX_STALENESS_MS: u64 = 2000;

/// One state of a row: whether it exists, since which change, and since when.
#[derive(Debug, Clone, Copy)]
struct State {
    exists: bool,
    change: u64,
    at_ms: u64,
}

/// A row of PostgreSQL with all that it has been.
type History = Vec<State>;

/// A client's read that has not been answered.
#[derive(Debug)]
struct Pending {
    client: usize,
    name: Name,
    /// The oldest state that may answer it.
    oldest: usize,
}

pub struct Model {
    cache: Cache,
    now_ms: u64,
    change: u64,
    rows: [History; ROWS],
    /// Changes that were told and not applied yet.
    told: VecDeque<(u64, Notice)>,
    /// Whether changes are told before they are visible, as the write-ahead log does.
    is_early: bool,
    /// Changes that were committed and are not visible yet.
    invisible: BTreeSet<u64>,
    /// Those of them that were not told when notices were lost: nobody knows of them until they are visible.
    lost: BTreeSet<u64>,
    /// All changes up to this one were applied.
    applied: u64,
    /// Whether a session listens.
    is_open: bool,
    role: Role,
    /// Of a replica: all changes up to this one its master has applied.
    master_at: u64,
    pending: BTreeMap<u64, Pending>,
    /// The oldest state of each row that each client may still see under each of its keys: under one of them it may have
    /// changed before it does under another, until the notice has come.
    seen: [[[usize; KEYS]; ROWS]; CLIENTS],
    /// What PostgreSQL has answered to loads that have not come back.
    answered: BTreeMap<FlightId, (Fetched, Option<PgSnapshot>)>,
    saved: Content,
    grace: bool,
    near: near::NearCache,
}

impl Model {
    pub fn new(settings: &[&str]) -> Self {
        let mut cache = Cache::with(settings);
        cache.add(table());
        let new = State { exists: true, change: 0, at_ms: 0 };
        Self {
            cache,
            now_ms: 10_000,
            change: 0,
            rows: std::array::from_fn(|_| vec![new]),
            told: VecDeque::new(),
            is_early: settings.contains(&"wal"),
            invisible: BTreeSet::new(),
            lost: BTreeSet::new(),
            applied: 0,
            is_open: true,
            role: Role::Master,
            master_at: 0,
            pending: BTreeMap::new(),
            seen: [[[0; KEYS]; ROWS]; CLIENTS],
            answered: BTreeMap::new(),
            saved: Content::new(),
            grace: settings.contains(&"grace"),
            near: near::NearCache::default(),
        }
    }

    pub fn step(&mut self, what: Step, which: u8, how: u8) {
        let (row, client) = (usize::from(which) % ROWS, usize::from(how) % CLIENTS);
        let which = usize::from(which);
        match what {
            Step::Read => drop(self.read(client, Name::of(row, how.rotate_right(2)), None)),
            Step::ReadFresh => drop(self.read(client, Name::of(row, how.rotate_right(2)), Some(self.change))),
            Step::Change => self.change(row, how % 4 != 0),
            Step::Truncate => self.truncate(),
            Step::Apply => self.apply_one(),
            Step::Answer => self.answer(which),
            Step::Land => self.complete(which),
            Step::Fail => self.fail(which, how),
            Step::Evict => self.evict(which),
            Step::Pass => self.pass(which as u64 * 16),
            Step::Beat => self.beat(),
            Step::Command => self.invalidate_or_write(row, how),
            Step::Lose => self.lose(),
            Step::OpenOrClose => self.open_or_close(),
            Step::Role => self.set_role(how),
            Step::Master => self.follow_master(which, how),
            Step::Replace => self.replace(how),
            Step::Fill => self.cache.store.set_full(how % 3 == 0),
            Step::Show => self.show(which),
            Step::Look => self.look(),
            Step::Near => self.read_near_and_load(client, Name::of(row, how.rotate_right(2)), which),
            Step::Hear => self.hear_near(which, how),
        }
        self.take_answers();
    }

    /// The first state of `row` that is no older than change `change`.
    fn state_at(&self, row: usize, change: u64) -> usize {
        let is_told = |state: &State| state.change <= change && !self.lost.contains(&state.change);
        self.rows[row].iter().rposition(is_told).expect("there is a first state")
    }

    /// The state that `row` was in at `at_ms`.
    fn state_when(&self, row: usize, at_ms: u64) -> usize {
        self.rows[row].iter().rposition(|state| state.at_ms <= at_ms).unwrap_or_default()
    }

    fn latest(&self, row: usize) -> usize {
        self.rows[row].len() - 1
    }

    /// The state that `answer` shows, if it is none before `oldest`.
    fn shown(&self, row: usize, answer: Option<&str>, oldest: usize) -> Option<usize> {
        let is_it = |index: &usize| match answer {
            Some(text) => self.rows[row][*index].exists && json(row, *index) == text,
            None => !self.rows[row][*index].exists,
        };
        (oldest..self.rows[row].len()).find(is_it)
    }

    fn see(&mut self, client: usize, name: Name, answer: Option<&str>, oldest: usize, how: &str) {
        let shown = self.shown(name.row, answer, oldest);
        assert!(
            shown.is_some(),
            "client {client} is shown {answer:?} for {name:?} by {how}: older than state {oldest} of {:?}",
            self.rows[name.row]
        );
        *self.seen_by(client, name) = shown.unwrap_or_default();
    }

    /// Somebody who knows of no later state of `row` puts it into the cache.
    fn unsee(&mut self, row: usize, state: usize) {
        self.seen.iter_mut().flat_map(|rows| &mut rows[row]).for_each(|seen| *seen = state.min(*seen));
        let of_row = self.pending.values_mut().filter(|pending| pending.name.row == row);
        of_row.for_each(|pending| pending.oldest = state.min(pending.oldest));
    }

    fn seen_by(&mut self, client: usize, name: Name) -> &mut usize {
        &mut self.seen[client][name.row][name.key]
    }

    /// A change's number is its position in the log as well. Whoever names one was told that the change is committed.
    /// Returns what is answered at once.
    fn read(&mut self, client: usize, name: Name, position: Option<u64>) -> Option<Option<String>> {
        if self.pending.values().any(|pending| pending.client == client) {
            return None;
        }
        let told = self.applied.max(position.unwrap_or_default());
        let oldest = (*self.seen_by(client, name)).max(self.state_at(name.row, told));
        let oldest_hit = oldest.max(self.oldest_hit(name.row));
        match self.cache.read_from("t", &name.text(), position.map(Lsn)) {
            Read::Waits(number) => {
                let oldest = oldest.min(self.latest_visible(name.row));
                self.pending.insert(number, Pending { client, name, oldest });
                None
            }
            Read::Absent => {
                self.see(client, name, None, oldest_hit, "a hit");
                Some(None)
            }
            Read::Hit(text) => {
                self.see(client, name, Some(&text), oldest_hit, "a hit");
                Some(Some(text))
            }
        }
    }

    /// The oldest state of `row` that a source may show while it is taken for live.
    fn oldest_hit(&self, row: usize) -> usize {
        if self.grace {
            return 0;
        }
        self.state_when(row, self.now_ms.saturating_sub(MAX_STALENESS_MS))
    }

    fn take_answers(&mut self) {
        for (number, answer) in self.cache.answers() {
            let Pending { client, name, oldest } = self.pending.remove(&number).expect("everybody is answered once");
            if let Ok(answer) = answer {
                self.see(client, name, answer.as_deref(), oldest, "a load");
            }
        }
    }

    /// A transaction changes a row, or inserts or deletes it.
    fn change(&mut self, row: usize, exists: bool) {
        let existed = self.rows[row][self.latest(row)].exists;
        if !existed && !exists {
            return;
        }
        self.show_row(row);
        self.begin_change();
        self.rows[row].push(State { exists, change: self.change, at_ms: self.commit_ms() });
        let letter = char::from(b'a' + row as u8);
        let keys = format!(r#"{{"id":{row},"k":"{letter}"}}"#);
        self.emit(Notice::Rows { relation: Relation::Oid(1), rows: vec![keys.into()] });
    }

    fn truncate(&mut self) {
        (0..ROWS).for_each(|row| self.show_row(row));
        self.begin_change();
        let (change, at_ms) = (self.change, self.commit_ms());
        for row in &mut self.rows {
            row.push(State { exists: false, change, at_ms });
        }
        self.emit(Notice::Table(Relation::Oid(1)));
    }

    fn emit(&mut self, notice: Notice) {
        if self.is_open {
            self.told.push_back((self.change, notice));
        }
    }

    fn apply_one(&mut self) {
        if let Some((change, notice)) = self.told.pop_front() {
            self.cache.told(self.is_early.then_some(change), &notice);
            self.applied = change;
            self.cache.feed(FeedEvent::Applied(Lsn(change)));
        }
    }

    /// A heartbeat travels the way of the notices.
    fn beat(&mut self) {
        if self.is_open && self.told.is_empty() {
            self.look();
            self.cache.beat_at(Some(Lsn(self.change)));
        }
    }

    fn lose(&mut self) {
        if self.is_open {
            self.lose_notices();
            self.cache.feed(FeedEvent::Gap(Gap::Overflow));
        }
    }

    fn open_or_close(&mut self) {
        self.is_open = !self.is_open;
        if self.is_open {
            self.told.clear();
            self.applied = self.change;
            self.cache.feed(FeedEvent::Opened { gap: Some(Gap::Reconnected) });
        } else {
            self.cache.feed(FeedEvent::Closed("lost".into()));
        }
    }

    /// PostgreSQL answers a load: what it says is of now, and comes back later.
    fn answer(&mut self, which: usize) {
        let loads = self.cache.loads();
        let open: Vec<_> = loads.into_iter().filter(|load| !self.answered.contains_key(load)).collect();
        if open.is_empty() {
            return;
        }
        let flight = open[which % open.len()];
        let cache_key = self.cache.key_of(flight).expect("it is under way");
        let (row, own_key) = row_of_key(&cache_key[cache_key.find('{').expect("a lookup key")..]);
        let own_key = own_key.map(|own_key| own_key.into_bytes().into());
        let latest = self.latest_visible(row);
        let fetched = if self.rows[row][latest].exists {
            Fetched::Row { json: Arc::from(json(row, latest).into_bytes()), own_key }
        } else {
            Fetched::Absent { own_key }
        };
        let snapshot = self.is_early.then(|| self.snapshot());
        self.answered.insert(flight, (fetched, snapshot));
    }

    fn complete(&mut self, which: usize) {
        let Some(flight) = nth(&self.answered, which) else { return };
        let (fetched, snapshot) = self.answered.remove(&flight).expect("it is there");
        self.cache.complete_seeing(flight, Ok(fetched), snapshot);
    }

    fn fail(&mut self, which: usize, how: u8) {
        let loads = self.cache.loads();
        if loads.is_empty() {
            return;
        }
        let flight = loads[which % loads.len()];
        self.answered.remove(&flight);
        let kinds = [ErrorKind::Down, ErrorKind::Timeout, ErrorKind::BadValue, ErrorKind::Denied];
        let kind = kinds[usize::from(how) % kinds.len()].clone();
        self.cache.complete(flight, Err(Error::new(kind, "no")));
    }

    fn keys(&self) -> Vec<Box<[u8]>> {
        let is_entry = |key: &[u8]| !key.starts_with(b"pg_cache:@");
        self.cache.store.content().into_keys().filter(|key| is_entry(key)).collect()
    }

    fn evict(&mut self, which: usize) {
        let keys = self.keys();
        if self.role != Role::Master || keys.is_empty() {
            return;
        }
        let key = &keys[which % keys.len()];
        self.cache.store.take(key);
        self.cache.engine.key_changed(&self.cache.store, KeyChange::Evicted, key);
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.cache.pass(ms);
    }

    fn invalidate_or_write(&mut self, row: usize, how: u8) {
        if self.role != Role::Master {
            return;
        }
        let latest = self.latest(row);
        if how % 2 == 0 || self.is_early {
            let _ = self.cache.invalidate("t", &Name::of(row, 0).text());
        } else if self.rows[row][latest].exists {
            let _ = self.cache.write("t", &Name::of(row, 0).text(), &json(row, latest));
        }
    }

    /// Everything comes to rest, and then everybody is told what PostgreSQL holds.
    pub fn come_to_rest(&mut self) {
        self.cache.store.set_full(false);
        if self.role == Role::Replica {
            self.role = Role::Master;
            self.cache.set_role(Role::Master);
        }
        self.role = Role::Master;
        self.cache.store.set_role(Role::Master);
        if !self.is_open {
            self.open_or_close();
        }
        while !self.told.is_empty() {
            self.apply_one();
        }
        (0..ROWS).for_each(|row| self.show_row(row));
        self.look();
        self.pass(10);
        self.beat();
        for round in 0..2 {
            for row in 0..ROWS {
                for kind in [0, 2, 130, 3] {
                    let name = Name::of(row, kind);
                    self.read(0, name, None);
                    self.complete_all();
                    assert!(self.is_shown_now(name), "round {round}: {name:?} is not at its last state");
                }
            }
        }
        self.check_near_at_rest();
    }

    /// Whether client 0 was shown what the row is now.
    fn is_shown_now(&self, Name { row, key, .. }: Name) -> bool {
        let (seen, latest) = (self.seen[0][row][key], self.latest(row));
        seen == latest || (!self.rows[row][seen].exists && !self.rows[row][latest].exists)
    }

    pub fn complete_all(&mut self) {
        while !self.cache.loads().is_empty() {
            self.answer(0);
            self.complete(0);
            self.take_answers();
        }
        self.take_answers();
        assert!(self.pending.is_empty(), "nobody waits for ever: {:?}", self.pending);
    }
}

fn nth<T>(answered: &BTreeMap<FlightId, T>, which: usize) -> Option<FlightId> {
    answered.keys().nth(which.checked_rem(answered.len())?).copied()
}
