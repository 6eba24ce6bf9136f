//! In which order things happen to the model: at random, and among those that are likely to go wrong together.

use proptest::prelude::*;

use super::model::Model;

/// What may happen next.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Read,
    ReadFresh,
    Change,
    Truncate,
    Apply,
    Answer,
    Land,
    Fail,
    Evict,
    Pass,
    Beat,
    Command,
    Lose,
    OpenOrClose,
    Role,
    Master,
    Replace,
    Fill,
    Show,
    Look,
    Near,
    Hear,
}

use Step::{Answer, Apply, Beat, Change as Changes, Command, Evict, Fail, Fill, Land, Lose};
use Step::{
    Hear, Look, Master, Near, OpenOrClose, Pass, Read as Reads, ReadFresh, Replace, Role as Roles, Show, Truncate,
};

/// Loads and notices that overtake each other.
const RACES: &[(u32, Step)] = &[(6, Reads), (4, Changes), (3, Apply), (4, Answer), (4, Land), (1, Command)];

/// The same, among readers who have to see what they have written.
const POSITIONS: &[(u32, Step)] = &[
    (4, Reads),
    (5, ReadFresh),
    (4, Changes),
    (3, Apply),
    (4, Answer),
    (4, Land),
    (1, Command),
    (1, Beat),
    (1, Evict),
];

/// Keyspaces that are exchanged, among these.
const KEYSPACES: &[(u32, Step)] =
    &[(6, Reads), (3, Changes), (3, Apply), (3, Answer), (3, Land), (5, Replace), (1, Beat), (1, Pass)];

/// Masters and replicas, and sources that fall silent.
const ROLES: &[(u32, Step)] = &[
    (6, Reads),
    (2, ReadFresh),
    (3, Changes),
    (3, Apply),
    (3, Answer),
    (3, Land),
    (4, Roles),
    (2, Master),
    (1, Lose),
    (1, OpenOrClose),
    (1, Pass),
    (2, Beat),
    (1, Fail),
];

/// A replica whose master may be far behind.
const REPLICAS: &[(u32, Step)] = &[
    (8, Reads),
    (2, ReadFresh),
    (4, Changes),
    (5, Apply),
    (1, Truncate),
    (2, Answer),
    (2, Land),
    (6, Master),
    (1, Lose),
    (1, OpenOrClose),
    (2, Pass),
    (3, Beat),
];

/// The same where changes are told before they are visible.
const EARLY_REPLICAS: &[(u32, Step)] = &[
    (8, Reads),
    (2, ReadFresh),
    (4, Changes),
    (5, Apply),
    (1, Truncate),
    (2, Answer),
    (2, Land),
    (3, Show),
    (1, Look),
    (6, Master),
    (1, Lose),
    (2, Pass),
    (3, Beat),
];

/// Whatever there is.
const ALL: &[(u32, Step)] = &[
    (8, Reads),
    (2, ReadFresh),
    (3, Changes),
    (3, Apply),
    (3, Answer),
    (3, Land),
    (1, Truncate),
    (1, Fail),
    (1, Evict),
    (1, Pass),
    (1, Beat),
    (1, Command),
    (1, Lose),
    (1, OpenOrClose),
    (1, Roles),
    (1, Master),
    (1, Replace),
    (1, Fill),
];

/// Changes that are told before they are visible.
const EARLY: &[(u32, Step)] = &[
    (8, Reads),
    (3, ReadFresh),
    (4, Changes),
    (4, Apply),
    (4, Answer),
    (4, Land),
    (3, Show),
    (1, Look),
    (1, Truncate),
    (1, Fail),
    (1, Evict),
    (1, Pass),
    (1, Beat),
    (1, Command),
    (1, Lose),
];

/// The same of a server that changes its role.
const EARLY_ROLES: &[(u32, Step)] = &[
    (8, Reads),
    (3, ReadFresh),
    (4, Changes),
    (4, Apply),
    (4, Answer),
    (4, Land),
    (3, Show),
    (1, Look),
    (3, Roles),
    (2, Master),
    (1, Replace),
    (1, Pass),
    (2, Beat),
    (1, Fill),
];

/// Readers with a near cache, among all of this.
const NEAR: &[(u32, Step)] = &[
    (20, Near),
    (14, Hear),
    (4, Changes),
    (4, Apply),
    (5, Answer),
    (5, Land),
    (8, Beat),
    (1, Pass),
    (1, Truncate),
    (1, Evict),
    (1, Command),
    (1, Lose),
    (1, OpenOrClose),
    (1, Roles),
    (1, Master),
    (1, Replace),
];

/// The same where changes are told before they are visible.
const EARLY_NEAR: &[(u32, Step)] = &[
    (20, Near),
    (14, Hear),
    (4, Changes),
    (4, Apply),
    (5, Answer),
    (5, Land),
    (5, Show),
    (2, Look),
    (8, Beat),
    (1, Truncate),
    (1, Evict),
    (1, Command),
    (1, Lose),
];

fn steps(of: &'static [(u32, Step)]) -> impl Strategy<Value = Vec<(Step, u8, u8)>> {
    let any_of: Vec<_> = of.iter().map(|(weight, step)| (*weight, Just(*step))).collect();
    prop::collection::vec((prop::strategy::Union::new_weighted(any_of), any::<u8>(), any::<u8>()), 1..200)
}

const WITHOUT_GRACE: &[&str] = &["default_ttl", "5"];

const BY_LOG: &[&str] = &["default_ttl", "5", "invalidation", "wal"];

const BY_LOG_WITH_GRACE: &[&str] =
    &["default_ttl", "5", "invalidation", "wal", "grace", "60", "refresh_ahead_percent", "50"];

const WITH_GRACE: &[&str] = &["default_ttl", "5", "grace", "60", "refresh_ahead_percent", "50"];

fn run(settings: &[&str], steps: &[(Step, u8, u8)]) {
    go(Model::new(settings), steps);
}

fn go(mut model: Model, steps: &[(Step, u8, u8)]) {
    steps.iter().for_each(|(step, which, how)| model.step(*step, *which, *how));
    model.complete_all();
    model.come_to_rest();
}

proptest! {
    #[test]
    fn loads_and_notices_may_overtake_each_other(steps in steps(RACES)) {
        run(WITHOUT_GRACE, &steps);
    }

    #[test]
    fn loads_may_be_asked_for_by_position(steps in steps(POSITIONS)) {
        run(WITHOUT_GRACE, &steps);
    }

    #[test]
    fn keyspaces_may_be_exchanged(steps in steps(KEYSPACES)) {
        run(WITHOUT_GRACE, &steps);
    }

    #[test]
    fn roles_may_change_and_sources_fall_silent(steps in steps(ROLES)) {
        run(WITHOUT_GRACE, &steps);
    }

    #[test]
    fn a_master_may_be_behind_its_replica(steps in steps(REPLICAS)) {
        go(Model::replica(WITHOUT_GRACE), &steps);
    }

    #[test]
    fn a_master_may_be_behind_its_replica_before_changes_are_visible(steps in steps(EARLY_REPLICAS)) {
        go(Model::replica(BY_LOG), &steps);
    }

    #[test]
    fn anything_may_happen(steps in steps(ALL)) {
        run(WITHOUT_GRACE, &steps);
    }

    #[test]
    fn changes_may_be_told_before_they_are_visible(steps in steps(EARLY)) {
        run(BY_LOG, &steps);
    }

    #[test]
    fn changes_may_be_told_before_they_are_visible_with_grace(steps in steps(EARLY)) {
        run(BY_LOG_WITH_GRACE, &steps);
    }

    #[test]
    fn roles_may_change_before_changes_are_visible(steps in steps(EARLY_ROLES)) {
        run(BY_LOG, &steps);
    }

    #[test]
    fn roles_may_change_with_grace(steps in steps(ROLES)) {
        run(WITH_GRACE, &steps);
    }

    #[test]
    fn near_caches_may_hear_late(steps in steps(NEAR)) {
        go(Model::new(WITHOUT_GRACE).with_near_cache(), &steps);
    }

    #[test]
    fn near_caches_may_hear_late_of_a_replica(steps in steps(NEAR)) {
        go(Model::replica(WITHOUT_GRACE).with_near_cache(), &steps);
    }

    #[test]
    fn near_caches_may_hear_before_changes_are_visible(steps in steps(EARLY_NEAR)) {
        go(Model::new(BY_LOG).with_near_cache(), &steps);
    }

    #[test]
    fn near_caches_may_hear_late_with_grace(steps in steps(NEAR)) {
        go(Model::new(WITH_GRACE).with_near_cache(), &steps);
    }

    #[test]
    fn anything_may_happen_with_grace(steps in steps(ALL)) {
        run(WITH_GRACE, &steps);
    }
}

/// A row is read once its change was told and before it is visible.
const TOO_EARLY: [(Step, u8, u8); 5] = [(Changes, 0, 1), (Apply, 0, 0), (Reads, 0, 0), (Answer, 0, 0), (Land, 0, 0)];

#[test]
fn a_row_that_is_read_before_its_change_is_visible_is_read_again() {
    run(BY_LOG, &TOO_EARLY);
}

/// The model has to notice: it is what everything here relies on.
#[test]
#[should_panic(expected = "by a hit: older than state 1")]
fn without_a_guard_such_a_row_stays() {
    let unguarded = ["test_hooks", "yes", "test_unguarded", "yes"];
    run(&[BY_LOG, &unguarded].concat(), &TOO_EARLY);
}
