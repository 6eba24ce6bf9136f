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
    /// The record of a source that nobody has tried yet.
    pub(crate) fn new(source: &str, listener: OnTransition) -> Self {
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
        Self { source: source.into(), state, changed, listener: Mutex::new(listener) }
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
            silent.then(|| state.fall_silent(limit))
        })
    }

    /// The question whether the server is there has had no answer for `limit`.
    pub(crate) fn unanswered(&self, limit: Duration) -> bool {
        self.change(|state| {
            let asked = state.asked.take().filter(|began| state.answered < *began);
            asked.filter(|_| state.condition != Condition::Down).map(|_| state.fall_silent(limit))
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

    fn fall_silent(&mut self, limit: Duration) -> Condition {
        self.last_error = Some(format!("no answer for {} ms (connect_timeout_ms)", limit.as_millis()));
        self.fall(false)
    }

    fn is_doubtful(&self, a_while: Duration) -> bool {
        self.loads > 0 && self.answered.elapsed() >= a_while
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn recorded() -> (Health, Arc<Mutex<Vec<Transition>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        (Health::new("default", Box::new(move |transition| sink.lock().push(transition))), seen)
    }

    #[test]
    fn each_transition_is_told_once() {
        let (health, seen) = recorded();
        for _ in 0..3 {
            health.failed("refused".into(), false, || false);
        }
        health.succeeded();
        health.succeeded();
        let told: Vec<_> = seen.lock().iter().map(|t| (t.up, t.reason.clone())).collect();
        assert_eq!(told, [(false, Some("refused".into())), (true, None)]);
    }

    #[test]
    fn a_failure_while_others_are_alive_is_no_outage() {
        let (health, seen) = recorded();
        health.succeeded();
        health.failed("too many connections".into(), false, || true);
        assert_eq!(health.why_down(), None);
        let report = health.report(3, 1, 0);
        assert_eq!((report.condition, report.failures), (Condition::Up, 1));
        assert_eq!(report.last_error.as_deref(), Some("too many connections"));
        assert_eq!(seen.lock().len(), 1);
    }

    #[test]
    fn no_attempt_can_succeed_between_a_look_at_the_others_and_the_verdict() {
        let (health, _) = recorded();
        let alive = || {
            // An attempt that succeeds counts as alive first and is recorded then, for which it has to wait.
            assert!(health.state.is_locked());
            false
        };
        health.begin();
        std::thread::sleep(Duration::from_millis(2));
        health.judge_silence(Duration::from_millis(1), alive);
        assert!(health.why_down().is_some());
        health.failed("refused".into(), false, alive);
    }

    #[test]
    fn an_attempt_without_an_end_is_silence_unless_others_are_alive() {
        let (health, _) = recorded();
        let number = health.begin().expect("nobody has tried yet");
        std::thread::sleep(Duration::from_millis(2));
        health.judge_silence(Duration::from_secs(60), || false);
        health.judge_silence(Duration::from_millis(1), || true);
        assert_eq!(health.why_down(), None);
        health.judge_silence(Duration::from_millis(1), || false);
        assert!(health.why_down().is_some_and(|why| why.contains("no answer for 1 ms")));
        health.end(number);
    }

    #[test]
    fn while_a_source_is_down_attempts_are_apart() {
        let (health, _) = recorded();
        assert!(health.begin().is_some() && health.begin().is_some(), "connecting");
        assert!(health.failed("refused".into(), false, || false));
        // Two are under way.
        let began = Instant::now();
        assert!(health.begin().is_some() && began.elapsed() >= Duration::from_millis(900));
        health.succeeded();
        assert!(health.begin().is_some() && health.begin().is_some(), "up");
    }

    #[test]
    fn who_waits_to_try_is_let_go_at_the_end_and_when_the_source_answers() {
        let (health, _) = recorded();
        health.begin();
        health.failed("refused".into(), false, || false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| health.begin());
            health.succeeded();
            assert!(waiting.join().is_ok_and(|number| number.is_some()));
        });
        health.failed("refused".into(), false, || false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| health.begin());
            health.close();
            assert!(waiting.join().is_ok_and(|number| number.is_none()));
        });
    }

    #[test]
    fn loads_that_take_long_are_doubtful_and_no_silence() {
        let (health, _) = recorded();
        health.succeeded();
        assert!(!health.is_doubtful(Duration::ZERO), "nobody waits");
        health.loads();
        std::thread::sleep(Duration::from_millis(2));
        assert!(health.is_doubtful(Duration::from_millis(1)) && !health.is_doubtful(Duration::from_secs(60)));
        health.judge_silence(Duration::from_millis(1), || true);
        assert_eq!(health.why_down(), None);
        health.loaded(false);
        assert!(!health.is_doubtful(Duration::ZERO));
    }

    #[test]
    fn an_attempt_without_an_end_is_silence_while_no_load_is_answered() {
        let (health, _) = recorded();
        health.succeeded();
        health.loads();
        health.begin();
        std::thread::sleep(Duration::from_millis(2));
        health.judge_silence(Duration::from_secs(60), || true);
        assert_eq!(health.why_down(), None);
        health.judge_silence(Duration::from_millis(1), || true);
        assert!(health.why_down().is_some());
    }

    #[test]
    fn a_load_that_is_answered_ends_the_doubt_and_an_outage() {
        let (health, _) = recorded();
        health.loads();
        health.loads();
        health.failed("no answer".into(), false, || false);
        health.loaded(true);
        assert_eq!(health.why_down(), None);
        assert!(!health.is_doubtful(Duration::from_secs(60)));
    }

    #[test]
    fn an_open_connection_without_an_answer_is_silence_until_it_answers() {
        let (health, seen) = recorded();
        health.succeeded();
        health.asks();
        std::thread::sleep(Duration::from_millis(2));
        health.judge_silence(Duration::from_millis(1), || true);
        assert!(health.why_down().is_some());
        health.asked(true);
        assert_eq!(health.why_down(), None);
        let told: Vec<_> = seen.lock().iter().map(|t| (t.up, t.reason.is_some())).collect();
        assert_eq!(told, [(true, false), (false, true), (true, false)]);
    }
}
