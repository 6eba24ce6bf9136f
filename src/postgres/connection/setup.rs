//! Setting a session up: what kind of connection it is, and what every load relies on.

use std::time::Duration;

use ::postgres::SimpleQueryMessage;

use super::client::Client;
use super::isolation;
use super::pooler::{own_process, OWN_PROCESS};
use crate::postgres::error::is_lost;

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

/// What kind of connection it is.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Kind {
    /// Whether the server is a standby.
    pub is_standby: bool,
    /// The number of its server process; 0 where that is others' too.
    pub process: i32,
}

impl Kind {
    /// Asks PostgreSQL.
    pub fn of(client: &mut Client) -> Result<Self, ::postgres::Error> {
        let answers = client.simple_query(&format!("SELECT pg_catalog.pg_is_in_recovery(), {OWN_PROCESS}"))?;
        let kind = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => {
                Some(Self { is_standby: row.get(0) == Some("t"), process: own_process(row.get(1)) })
            }
            _ => None,
        });
        Ok(kind.unwrap_or_default())
    }

    /// Whether its server process is its own.
    pub fn is_own(self) -> bool {
        self.process != 0
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
