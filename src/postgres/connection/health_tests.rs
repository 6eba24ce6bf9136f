//! Tests of `health`.

use super::*;
use std::sync::Arc;

fn recorded() -> (Health, Arc<Mutex<Vec<Transition>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    (Health::new("default", "db1:5432", Box::new(move |transition| sink.lock().push(transition))), seen)
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
