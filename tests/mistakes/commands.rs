//! Commands that are wrong.

use super::Answer;
use crate::support::{user, Client, Kind, Postgres, Reply, Server};

/// What the commands are about. The role `reader` may read all but `salaries`, and own nothing.
const SHOP: &str = r#"
    CREATE TABLE "Orders" (id int PRIMARY KEY, total numeric);
    CREATE TABLE days (day date PRIMARY KEY, open boolean);
    CREATE TABLE salaries (id int PRIMARY KEY);
    CREATE TABLE secrets (id int PRIMARY KEY);
    CREATE SCHEMA sales;
    CREATE TABLE sales.leads (id int PRIMARY KEY);
    CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM users;
    CREATE VIEW people AS SELECT now() AS at;
    UPDATE users SET name = 'Ada' WHERE id < 3;
    GRANT USAGE ON SCHEMA sales TO reader;
    GRANT SELECT ON users, "Orders", days, sales.leads, totals, people TO reader"#;

/// A mistake, and the words that a client then sends.
type Mistake = (&'static str, &'static [&'static str]);

/// Mistakes that a shell makes of what was typed: the words that arrive are others.
const IN_A_SHELL: [(&str, &str, &[&str]); 4] = [
    ("quotes lost in a shell", r#"redis-cli PGCACHE.READ users {"id":1}"#, &["PGCACHE.READ", "users", "{id:1}"]),
    (
        "quotes lost, a space in the JSON",
        r#"redis-cli PGCACHE.READ users {"id": 1}"#,
        &["PGCACHE.READ", "users", "{id:", "1}"],
    ),
    (
        "quotes lost, a comma in the JSON",
        r#"redis-cli PGCACHE.READ users {"id":1,"name":"Ada","email":"x"}"#,
        &["PGCACHE.READ", "users", "id:1", "name:Ada", "email:x"],
    ),
    (
        "quotes lost around an array",
        r#"redis-cli PGCACHE.MULTIREAD users [{"id":1}]"#,
        &["PGCACHE.MULTIREAD", "users", "[{id:1}]"],
    ),
];

const NAMES: [Mistake; 7] = [
    ("a table that does not exist", &["PGCACHE.READ", "user", r#"{"id":1}"#]),
    ("a schema that is not in the search_path", &["PGCACHE.READ", "leads", r#"{"id":1}"#]),
    ("a mixed-case name without quotes", &["PGCACHE.READ", "Orders", r#"{"id":1}"#]),
    ("a source that does not exist", &["PGCACHE.READ", "analytics:users", r#"{"id":1}"#]),
    ("a column that does not exist", &["PGCACHE.READ", "users", r#"{"user_id":1}"#]),
    ("a table without a grant", &["PGCACHE.READ", "salaries", r#"{"id":1}"#]),
    ("a table that allow_tables does not open", &["PGCACHE.READ", "secrets", r#"{"id":1}"#]),
];

const KEYS: [Mistake; 10] = [
    ("no key", &["PGCACHE.READ", "users"]),
    ("a key that more than one row has", &["PGCACHE.READ", "users", r#"{"name":"Ada"}"#]),
    ("a value of the wrong type", &["PGCACHE.READ", "users", r#"{"id":true}"#]),
    ("a number out of range", &["PGCACHE.READ", "\"Orders\"", r#"{"id":3000000000}"#]),
    ("a value that PostgreSQL cannot read", &["PGCACHE.READ", "days", r#"{"day":"2024-13-01"}"#]),
    ("null as a value", &["PGCACHE.READ", "users", r#"{"id":null}"#]),
    ("an array for READ", &["PGCACHE.READ", "users", r#"[{"id":1}]"#]),
    ("an object for MULTIREAD", &["PGCACHE.MULTIREAD", "users", r#"{"id":1}"#]),
    ("one wrong key of several", &["PGCACHE.MULTIREAD", "users", r#"[{"id":1},{"id":true}]"#]),
    ("more keys than max_multiread_keys", &["PGCACHE.MULTIREAD", "users", r#"[{"id":1},{"id":2},{"id":3}]"#]),
];

const VALUES: [Mistake; 5] = [
    ("0 as a time to live", &["PGCACHE.READ", "users", r#"{"id":1}"#, "0"]),
    ("a negative time to live", &["PGCACHE.READ", "users", r#"{"id":1}"#, "-1"]),
    ("data that contradicts its key", &["PGCACHE.WRITE", "users", r#"{"id":1}"#, r#"{"id":2,"name":"Ada"}"#]),
    ("data that is no JSON", &["PGCACHE.WRITE", "users", r#"{"id":1}"#, "{name:Ada}"]),
    ("data that is no object", &["PGCACHE.WRITE", "users", r#"{"id":1}"#, "\"Ada\""]),
];

const QUERIES: [Mistake; 7] = [
    ("NAME is missing", &["PGCACHE.QUERY", "top", "[]"]),
    ("a query that is not defined", &["PGCACHE.QUERY", "NAME", "tops"]),
    ("SQL without quotes", &["PGCACHE.QUERY", "SELECT", "1"]),
    ("free SQL, and query is named", &["PGCACHE.QUERY", "SELECT 1 AS one"]),
    ("a definition that is no query", &["PGCACHE.DEFINE", "clean", "DELETE FROM users"]),
    ("a parameter is missing", &["PGCACHE.QUERY", "NAME", "top"]),
    ("a query with a mistyped column", &["PGCACHE.QUERY", "NAME", "broken"]),
];

const OTHERS: [Mistake; 9] = [
    ("WATCH without the rights to it", &["PGCACHE.WATCH", "ADD", "users"]),
    ("WATCH of a materialised view", &["PGCACHE.WATCH", "ADD", "totals"]),
    ("WATCH of a view without tables", &["PGCACHE.WATCH", "ADD", "people"]),
    ("a mistyped word", &["PGCACHE.WATCH", "AD", "users"]),
    ("FLUSH without TABLE", &["PGCACHE.FLUSH", "users"]),
    ("a mistyped event of a hook", &["PGCACHE.HOOK", "ADD", "h", "writes", "PUBLISH", "news"]),
    ("a mistyped command", &["PGCACHE.REED", "users"]),
    ("CONFIG SET of a mistyped setting", &["CONFIG", "SET", "pgcache.defualt_ttl", "60"]),
    ("CONFIG SET of what only a start can change", &["CONFIG", "SET", "pgcache.pool_size", "4"]),
];

/// What each of them is answered.
pub fn all(kind: &Kind, postgres: &Postgres) -> Vec<Answer> {
    let database = postgres.database();
    database.with_users(10).execute(SHOP);
    let server =
        Server::setup(kind).on(&database).setting("pg_user", "reader").setting("max_multiread_keys", "2").start();
    let mut client = server.client();
    for (name, sql) in [("top", "SELECT * FROM users WHERE id < $1"), ("broken", "SELECT nam FROM users")] {
        assert_eq!(client.call(&["PGCACHE.DEFINE", name, sql]).text(), "OK");
    }
    let mut answers: Vec<Answer> = IN_A_SHELL
        .iter()
        .map(|(mistake, typed, words)| Answer::of(mistake, (*typed).to_owned(), &client.call(words)))
        .collect();
    for (mistake, words) in [&NAMES[..], &KEYS, &VALUES, &QUERIES, &OTHERS].concat() {
        answers.push(Answer::of(mistake, typed(words), &client.call(words)));
    }
    answers.push(in_multi(&mut client));
    answers.push(without_acl(&server));
    let known = |answer: Answer| Answer { answer: answer.answer.replace(&database.name, "shop"), ..answer };
    answers.into_iter().map(known).collect()
}

/// A read of what is not in the cache, where nobody waits.
fn in_multi(client: &mut Client) -> Answer {
    client.call(&["MULTI"]);
    client.call(&["PGCACHE.READ", "users", r#"{"id":9}"#]);
    let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no replies") };
    Answer::of("a miss in MULTI", r#"MULTI, PGCACHE.READ users '{"id":9}', EXEC"#.into(), &replies[0])
}

/// A user who may call the command, and not use these keys.
fn without_acl(server: &Server) -> Answer {
    let mut bob = user(server, "+pgcache.read ~pg_cache:orders:*");
    let words = ["PGCACHE.READ", "users", r#"{"id":1}"#];
    Answer::of("a user whose ACL does not allow the key", typed(&words), &bob.call(&words))
}

/// The words as they are typed into redis-cli.
fn typed(words: &[&str]) -> String {
    let is_plain = |word: &str| !word.contains(['"', ' ', '{', '[']);
    let quoted = |word: &&str| if is_plain(word) { (*word).to_owned() } else { format!("'{word}'") };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
