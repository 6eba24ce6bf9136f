//! Whether a source answers, since when, and why not.

use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex};

use super::attempts::Attempts;

/// What is known about a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The first attempt to connect has not ended yet.
    Connecting,
    /// The last attempt succeeded, or connections are alive.
    Up,
    /// The last attempt failed and no connection is alive.
    Down,
}

impl Condition {
    /// The word in HEALTH and in INFO.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A source's state at one moment.
#[derive(Debug, Clone)]
pub struct HealthReport {
    /// Whether it answers.
    pub condition: Condition,
    /// When that began.
    pub since: SystemTime,
    /// Why the last attempt to connect failed, if it did.
    pub last_error: Option<String>,
    /// How many attempts have failed since the last that succeeded.
    pub failures: u32,
    /// Open connections.
    pub connections: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
    /// Workers that wait for one: it is being opened, or others have taken them all.
    pub waiting: u32,
}

/// A source went up or down; told once per change, not once per attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The source's name.
    pub source: String,
    /// Whether it answers now.
    pub up: bool,
    /// Why not; `None` when it is up.
    pub reason: Option<String>,
}

/// Who is told of transitions, one at a time and in order. Called on a connecting thread: it must not block.
pub type OnTransition = Box<dyn Fn(Transition) + Send + Sync>;

/// The record that connecting threads write and everyone reads.
pub(crate) struct Health {
    source: String,
    address: String,
    state: Mutex<State>,
    /// Something of the state changed that says when the next attempt is due.
    changed: Condvar,
    listener: Mutex<OnTransition>,
}

struct State {
    condition: Condition,
    since: SystemTime,
    last_error: Option<String>,
    failures: u32,
    /// To connect.
    attempts: Attempts,
    /// How many loads are under way. A server that is stopped never ends them.
    loads: usize,
    /// When a load or a question was last answered.
    answered: Instant,
    /// Whether nobody wants connections any more.
    is_closing: bool,
    /// When an open connection was asked whether the server is there, while it has not answered.
    asked: Option<Instant>,
}

impl Health {
    /// The record of a source at `address` that nobody has tried yet.
    pub(crate) fn new(source: &str, address: &str, listener: OnTransition) -> Self {
        let state = State {
            condition: Condition::Connecting,
            since: SystemTime::now(),
            last_error: None,
            failures: 0,
            attempts: Attempts::default(),
            loads: 0,
            answered: Instant::now(),
            is_closing: false,
            asked: None,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Self { source: source.into(), address: address.into(), state, changed, listener: Mutex::new(listener) }
    }

    /// An attempt to connect begins, as soon as one is due: all who waited for a connection when the source went down go on
    /// trying, each by itself. Returns its number; `None` when nobody wants connections any more.
    pub(crate) fn begin(&self) -> Option<u64> {
        let mut state = self.state.lock();
        while !state.is_closing {
            let now = Instant::now();
            match state.attempts.due().filter(|due| *due > now) {
                Some(due) => drop(self.changed.wait_until(&mut state, due)),
                None => return Some(state.attempts.begin(now)),
            }
        }
        None
    }

    /// The attempt `number` ended.
    pub(crate) fn end(&self, number: u64) {
        self.state.lock().attempts.end(number);
        self.changed.notify_all();
    }

    /// Nobody wants connections any more: whoever waits to try is let go.
    pub(crate) fn close(&self) {
        self.state.lock().is_closing = true;
        self.changed.notify_all();
    }

    /// A load begins.
    pub(crate) fn loads(&self) {
        self.state.lock().loads += 1;
    }

    /// A load ended; `answered` says whether PostgreSQL had a word in it. An answer ends an outage.
    pub(crate) fn loaded(&self, answered: bool) {
        self.change(|state| {
            state.loads = state.loads.saturating_sub(1);
            answered.then(|| state.answer())
        });
    }

    /// Whether loads are under way and nothing was answered for `a_while`: the server may have stopped, or it may have
    /// much to do. It has to be asked.
    pub(crate) fn is_doubtful(&self, a_while: Duration) -> bool {
        self.state.lock().is_doubtful(a_while)
    }

    /// A connection was made.
    pub(crate) fn succeeded(&self) {
        self.change(|state| {
            state.failures = 0;
            state.last_error = None;
            state.answered = Instant::now();
            Some(Condition::Up)
        });
    }

    /// An attempt failed; `is_near` says whether PostgreSQL may be there in a moment. While others are `alive` the source itself is
    /// not down: it may have run out of connections. Whether they are is asked when the failure is recorded: another attempt may
    /// have succeeded since this one failed. Returns whether the source is down.
    pub(crate) fn failed(&self, reason: String, is_near: bool, alive: impl FnOnce() -> bool) -> bool {
        self.change(|state| {
            state.failures = state.failures.saturating_add(1);
            state.last_error = Some(reason);
            (state.condition == Condition::Down || !alive()).then(|| state.fall(is_near))
        });
        self.is_down()
    }

    /// Whether the source is down.
    pub(crate) fn is_down(&self) -> bool {
        self.state.lock().condition == Condition::Down
    }

    /// Whether a load or a question was answered since `moment`.
    pub(crate) fn has_answered_since(&self, moment: Instant) -> bool {
        self.state.lock().answered >= moment
    }

    /// The server is being asked whether it is there.
    pub(crate) fn asks(&self) {
        self.state.lock().asked.get_or_insert_with(Instant::now);
    }

    /// That question ended; `answered` says how. An answer ends an outage.
    pub(crate) fn asked(&self, answered: bool) {
        self.change(|state| {
            state.asked = None;
            answered.then(|| state.answer())
        });
    }

    /// Declares the source down when it has not answered for longer than `limit`: the question whether it is there, or, while
    /// no connection is `alive` or none answers, an attempt to connect. A stopped process takes connections and stays silent
    /// for ever. A load that takes long is no silence: its table may be locked, and others not. Returns whether this has changed it.
    pub(crate) fn judge_silence(&self, limit: Duration, alive: impl FnOnce() -> bool) -> bool {
        self.change(|state| {
            let attempt = state.attempts.oldest().filter(|began| began.elapsed() > limit);
            let attempt = attempt.filter(|_| state.is_doubtful(limit) || !alive());
            // One connection may be silent alone.
            let asked = state.asked.filter(|began| began.elapsed() > limit && state.answered < *began);
            let silent = attempt.or(asked).is_some() && state.condition != Condition::Down;
            silent.then(|| state.fall_silent(&self.address, limit))
        })
    }

    /// The question whether the server is there has had no answer for `limit`.
    pub(crate) fn unanswered(&self, limit: Duration) -> bool {
        self.change(|state| {
            let asked = state.asked.take().filter(|began| state.answered < *began);
            asked.filter(|_| state.condition != Condition::Down).map(|_| state.fall_silent(&self.address, limit))
        })
    }

    /// Why the source is down; `None` when it is not. One that nobody wants connections to is down for good.
    pub(crate) fn why_down(&self) -> Option<String> {
        let state = self.state.lock();
        if state.is_closing {
            return Some("the module ends".into());
        }
        (state.condition == Condition::Down).then(|| state.last_error.clone().unwrap_or_default())
    }

    /// The state, with the pool's numbers.
    pub(crate) fn report(&self, connections: u32, idle: u32, waiting: u32) -> HealthReport {
        let state = self.state.lock();
        HealthReport {
            condition: state.condition,
            since: state.since,
            last_error: state.last_error.clone(),
            failures: state.failures,
            connections,
            idle,
            waiting,
        }
    }

    /// Returns whether the condition has changed.
    fn change(&self, apply: impl FnOnce(&mut State) -> Option<Condition>) -> bool {
        let mut state = self.state.lock();
        let condition = apply(&mut state);
        if condition == Some(Condition::Up) {
            state.attempts.succeeded();
        }
        self.changed.notify_all();
        let Some(condition) = condition.filter(|&new| new != state.condition) else { return false };
        state.condition = condition;
        state.since = SystemTime::now();
        let up = condition == Condition::Up;
        let reason = state.last_error.clone().filter(|_| !up);
        // Taken before the state is released, so that transitions are told in the order in which they happened.
        let listener = self.listener.lock();
        drop(state);
        listener(Transition { source: self.source.clone(), up, reason });
        true
    }
}

impl State {
    /// PostgreSQL has answered, so it is there.
    fn answer(&mut self) -> Condition {
        self.answered = Instant::now();
        if self.condition == Condition::Down {
            self.last_error = None;
        }
        Condition::Up
    }

    /// The source is down; `is_near` says whether PostgreSQL may be there in a moment.
    fn fall(&mut self, is_near: bool) -> Condition {
        self.attempts.failed(Instant::now(), is_near);
        Condition::Down
    }

    fn fall_silent(&mut self, address: &str, limit: Duration) -> Condition {
        self.last_error = Some(format!("{address} gives no answer for {} ms (connect_timeout_ms)", limit.as_millis()));
        self.fall(false)
    }

    fn is_doubtful(&self, a_while: Duration) -> bool {
        self.loads > 0 && self.answered.elapsed() >= a_while
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
