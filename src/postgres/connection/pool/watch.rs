//! The thread that looks after a source: whether it answers, and which of its connections are lost.

use std::sync::Weak;
use std::time::{Duration, Instant};

use ::postgres::SimpleQueryMessage;
use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::super::client::LATE;
use super::super::connect::ConnectError;
use super::super::pulses::Purpose;
use super::super::session::Session;
use super::Source;

/// How often connections are looked at that owe an answer.
const PULSE_INTERVAL: Duration = Duration::from_millis(250);
/// How long an idle one may take to answer, before it is asked about them.
const WITNESS_PATIENCE: Duration = Duration::from_millis(50);
/// How often an idle connection is asked whether the server is still there.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Source {
    /// Asks idle connections until one answers, so that an outage is seen without any client asking. Dead ones
    /// leave the pool, which makes it connect anew.
    fn check(&self) {
        while let Some(mut session) = self.idle() {
            if self.asks(&mut session) || !session.is_closed() {
                return;
            }
        }
        if self.shared.any_alive() && self.shared.health.is_doubtful(CHECK_INTERVAL) {
            self.probe();
        }
    }

    /// Whether the server answers on `session`.
    fn asks(&self, session: &mut Session) -> bool {
        let (limit, began) = (self.settings.connect_timeout, Instant::now());
        let soon = limit.min(LATE);
        self.shared.health.asks();
        let answered = session.knock(soon).unwrap_or_else(|| {
            self.probe();
            session.ping(limit.saturating_sub(began.elapsed()).max(soon)).is_ok()
        });
        if !answered && began.elapsed() >= limit && self.shared.health.unanswered(limit) {
            self.fell_silent();
        }
        self.shared.health.asked(answered);
        answered
    }

    /// Finds out which of the connections that owe an answer are lost, while the source is up.
    fn take_pulses(&self) {
        if self.shared.pulses.late().is_empty() || self.shared.health.is_down() {
            return;
        }
        let Some(mut session) = self.idle() else {
            self.probe();
            return;
        };
        if session.knock(WITNESS_PATIENCE) == Some(true) {
            self.judge(|question| session.ask_within(self.settings.connect_timeout.min(LATE), question));
        } else if self.probe() {
            session.give_up();
        }
    }

    /// No connection answers that might: knocks at the door, and asks there about those that are silent. A refusal (too many
    /// connections, say) is an answer; a slow or locked table is no outage. Returns whether any of them was lost.
    fn probe(&self) -> bool {
        let began = Instant::now();
        self.shared.health.asks();
        let result = self.connector.open();
        let is_answer = result.as_ref().err().is_none_or(ConnectError::is_answer);
        self.shared.health.asked(is_answer);
        match result {
            Ok(mut client) => return self.judge(|question| client.simple_query(question)),
            Err(error @ (ConnectError::Postgres(_) | ConnectError::Io(_))) if !is_answer => {
                let is_up = self.shared.health.has_answered_since(began);
                if !is_up && self.shared.health.failed(self.connector.reason(&error), error.is_near(), || false) {
                    self.fell_silent();
                }
            }
            Err(_) => {}
        }
        false
    }

    /// Ends the connections that are lost by what PostgreSQL says of them, and where loads were lost, all that nobody uses: most
    /// probably they are lost as well. Returns whether loads were.
    fn judge(&self, ask: impl FnOnce(&str) -> Result<Vec<SimpleQueryMessage>, ::postgres::Error>) -> bool {
        let late = self.shared.pulses.late();
        if late.is_empty() {
            return false;
        }
        let Ok(answers) = ask(&late.question()) else { return false };
        let lost = self.shared.pulses.lost(&late, &answers);
        let (loads, listeners) = (lost.count(Purpose::Load), lost.count(Purpose::Listen));
        if loads + listeners > 0 {
            log::warn!(
                "source {}: closes silent connections that PostgreSQL has nothing to do for: {loads} for loads, {listeners} that listen",
                self.settings.name
            );
        }
        // Before whoever waits on those that are lost takes one of them.
        let idle = if loads > 0 { self.pool.state().idle_connections } else { 0 };
        for _ in 0..idle {
            self.idle().iter().for_each(|session| session.give_up());
        }
        lost.end();
        loads > 0
    }
}

/// Looks after a source for as long as there is one: from time to time, and at once when it is woken.
pub(super) fn watch(source: &Weak<Source>, rung: &Receiver<()>) {
    let mut checked = Instant::now();
    loop {
        let woken = rung.recv_timeout(PULSE_INTERVAL);
        let Some(source) = source.upgrade().filter(|_| woken != Err(RecvTimeoutError::Disconnected)) else {
            return;
        };
        if woken.is_ok() || checked.elapsed() >= CHECK_INTERVAL {
            checked = Instant::now();
            source.check();
        }
        source.take_pulses();
    }
}
