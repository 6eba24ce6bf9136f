//! The oracle: merges what writers and readers recorded, and judges every read.
//!
//! For each key the committed states are in one order, as writers own what they change. A read that returned a
//! state tells how old that state was when it was asked; and no later read of the key may return an earlier one,
//! whoever asks: the cache has one entry for a key, and what it has replaced it must never show again. In a cluster that goes for each node:
//! one hears of a change a moment before the others, and answers with what it has read for somebody else.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;

use super::ages::Ages;
use super::clock::{milliseconds, Nanos};
use super::history::{Acknowledgement, Answer, History, Read, Reshape};
use super::key::Key;
use super::near_reader::NEAR_TO_SOME;
use super::noise::Noise;
use super::row::Row;
use super::timeline::{Span, Timeline};
use super::violation::{Violation, Violations};

/// What the oracle found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How many reads it judged.
    pub reads: usize,
    /// For reads that were out of date: for how long, when they were asked.
    pub stale: Ages,
    /// The same without the scheduling noise of that time.
    pub beyond_noise: Ages,
    /// How many of them said that there is no such row.
    pub stale_nils: usize,
    /// What must never happen and did.
    pub violations: Violations,
}

impl Verdict {
    /// That of another history as well.
    pub fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.stale.add(other.stale);
        self.beyond_noise.add(other.beyond_noise);
        self.stale_nils += other.stale_nils;
        self.violations.merge(other.violations);
    }
}

/// Judges a history whose reads may be out of date for `bound` and the measured noise. It has to begin with a
/// change of every key that is read.
pub fn judge(history: &History, noise: &Noise, bound: Nanos) -> Verdict {
    let mut judge = Judge { noise, bound, stale: vec![], stale_nils: 0, violations: Violations::default() };
    let timelines = timelines(history);
    let mut acknowledged = by_key(&history.acknowledgements, |it| it.key);
    acknowledged.values_mut().for_each(|all| all.sort_by_key(|it| it.returned));
    for ((key, _), mut reads) in by_key(&history.reads, |read| (read.key, read.node)) {
        reads.sort_by_key(|read| read.invoked);
        judge.key(&timelines[&key], &reads, acknowledged.get(&key).map_or(&[], Vec::as_slice));
    }
    judge.definitions(history);
    Verdict {
        reads: history.reads.len(),
        stale: judge.stale.iter().map(|(age, _)| *age).collect(),
        beyond_noise: judge.stale.iter().map(|(_, age)| *age).collect(),
        stale_nils: judge.stale_nils,
        violations: judge.violations,
    }
}

fn timelines(history: &History) -> HashMap<Key, Timeline<Option<Row>>> {
    let mut spans: HashMap<Key, Vec<_>> = HashMap::new();
    for change in &history.changes {
        let span = Span { state: change.state, began: change.began, returned: change.returned, slack: change.slack };
        spans.entry(change.key).or_default().push(span);
    }
    spans.into_iter().map(|(key, spans)| (key, Timeline::new(spans))).collect()
}

fn by_key<K: Eq + Hash, T>(all: &[T], key: impl Fn(&T) -> K) -> HashMap<K, Vec<&T>> {
    let mut keys: HashMap<K, Vec<&T>> = HashMap::new();
    for item in all {
        keys.entry(key(item)).or_default().push(item);
    }
    keys
}

/// What a read has shown to its reader.
#[derive(Clone, Copy, Default)]
struct Shown {
    state: usize,
    invoked: Nanos,
    returned: Nanos,
    reader: u16,
}

struct Judge<'n> {
    noise: &'n Noise,
    bound: Nanos,
    /// Ages of stale reads: as they are, and without the noise.
    stale: Vec<(Nanos, Nanos)>,
    stale_nils: usize,
    violations: Violations,
}

impl Judge<'_> {
    /// Reads of one key, answered by one node, in the order in which they were asked.
    fn key(&mut self, timeline: &Timeline<Option<Row>>, reads: &[&Read], acknowledgements: &[&Acknowledgement]) {
        let (mut floor, mut shown) = (Shown::default(), Vec::<Shown>::new());
        let mut under_way: BinaryHeap<Reverse<(Nanos, usize)>> = BinaryHeap::new();
        let mut acknowledgements = acknowledgements.iter().peekable();
        let mut acknowledged = 0;
        for read in reads {
            while under_way.peek().is_some_and(|Reverse((returned, _))| *returned < read.invoked) {
                let Some(Reverse((_, number))) = under_way.pop() else { break };
                if shown[number].state > floor.state {
                    floor = shown[number];
                }
            }
            while let Some(it) = acknowledgements.next_if(|it| it.returned < read.invoked) {
                acknowledged = acknowledged.max(timeline.in_force(it.sent).unwrap_or(0));
            }
            let Some((state, latest)) = self.located(timeline, read) else { continue };
            self.age(timeline, read, latest);
            if latest < acknowledged {
                self.older_than_acknowledged(timeline, read, acknowledged);
            }
            if latest < floor.state && read.node != NEAR_TO_SOME {
                self.older_than_seen(timeline, read, latest, floor, &shown);
            }
            // Of several states that look the same, the first one that fits: that is all we know.
            let first = timeline.earliest(state, floor.state, read.returned).unwrap_or(latest);
            under_way.push(Reverse((read.returned, shown.len())));
            let Read { invoked, returned, reader, .. } = **read;
            shown.push(Shown { state: first, invoked, returned, reader });
        }
    }

    /// The state that was read, and the number of the last one that it can be.
    fn located(&mut self, timeline: &Timeline<Option<Row>>, read: &Read) -> Option<(Option<Row>, usize)> {
        let state = self.state(read)?;
        let latest = timeline.latest(state, read.returned);
        if latest.is_none() {
            self.violations.add(Violation::Invented, || format!("{}: never committed", told(read)));
        }
        latest.map(|latest| (state, latest))
    }

    /// The state that was read, if it can be one of this key.
    fn state(&mut self, read: &Read) -> Option<Option<Row>> {
        match &read.answer {
            Answer::Nil => return Some(None),
            Answer::Row(row) if row.answers(read.key) => return Some(Some(*row)),
            Answer::Row(_) | Answer::Torn(_) => {}
        }
        self.violations.add(Violation::Torn, || told(read));
        None
    }

    /// M2 and M6.
    fn age(&mut self, timeline: &Timeline<Option<Row>>, read: &Read, latest: usize) {
        let Some((age, ended)) = timeline.age(latest, read.invoked) else { return };
        let beyond = age.saturating_sub(self.noise.within(ended, read.invoked));
        self.stale.push((age, beyond));
        let nil = read.answer == Answer::Nil;
        self.stale_nils += usize::from(nil);
        if beyond > self.bound {
            let kind = if nil { Violation::NilTooStale } else { Violation::TooStale };
            let next = timeline.span(latest + 1).state;
            self.violations
                .add(kind, || format!("{}: out of date for {:.3} ms, since {next:?}", told(read), milliseconds(age)));
        }
    }

    /// M1.
    fn older_than_acknowledged(&mut self, timeline: &Timeline<Option<Row>>, read: &Read, acknowledged: usize) {
        let known = timeline.span(acknowledged);
        self.violations.add(Violation::OlderThanAcknowledged, || {
            let committed = milliseconds(known.returned);
            format!("{}: {:?}, committed at {committed:.3} ms, was acknowledged", told(read), known.state)
        });
    }

    /// M1 and M4. `latest` is what was read; `floor` had been shown to somebody before it was asked.
    fn older_than_seen(
        &mut self,
        timeline: &Timeline<Option<Row>>,
        read: &Read,
        latest: usize,
        floor: Shown,
        shown: &[Shown],
    ) {
        let newer = || shown.iter().filter(|it| it.state > latest && it.returned < read.invoked);
        let seen = timeline.span(floor.state);
        let tell = || {
            format!(
                "{}: reader {} had asked at {:.3} ms and been answered {:?} at {:.3} ms, committed at {:.3} ms",
                told(read),
                floor.reader,
                milliseconds(floor.invoked),
                seen.state,
                milliseconds(floor.returned),
                milliseconds(seen.returned)
            )
        };
        if newer().any(|it| it.reader == read.reader) {
            self.violations.add(Violation::Backwards, tell);
        }
        self.violations.add(Violation::OlderThanSeen, tell);
    }

    /// Rows must show the table's definition of their time, within the bound.
    fn definitions(&mut self, history: &History) {
        let span = |it: &Reshape| Span { state: it.shape, began: it.began, returned: it.returned, slack: 0 };
        let timeline = Timeline::new(history.reshapes.iter().map(span).collect());
        for read in history.reads.iter().filter(|read| matches!(read.answer, Answer::Row(_))) {
            let Some(latest) = timeline.latest(read.shape, read.returned) else { continue };
            let Some((age, ended)) = timeline.age(latest, read.invoked) else { continue };
            if age.saturating_sub(self.noise.within(ended, read.invoked)) > self.bound {
                self.violations.add(Violation::DefinitionTooStale, || {
                    format!("{}: column {:?} for {:.3} ms", told(read), read.shape, milliseconds(age))
                });
            }
        }
    }
}

fn told(read: &Read) -> String {
    let (asked, answered) = (milliseconds(read.invoked), milliseconds(read.returned));
    let Read { key, answer, reader, node, .. } = read;
    let node = if *node == 0 { String::new() } else { format!(" of node {node}") };
    format!("reader {reader} asked {key}{node} at {asked:.3} ms, was answered {answer:?} at {answered:.3} ms")
}
