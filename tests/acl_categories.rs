//! Administrative commands are for those who may administer, on servers without categories for modules too.
#![allow(clippy::unwrap_used)]

mod support;

use support::user;
use support::{on_every_server, Postgres, Reply, Server};

const ADMINISTRATIVE: [&[&str]; 7] = [
    &["PGCACHE.HOOK", "ADD", "h", "hit", "PUBLISH", "c"],
    &["PGCACHE.HOOK", "LIST"],
    &["PGCACHE.WATCH", "LIST"],
    &["PGCACHE.DEFINE", "q", "SELECT 1"],
    &["PGCACHE.DEFINE", "LIST"],
    &["PGCACHE.STATS"],
    &["PGCACHE.SLOWLOG", "LEN"],
];

#[test]
fn who_has_no_administrative_rights_may_not_administer() {
    on_every_server(|kind| {
        let server = Server::start(&kind, Postgres::shared().database().with_users(1));
        for rules in ["~* &* +@all -@admin -@dangerous", "~* &* +@all -@admin", "~* &* +@all -@dangerous"] {
            let mut bob = user(&server, rules);
            for command in ADMINISTRATIVE {
                assert_eq!(bob.call(command).code(), "NOPERM", "{rules} {command:?}");
            }
            assert_eq!(bob.read("users", r#"{"id":1}"#).json()["id"], 1);
            assert_ne!(bob.call(&["PGCACHE.HEALTH"]).code(), "NOPERM");
        }
    });
}

#[test]
fn a_command_that_is_granted_by_name_may_be_used() {
    on_every_server(|kind| {
        let server = Server::start(&kind, Postgres::shared().database().with_users(1));
        let mut bob = user(&server, "~* +pgcache.stats +pgcache.define");
        assert_ne!(bob.call(&["PGCACHE.STATS"]).code(), "NOPERM");
        assert_eq!(bob.call(&["PGCACHE.DEFINE", "q", "SELECT 1"]).text(), "OK");
        assert_eq!(bob.call(&["PGCACHE.HOOK", "LIST"]).code(), "NOPERM");
    });
}

#[test]
fn an_administrator_may_do_everything() {
    on_every_server(|kind| {
        let server = Server::start(&kind, Postgres::shared().database().with_users(1));
        let mut boss = user(&server, "~* &* +@all");
        for command in ADMINISTRATIVE {
            assert_ne!(boss.call(command).code(), "NOPERM", "{command:?}");
        }
    });
}

#[test]
fn a_hook_may_do_what_its_maker_may_do() {
    on_every_server(|kind| {
        let server = Server::start(&kind, Postgres::shared().database().with_users(1));
        let mut bob = user(&server, "~log:* &news +pgcache.hook +xadd +publish");
        let mut add = |action: &[&str]| bob.call(&[&["PGCACHE.HOOK", "ADD", "h", "hit"][..], action].concat());
        for action in
            [&["STREAM", "secret"][..], &["STREAM", "log:a", "MAXLEN", "5"], &["PUBLISH", "other"], &["FUNCTION", "f"]]
        {
            assert_eq!(add(action).code(), "NOPERM", "{action:?}");
        }
        assert_eq!(add(&["STREAM", "log:a"]).text(), "OK");
        assert_eq!(bob.call(&["PGCACHE.HOOK", "ADD", "n", "hit", "PUBLISH", "news"]).text(), "OK");
        let mut admin = server.client();
        let trimmed = ["PGCACHE.HOOK", "ADD", "t", "hit", "STREAM", "log:a", "MAXLEN", "5"];
        assert_eq!(admin.call(&trimmed).text(), "OK");
        assert_eq!(admin.call(&["PGCACHE.HOOK", "DISABLE", "t"]).text(), "OK");
        assert_eq!(bob.call(&["PGCACHE.HOOK", "ENABLE", "t"]).code(), "NOPERM");
        assert_eq!(bob.call(&["PGCACHE.HOOK", "ENABLE", "h"]).text(), "OK");
    });
}

#[test]
fn definitions_are_shown_to_those_who_may_read_their_record() {
    on_every_server(|kind| {
        let server = Server::start(&kind, Postgres::shared().database().with_users(1));
        server.client().call(&["PGCACHE.DEFINE", "q", "SELECT 'secret'"]);
        let mut bob = user(&server, "~pg_cache:users:* +pgcache.define");
        assert_eq!(bob.call(&["PGCACHE.DEFINE", "LIST"]).code(), "NOPERM");
        let mut bob = user(&server, "%R~pg_cache:@queries +pgcache.define");
        let Reply::Array(shown) = bob.call(&["PGCACHE.DEFINE", "LIST"]) else { panic!("no list") };
        assert_eq!(shown[0].field("sql").text(), "SELECT 'secret'");
        assert_eq!(bob.call(&["PGCACHE.DEFINE", "q", "SELECT 1"]).code(), "NOPERM");
    });
}
