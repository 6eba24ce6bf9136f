//! Tests of `notify`.
#![allow(clippy::unwrap_used)]

use super::*;

fn text(call: &str) -> String {
    let json = call.split('\'').nth(3).unwrap();
    match Notice::parse(json) {
        Some(Notice::Beat(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_heartbeat_that_comes_back_gives_up_those_before_it() {
    let mut beats = Beats::new();
    let (first, second, third) = (text(&beats.next()), text(&beats.next()), text(&beats.next()));
    let sent = beats.under_way[1].sent;
    beats.under_way.iter_mut().for_each(|beat| beat.process = Some(7));
    let mut came = |text: &str, process| beats.came(text, process).map(|beat| beat.sent);
    assert_eq!(came(&second, 8), None, "another's session");
    assert_eq!(came(&second, 7), Some(sent));
    assert_eq!(came(&first, 7), None);
    assert!(came(&third, 7).is_some());
    assert_eq!(came("another's-1", 7), None);
}

#[test]
fn heartbeats_that_somebody_waits_for_do_not_have_those_under_way_given_up() {
    let mut beats = Beats::new();
    while beats.has_room() {
        beats.next();
    }
    let first = beats.under_way[0].sent;
    for _ in 0..8 {
        beats.next();
    }
    assert_eq!(beats.under_way[0].sent, first, "so many more are due before the first is given up");
}

#[test]
fn heartbeats_keep_time_with_the_lease() {
    let beats = Beats::new();
    let pause = |ms| (beats.due(Duration::from_millis(ms)) - beats.last).as_millis();
    assert_eq!((pause(100), pause(1000), pause(2000), pause(60_000)), (50, 125, 250, 250));
}

#[test]
fn a_batch_tells_what_it_holds_in_order() {
    let mut beats = Beats::new();
    let ours = text(&beats.next());
    beats.sent_by(Some("7"), Some("0/1F"));
    let mut trust = Trust::new(None);
    let mut batch = ReceivedNotices::default();
    for payload in [
        r#"{"pgcache":1,"rel":7}"#,
        r#"{"table":"t","operation":"TRUNCATE"}"#,
        "gibberish",
        "pgcache:2:gibberish",
        r#"{"pgcache":1,"beat":"another's"}"#,
        &format!(r#"{{"pgcache":1,"beat":"{ours}"}}"#),
    ] {
        batch.add(payload, 7, &mut beats, &mut None, &mut trust);
    }
    let mut told = Vec::new();
    batch.tell("5", false, &mut |event| told.push(format!("{event:?}")));
    assert_eq!(told[0], r#"Notices { xid: None, notices: [Table(Name("t"))] }"#);
    assert!(told.len() == 2 && told[1].contains("lsn: Some(Lsn(31))"), "{told:?}");
    assert_eq!((trust.foreign, trust.doubtful), (2, vec![("pgcache:2:gibberish".to_owned(), 7)]));
}
