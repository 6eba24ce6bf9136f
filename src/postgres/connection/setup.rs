//! Setting a session up: what kind of connection it is, and what every load relies on.

use std::time::Duration;

use ::postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::client::Client;
use super::identity::{Identity, Server};
use super::isolation;
use super::pooler::{own_process, OWN_PROCESS};
use crate::postgres::error::is_lost;
use crate::postgres::Texts;

/// What every load relies on: one spelling of each value whatever the role's or the database's defaults.
pub(super) const SETTINGS: [&str; 5] = [
    "TimeZone = 'UTC'",
    "DateStyle = 'ISO, YMD'",
    "IntervalStyle = 'postgres'",
    "extra_float_digits = 1",
    "bytea_output = 'hex'",
];
/// What only a session that has its server process to itself may set: others would find it there.
const OWN_SETTINGS: &str = "SET default_transaction_read_only = on";
/// What a session that shares its server process sets besides, for a transaction.
pub(super) const LOCAL_SETTINGS: &str = "jit = off";

/// What helps but does not exist in every version or on every platform, so that a failure is no matter:
/// loads are too short for the JIT and for a plan of their own each, which would be the same one, since it does not depend on
/// the keys; and a server should notice when we die during a load.
const OPTIONAL_SETUP: &str = "\
SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
FROM (VALUES
    ('jit', 'off'),
    ('plan_cache_mode', 'force_generic_plan'),
    ('client_connection_check_interval', '1000')
) AS wanted (name, value)
WHERE EXISTS (SELECT FROM pg_catalog.pg_settings AS known WHERE known.name = wanted.name)";

/// What tells who answers, beside its process.
const WHO: &str = "\
pg_catalog.pg_is_in_recovery(), pg_catalog.current_database(), CURRENT_USER,
pg_catalog.current_setting('server_version'), pg_catalog.current_setting('is_superuser')";

/// What PostgreSQL says of a connection.
#[derive(Debug, Default, Clone)]
pub(super) struct Kind {
    /// The number of its server process; 0 where that is others' too.
    pub process: i32,
    /// Whether the server is a standby.
    pub is_standby: bool,
    /// Its database.
    database: String,
    /// The role whose rights count.
    role: String,
    /// PostgreSQL's version: `15.14 (Debian 15.14-1)`.
    version: String,
    /// Whether the role is a superuser.
    is_superuser: bool,
}

impl Kind {
    /// Asks PostgreSQL.
    pub fn of(client: &mut Client) -> Result<Self, ::postgres::Error> {
        let answers = client.simple_query(&format!("SELECT {OWN_PROCESS}, {WHO}"))?;
        let kind = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(Self::from_row(row)),
            _ => None,
        });
        Ok(kind.unwrap_or_default())
    }

    fn from_row(row: &SimpleQueryRow) -> Self {
        let text = |column| row.text(column).unwrap_or_default().to_owned();
        Self {
            process: own_process(row.text(0)),
            is_standby: row.text(1) == Some("t"),
            database: text(2),
            role: text(3),
            version: text(4),
            is_superuser: row.text(5) == Some("on"),
        }
    }

    /// Whether its server process is its own.
    pub fn is_own(&self) -> bool {
        self.process != 0
    }

    /// What is connected to at `address`, by this version of TLS.
    pub fn identity(&self, address: String, tls: Option<&'static str>) -> Identity {
        let version = self.version.split_whitespace().next().unwrap_or_default().to_owned();
        let server = Server { version, tls, has_pooler: !self.is_own(), is_superuser: self.is_superuser };
        Identity { address, database: self.database.clone(), role: self.role.clone(), server: Some(server) }
    }
}

/// Sets what holds for the whole session. Returns whether PostgreSQL guards statements that are not isolated.
pub(super) fn set_up(client: &mut Client) -> Result<bool, ::postgres::Error> {
    let settings: String = SETTINGS.iter().map(|setting| format!("SET {setting}; ")).collect();
    client.batch_execute(&format!("{settings}{OWN_SETTINGS}"))?;
    match client.simple_query(OPTIONAL_SETUP) {
        Err(error) if is_lost(&error) => return Err(error),
        _ => {}
    }
    match client.batch_execute(isolation::GUARD) {
        Err(error) if is_lost(&error) => Err(error),
        Err(_) => client.batch_execute("ROLLBACK").map(|()| false),
        Ok(()) => Ok(true),
    }
}

/// What limits statements to this time: 0 would mean no limit at all.
pub(super) fn setting_of(statement_timeout: Duration) -> String {
    format!("statement_timeout = {}", statement_timeout.as_millis().clamp(1, i32::MAX as u128))
}
