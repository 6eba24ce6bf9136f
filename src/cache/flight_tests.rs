//! Tests of `flight`.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn row(table: u64) -> RowTarget {
    RowTarget { table, needs_postgres: false, is_non_unique: false, may_alias: false }
}

fn plan(table: u64) -> FlightPlan {
    FlightPlan {
        target: Target::Row(row(table)),
        ttl_s: 60,
        deadline_ms: 1000,
        prefix_len: 0,
        is_refresh: false,
        guard: None,
        min_lsn: None,
    }
}

#[test]
fn everyone_who_asks_for_one_key_shares_one_flight() {
    let mut flights = Flights::default();
    let Joined::Started(id) = flights.join(b"k", plan(1), 'a') else { panic!("a flight of its own") };
    assert_eq!(flights.join(b"k", plan(1), 'b'), Joined::Waiting(id));
    assert_eq!(flights.complete(id).unwrap().waiters, vec!['a', 'b']);
    assert!(flights.is_empty());
}

#[test]
fn the_shortest_time_to_live_wins() {
    let mut flights = Flights::default();
    let Joined::Started(id) = flights.join(b"k", FlightPlan { ttl_s: 0, ..plan(1) }, ()) else { panic!() };
    flights.join(b"k", FlightPlan { ttl_s: 30, ..plan(1) }, ());
    flights.join(b"k", FlightPlan { ttl_s: 90, ..plan(1) }, ());
    assert_eq!(flights.complete(id).unwrap().plan.ttl_s, 30);
}

#[test]
fn a_flight_that_is_given_up_is_not_joined_again_and_lands_nowhere() {
    let mut flights = Flights::default();
    let Joined::Started(id) = flights.join(b"k", plan(1), 'a') else { panic!() };
    assert!(flights.expire(999).is_empty());
    assert_eq!(flights.expire(1000)[0].waiters, vec!['a']);
    assert!(flights.complete(id).is_none());
    assert!(matches!(flights.join(b"k", plan(1), 'b'), Joined::Started(_)));
}

#[test]
fn superseding_a_table_leaves_the_others_alone() {
    let mut flights = Flights::default();
    let Joined::Started(first) = flights.join(b"a", plan(1), ()) else { panic!() };
    let Joined::Started(second) = flights.join(b"b", plan(2), ()) else { panic!() };
    assert_eq!(flights.supersede_table(1), 1);
    assert!(!flights.complete(first).unwrap().may_fill);
    assert!(flights.complete(second).unwrap().may_fill);
}

#[test]
fn a_flight_whose_own_key_is_unknown_is_superseded_by_any_invalidation_of_its_table() {
    let mut flights = Flights::default();
    let Joined::Started(asking) = flights.join(
        b"a",
        FlightPlan { target: Target::Row(RowTarget { needs_postgres: true, ..row(1) }), ..plan(1) },
        (),
    ) else {
        panic!()
    };
    let Joined::Started(plain) = flights.join(b"b", plan(1), ()) else { panic!() };
    assert_eq!((flights.supersede_uncertain(2), flights.supersede_uncertain(1)), (0, 1));
    assert!(!flights.complete(asking).unwrap().may_fill);
    assert!(flights.complete(plain).unwrap().may_fill);
    assert_eq!(flights.supersede_uncertain(1), 0);
}

fn refresh(table: u64) -> FlightPlan {
    FlightPlan { is_refresh: true, ..plan(table) }
}

#[test]
fn there_is_one_refresh_of_a_key_and_none_while_readers_wait_for_it() {
    let mut flights: Flights<()> = Flights::default();
    let first = flights.refresh(b"k", refresh(1)).unwrap();
    assert_eq!(flights.refresh(b"k", refresh(1)), None);
    assert!(flights.complete(first).unwrap().waiters.is_empty());
    flights.join(b"k", plan(1), ());
    assert_eq!(flights.refresh(b"k", refresh(1)), None);
}

#[test]
fn a_reader_does_not_wait_for_a_refresh_and_what_it_brings_stays() {
    let mut flights = Flights::default();
    let slow = flights.refresh(b"k", refresh(1)).unwrap();
    let Joined::Started(own) = flights.join(b"k", plan(1), 'a') else { panic!("a flight of its own") };
    assert!(!flights.complete(slow).unwrap().may_fill);
    let completed = flights.complete(own).unwrap();
    assert!(completed.may_fill && completed.waiters == vec!['a']);
}

#[test]
fn an_invalidation_supersedes_a_refresh() {
    let mut flights: Flights<()> = Flights::default();
    let id = flights.refresh(b"k", refresh(1)).unwrap();
    assert!(flights.supersede_key(b"k"));
    assert!(flights.refresh(b"k", refresh(1)).is_some());
    assert!(!flights.complete(id).unwrap().may_fill);
}

fn from(lsn: u64) -> FlightPlan {
    FlightPlan { min_lsn: Some(Lsn(lsn)), ..plan(1) }
}

#[test]
fn who_names_a_position_does_not_wait_for_a_flight_that_may_have_begun_before_it() {
    let mut flights = Flights::default();
    let Joined::Started(first) = flights.join(b"k", plan(1), 'a') else { panic!() };
    let Joined::Started(second) = flights.join(b"k", from(5), 'b') else { panic!() };
    assert_eq!(flights.join(b"k", from(4), 'c'), Joined::Waiting(second));
    assert_eq!(flights.join(b"k", plan(1), 'd'), Joined::Waiting(second));
    let Joined::Started(third) = flights.join(b"k", from(5), 'e') else {
        panic!("a commit there may not be visible yet")
    };
    assert!(!flights.complete(first).unwrap().may_fill && !flights.complete(second).unwrap().may_fill);
    assert!(flights.complete(third).unwrap().may_fill);
}

#[test]
fn a_flight_reaches_what_those_have_named_who_were_handed_over_to_it() {
    let mut flights = Flights::default();
    let Joined::Started(first) = flights.join(b"k", from(5), 'a') else { panic!() };
    flights.supersede_key(b"k");
    let Joined::Started(second) = flights.join(b"k", plan(1), 'b') else { panic!() };
    let mut completed = flights.complete(first).unwrap();
    flights.hand_over(b"k", &mut completed);
    assert_eq!(flights.complete(second).unwrap().plan.min_lsn, Some(Lsn(5)));
}

#[test]
fn a_superseded_flights_readers_go_over_to_the_next_one_once() {
    let mut flights = Flights::default();
    let Joined::Started(first) = flights.join(b"k", plan(1), 'a') else { panic!() };
    flights.supersede_key(b"k");
    let Joined::Started(second) = flights.join(b"k", FlightPlan { ttl_s: 90, ..plan(1) }, 'b') else { panic!() };
    let mut completed = flights.complete(first).unwrap();
    assert!(!flights.hand_over(b"k", &mut completed));
    assert!(completed.waiters.is_empty());
    flights.supersede_key(b"k");
    let Joined::Started(third) = flights.join(b"k", plan(1), 'c') else { panic!() };
    let mut completed = flights.complete(second).unwrap();
    assert_eq!((completed.waiters.as_slice(), completed.plan.ttl_s), (&['a', 'b'][..], 60));
    assert!(flights.hand_over(b"k", &mut completed), "who stays may have seen more than the third will");
    assert_eq!(completed.waiters, ['a']);
    let completed = flights.complete(third).unwrap();
    assert!(!completed.may_fill && completed.waiters == ['b', 'c']);
}

#[test]
fn a_flight_that_nobody_replaced_keeps_its_readers() {
    let mut flights = Flights::default();
    let Joined::Started(id) = flights.join(b"k", plan(1), 'a') else { panic!() };
    flights.supersede_key(b"k");
    let mut completed = flights.complete(id).unwrap();
    assert!(!flights.hand_over(b"k", &mut completed) && completed.waiters == ['a']);
}

#[test]
fn nobody_is_handed_over_to_a_refresh_which_then_may_not_fill() {
    let mut flights = Flights::default();
    let Joined::Started(id) = flights.join(b"k", plan(1), 'a') else { panic!() };
    flights.supersede_key(b"k");
    let refresh = flights.refresh(b"k", refresh(1)).unwrap();
    let mut completed = flights.complete(id).unwrap();
    assert!(flights.hand_over(b"k", &mut completed) && completed.waiters == ['a']);
    assert!(!flights.complete(refresh).unwrap().may_fill);
}

#[derive(Debug, Clone)]
enum Step {
    ByPostgres(u8),
    Refresh(u8),
    Invalidate(u8),
    FlushTable(u8),
    FlushAll,
    Land(usize),
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6).prop_map(Step::ByPostgres),
        2 => (0u8..6).prop_map(Step::Refresh),
        2 => (0u8..6).prop_map(Step::Invalidate),
        1 => (0u8..2).prop_map(Step::FlushTable),
        1 => Just(Step::FlushAll),
        4 => any::<usize>().prop_map(Step::Land),
        1 => Just(Step::Expire),
    ]
}

/// What must hold, told with plain version numbers: each invalidation of a key raises its version, a
/// flight reads the version when it starts, each waiter notes the version when it asks.
#[derive(Default)]
struct Model {
    versions: [u64; 6],
    read: HashMap<FlightId, (u8, u64)>,
    /// The refresh under way for each key, until a reader starts a flight of its own.
    refreshes: HashMap<u8, FlightId>,
    overtaken: Vec<FlightId>,
    asked: u64,
    answered: u64,
}

impl Model {
    fn change(&mut self, hit: impl Fn(u8) -> bool) {
        for key in (0..6).filter(|key| hit(*key)) {
            self.versions[usize::from(key)] += 1;
        }
    }

    fn check(&mut self, id: FlightId, completed: &CompletedFlight<u64>) -> Result<(), TestCaseError> {
        let (key, version) = self.read.remove(&id).unwrap();
        self.answered += completed.waiters.len() as u64;
        let current = self.versions[usize::from(key)];
        self.refreshes.retain(|_, refresh| *refresh != id);
        let may_fill = version == current && !self.overtaken.contains(&id);
        prop_assert_eq!(completed.may_fill, may_fill, "a stale fill, or a fresh one refused");
        for asked_at in &completed.waiters {
            prop_assert!(version >= *asked_at, "an answer older than an invalidation before the question");
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_stale_fill_no_stale_answer_and_nobody_forgotten(steps in prop::collection::vec(step(), 1..200)) {
        let mut flights: Flights<u64> = Flights::default();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::ByPostgres(key) => {
                    let version = model.versions[usize::from(key)];
                    model.asked += 1;
                    if let Joined::Started(id) = flights.join(&[key], plan(u64::from(key % 2)), version) {
                        model.read.insert(id, (key, version));
                        model.overtaken.extend(model.refreshes.remove(&key));
                    }
                }
                Step::Refresh(key) => {
                    if let Some(id) = flights.refresh(&[key], refresh(u64::from(key % 2))) {
                        model.read.insert(id, (key, model.versions[usize::from(key)]));
                        model.refreshes.insert(key, id);
                    }
                }
                Step::Invalidate(key) => {
                    flights.supersede_key(&[key]);
                    model.change(|other| other == key);
                }
                Step::FlushTable(table) => {
                    flights.supersede_table(u64::from(table));
                    model.change(|key| key % 2 == table);
                }
                Step::FlushAll => {
                    flights.supersede_all();
                    model.change(|_| true);
                }
                Step::Land(pick) => {
                    let mut ids: Vec<FlightId> = model.read.keys().copied().collect();
                    ids.sort_unstable();
                    if let Some(id) = ids.get(pick % ids.len().max(1)).copied() {
                        let completed = flights.complete(id).unwrap();
                        model.check(id, &completed)?;
                    }
                }
                Step::Expire => {
                    for completed in flights.expire(u64::MAX) {
                        model.answered += completed.waiters.len() as u64;
                    }
                    model.read.clear();
                    model.refreshes.clear();
                    prop_assert!(flights.is_empty());
                }
            }
        }
        for completed in flights.expire(u64::MAX) {
            model.answered += completed.waiters.len() as u64;
        }
        prop_assert_eq!(model.asked, model.answered);
    }
}

#[derive(Debug, Clone)]
enum Moment {
    ByPostgres(u8),
    Change(u8),
    Tell(u8),
    Evict(u8),
    Read(usize),
    Land(usize),
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        4 => (0u8..2).prop_map(Moment::ByPostgres),
        2 => (0u8..2).prop_map(Moment::Change),
        2 => (0u8..2).prop_map(Moment::Tell),
        1 => (0u8..2).prop_map(Moment::Evict),
        3 => any::<usize>().prop_map(Moment::Read),
        3 => any::<usize>().prop_map(Moment::Land),
    ]
}

/// PostgreSQL, the cache and its readers as plain version numbers: a load reads at any moment between its start and its
/// landing, and changes are told late. A waiter is the newest version that anybody had seen when it asked.
#[derive(Default)]
struct World {
    rows: [u64; 2],
    entries: [Option<u64>; 2],
    seen: [u64; 2],
    loads: std::collections::BTreeMap<FlightId, (u8, Option<u64>)>,
}

impl World {
    fn pick(&self, pick: usize) -> Option<FlightId> {
        self.loads.keys().copied().nth(pick % self.loads.len().max(1))
    }

    fn read(&mut self, id: FlightId) -> u64 {
        let rows = self.rows;
        self.loads.get_mut(&id).map_or(0, |(key, read)| *read.get_or_insert(rows[usize::from(*key)]))
    }

    fn answer(&mut self, key: u8, had_seen: u64, version: u64) -> Result<(), TestCaseError> {
        prop_assert!(version >= had_seen, "{version} after {had_seen}");
        let seen = &mut self.seen[usize::from(key)];
        *seen = version.max(*seen);
        Ok(())
    }

    fn complete(&mut self, flights: &mut Flights<u64>, id: FlightId) -> Result<(), TestCaseError> {
        let version = self.read(id);
        let (key, _) = self.loads.remove(&id).unwrap();
        let mut completed = flights.complete(id).unwrap();
        let entry = &mut self.entries[usize::from(key)];
        if completed.may_fill {
            *entry = Some(version);
        } else if entry.is_none() {
            flights.hand_over(&[key], &mut completed);
        }
        let version = entry.unwrap_or(version);
        completed.waiters.into_iter().try_for_each(|had_seen| self.answer(key, had_seen, version))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nobody_is_shown_an_older_row_than_they_have_seen(moments in prop::collection::vec(moment(), 1..100)) {
        let mut flights: Flights<u64> = Flights::default();
        let mut world = World::default();
        for moment in moments {
            match moment {
                Moment::ByPostgres(key) => {
                    let had_seen = world.seen[usize::from(key)];
                    match world.entries[usize::from(key)] {
                        Some(version) => world.answer(key, had_seen, version)?,
                        None => if let Joined::Started(id) = flights.join(&[key], plan(1), had_seen) {
                            world.loads.insert(id, (key, None));
                        },
                    }
                }
                Moment::Change(key) => world.rows[usize::from(key)] += 1,
                Moment::Tell(key) => {
                    world.entries[usize::from(key)] = None;
                    flights.supersede_key(&[key]);
                }
                Moment::Evict(key) => world.entries[usize::from(key)] = None,
                Moment::Read(pick) => {
                    if let Some(id) = world.pick(pick) {
                        world.read(id);
                    }
                }
                Moment::Land(pick) => {
                    if let Some(id) = world.pick(pick) {
                        world.complete(&mut flights, id)?;
                    }
                }
            }
        }
    }
}
