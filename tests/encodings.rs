//! Databases whose texts are not kept in UTF-8.
#![allow(clippy::unwrap_used)]

mod support;

use support::watched::{cache, listening, watch, MODES};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

const USERS: &str = "CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE);
    INSERT INTO users VALUES (1, 'Zoë'), (2, 'Zoe')";

fn with_users_in(encoding: &str, test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database_in(encoding);
        database.execute(USERS);
        let server = Server::setup(&kind).on(&database).start();
        test(&database, &mut server.client());
    });
}

/// The words of a refused key; `word` is among them.
fn assert_refused(reply: &Reply, word: &str) {
    match reply {
        Reply::Error(text) => assert!(text.starts_with("PGBADVALUE ") && text.contains(word), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_and_keys_are_utf_8_whatever_the_database_keeps() {
    with_users_in("LATIN1", |_, client| {
        let zoe = r#"{"id":1,"name":"Zoë"}"#;
        for key in [r#"{"id":1}"#, r#"{"name":"Zoë"}"#, r#"{"name":"Zo\u00eb"}"#] {
            assert_eq!(client.read("users", key).text(), zoe, "{key}");
        }
        assert_eq!(client.multiread("users", r#"[{"id":1},{"name":"Zoë"}]"#).text(), format!("[{zoe},{zoe}]"));
    });
}

#[test]
fn changes_are_told_with_keys_in_utf_8() {
    on_every_server(|kind| {
        for mode in MODES {
            let database = Postgres::shared().database_in("LATIN1");
            database.execute(USERS);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "users");
            let key = r#"{"name":"Zoë"}"#;
            cache(&mut client, "users", key);
            database.execute("UPDATE users SET id = 3 WHERE name = 'Zoë'");
            eventually("the change is seen", || {
                (client.read("users", key).text() == r#"{"id":3,"name":"Zoë"}"#).then_some(())
            });
        }
    });
}

#[test]
fn a_key_that_the_database_cannot_keep_is_refused_alone() {
    with_users_in("LATIN1", |_, client| {
        assert_refused(&client.read("users", r#"{"name":"€"}"#), "encoding");
        assert_eq!(client.read("users", r#"{"name":"Zoe"}"#).text(), r#"{"id":2,"name":"Zoe"}"#);
    });
}

#[test]
fn a_row_that_is_not_valid_text_fails_alone() {
    with_users_in("SQL_ASCII", |database, client| {
        // SQL_ASCII keeps any bytes.
        database.execute(r"INSERT INTO users VALUES (3, E'\xff\xfe')");
        assert_eq!(client.read("users", r#"{"id":1}"#).text(), r#"{"id":1,"name":"Zoë"}"#);
        assert_refused(&client.read("users", r#"{"id":3}"#), "in the row");
        assert_refused(&client.multiread("users", r#"[{"id":2},{"id":3}]"#), "in the row");
        assert_eq!(client.read("users", r#"{"id":2}"#).text(), r#"{"id":2,"name":"Zoe"}"#);
    });
}
