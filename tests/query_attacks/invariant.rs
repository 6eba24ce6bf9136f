//! What has to be as it was after any attack: PostgreSQL, the sessions, and what later commands return.

use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator;
use serde_json::Value;

use crate::support::{queries, Client, Database, Reply, Server};

/// Everything that lasts in the database, as one text. Roles, settings of roles and prepared transactions are the cluster's.
const LASTING: &str = "
SELECT pg_catalog.concat_ws(' ',
    'ledger', (SELECT count(*) FROM public.ledger),
    'sequence', (SELECT last_value || '/' || is_called FROM public.numbers),
    'large objects', (SELECT count(*) FROM pg_largeobject_metadata),
    'advisory locks', (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                        WHERE d.datname = current_database() AND locktype = 'advisory'),
    'forged', (SELECT count(*) FROM public.other WHERE note = 'FORGED') + (SELECT count(*) FROM public.plain WHERE note = 'FORGED'),
    'relations', (SELECT count(*) FROM pg_class), 'functions', (SELECT count(*) FROM pg_proc),
    'settings', (SELECT count(*) FROM pg_db_role_setting s
                  WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))))";

/// Sessions in a transaction although nothing is asked of them.
const OPEN: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state LIKE 'idle in transaction%'";

/// How long a transaction may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// What the session of a query is like, as far as one may ask.
const SETTINGS: &str = "SELECT current_user::text AS u, session_user::text AS s, current_setting('search_path') AS p,
    current_setting('TimeZone') AS z, current_setting('DateStyle') AS d, current_setting('IntervalStyle') AS i,
    current_setting('extra_float_digits') AS f, current_setting('bytea_output') AS b,
    current_setting('default_transaction_read_only') AS r, current_setting('transaction_read_only') AS t,
    current_setting('row_security') AS y, current_setting('client_encoding') AS e,
    coalesce(current_setting('app.tenant', true), '') AS n, current_setting('statement_timeout') AS o, 'é' AS x";

/// How many questions follow each other, so that each session of a pool is met.
const QUESTIONS: usize = 4;

/// Watches one server and its database.
pub struct Invariant {
    monitor: postgres::Client,
    client: Client,
    row: Value,
    first: Vec<(String, Reply)>,
    lasting: String,
    turn: i64,
}

impl Invariant {
    /// Remembers how things are before any attack.
    pub fn of(server: &Server, database: &Database<'_>) -> Self {
        let mut monitor = database.connect();
        monitor.batch_execute("LISTEN heard").unwrap();
        let mut client = server.client();
        let row = client.read("plain", r#"{"id":1}"#).json();
        let mut invariant = Self { monitor, client, row, first: Vec::new(), lasting: String::new(), turn: 100 };
        invariant.first = invariant.answers();
        invariant.lasting = invariant.lasting();
        invariant
    }

    /// Whether no session stays in a transaction: a reply may come before its transaction has ended.
    fn ends_transactions(&mut self) -> bool {
        let deadline = Instant::now() + ENDING;
        while self.monitor.query_one(OPEN, &[]).unwrap().get::<_, i64>(0) > 0 {
            if Instant::now() > deadline {
                return false;
            }
            sleep(Duration::from_millis(5));
        }
        true
    }

    /// What is not as it was, a sentence each.
    pub fn violations(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let pairs: Vec<_> = self.first.clone().into_iter().zip(self.answers()).collect();
        for ((what, before), (_, now)) in pairs.iter().filter(|(before, now)| before.1 != now.1).take(2) {
            found.push(format!("{what} was {} and is {}", shown(before), shown(now)));
        }
        let reads: Vec<String> = (0..QUESTIONS).filter_map(|_| self.forged_read()).collect();
        found.extend(reads.into_iter().next());
        found.extend(self.forged_query());
        let lasting = self.lasting();
        if lasting != self.lasting {
            found.push(format!("there were {} and are {lasting}", self.lasting));
        }
        if !self.ends_transactions() {
            found.push("a session was left in a transaction".into());
        }
        if heard(&mut self.monitor) {
            found.push("a notification was heard".into());
        }
        found
    }

    /// Undoes what lasts, so that a further attack is told from this one.
    pub fn heal(database: &Database<'_>) {
        database.execute(
            "TRUNCATE ledger; SELECT setval('numbers', 1, false); SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
             UPDATE plain SET note = 'row ' || id WHERE note = 'FORGED';
             UPDATE other SET note = 'other ' || id WHERE note = 'FORGED'",
        );
    }

    fn answers(&mut self) -> Vec<(String, Reply)> {
        let mut answers = Vec::new();
        for number in 0..QUESTIONS {
            for (what, sql) in [("the session", "SELECT public.probe() AS p"), ("a setting", SETTINGS)] {
                self.turn += 1;
                let sql = format!("{sql} /* {} */", self.turn);
                answers.push((format!("{what} ({number})"), queries::query(&mut self.client, &[sql])));
            }
        }
        answers
    }

    /// A row that nobody has read yet.
    fn forged_read(&mut self) -> Option<String> {
        self.turn += 1;
        let mut wanted = self.row.clone();
        wanted["id"] = self.turn.into();
        wanted["note"] = format!("row {}", self.turn).into();
        let reply = self.client.read("plain", &format!(r#"{{"id":{}}}"#, self.turn));
        let is_right = matches!(reply, Reply::Bulk(_)) && reply.json() == wanted;
        (!is_right).then(|| format!("READ of {} returned {}", self.turn, shown(&reply)))
    }

    fn forged_query(&mut self) -> Option<String> {
        self.turn += 1;
        let params = format!("[{}]", self.turn);
        let words = ["SELECT note FROM plain WHERE id = $1", &params];
        let reply = queries::query(&mut self.client, &words);
        let wanted = serde_json::json!([{ "note": format!("row {}", self.turn) }]);
        let is_right = matches!(reply, Reply::Bulk(_)) && reply.json() == wanted;
        (!is_right).then(|| format!("QUERY of {} returned {}", self.turn, shown(&reply)))
    }

    fn lasting(&mut self) -> String {
        self.monitor.query_one(LASTING, &[]).unwrap().get(0)
    }
}

/// Whether a notification has come.
fn heard(monitor: &mut postgres::Client) -> bool {
    let mut notifications = monitor.notifications();
    let mut notifications = notifications.iter();
    matches!(notifications.next(), Ok(Some(_)))
}

/// A reply, as people read it.
fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}
