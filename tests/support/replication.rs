//! Replication as an administrator sees it: slots and who reads them, standbys, and what commits wait for.

use std::time::Duration;

use super::eventually::eventually;
use super::postgres::Postgres;
use super::process::{freeze, kill};

/// What a connection of the module that reads the write-ahead log is called.
pub const READER: &str = "pgcache/wal";

/// The processes that send the module the write-ahead log.
pub fn walsenders(postgres: &Postgres) -> Vec<u32> {
    let sql = format!("SELECT pid FROM pg_stat_replication WHERE application_name = '{READER}'");
    let rows = postgres.connect("postgres").unwrap().query(&sql, &[]).unwrap();
    rows.iter().map(|row| row.get::<_, i32>(0) as u32).collect()
}

/// Ends them.
pub fn end_walsenders(postgres: &Postgres) {
    let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = '{READER}'");
    postgres.connect("postgres").unwrap().batch_execute(&sql).unwrap();
}

/// Stops them, does something and has them go on.
pub fn while_stopped<T>(walsenders: &[u32], act: impl FnOnce() -> T) -> T {
    walsenders.iter().for_each(|pid| freeze(*pid));
    let done = act();
    walsenders.iter().for_each(|pid| kill(*pid, libc::SIGCONT));
    done
}

/// The names of all logical slots, and whether each is temporary.
pub fn slots(postgres: &Postgres) -> Vec<(String, bool)> {
    let sql = "SELECT slot_name::text, temporary FROM pg_replication_slots WHERE slot_type = 'logical' ORDER BY 1";
    let rows = postgres.connect("postgres").unwrap().query(sql, &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Drops the slot, whoever reads it or is making it.
pub fn drop_slot(postgres: &Postgres, name: &str) {
    let end = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active";
    let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1";
    let mut client = postgres.connect("postgres").unwrap();
    eventually("the slot is dropped", || {
        client.execute(end, &[&name]).unwrap();
        // Its reader may still be there, or be back.
        client.execute(drop, &[&name]).ok()
    });
}

/// ALTER SYSTEM, and waits until it counts.
pub fn set(postgres: &Postgres, setting: &str, value: &str) {
    let mut client = postgres.connect("postgres").unwrap();
    client.batch_execute(&format!("ALTER SYSTEM SET {setting} = '{value}'")).unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    let show = format!("SHOW {setting}");
    eventually("the setting counts", || {
        let set: String = client.query_one(&show, &[]).unwrap().get(0);
        (set == value).then_some(())
    });
}

/// From now on commits wait for these standbys.
pub fn have_commits_wait_for(postgres: &Postgres, standbys: &str) {
    set(postgres, "synchronous_standby_names", standbys);
}

/// From now on the standby shows commits so much later, and they wait until it does.
pub fn have_commits_shown_late(postgres: &Postgres, standby: &Postgres, delay: Duration) {
    set(standby, "recovery_min_apply_delay", &format!("{}ms", delay.as_millis()));
    set(postgres, "synchronous_commit", "remote_apply");
}

/// From now on commits wait for the standby that [`Postgres::standby`] has made, which follows.
pub fn have_commits_wait(postgres: &Postgres) {
    have_commits_wait_for(postgres, "standby");
    let mut client = postgres.connect("postgres").unwrap();
    let sql = "SELECT FROM pg_stat_replication WHERE application_name = 'standby' AND sync_state = 'sync'";
    eventually("the standby is synchronous", || client.query_opt(sql, &[]).unwrap());
}

/// Waits until the standby has replayed what its primary has written so far.
pub fn await_replayed(postgres: &Postgres, standby: &Postgres) {
    let written: String = one(postgres, "SELECT pg_current_wal_lsn()::text").unwrap();
    let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
    eventually("the standby has replayed everything", || one::<bool>(standby, &replayed).filter(|it| *it));
}

fn one<T: for<'a> postgres::types::FromSql<'a>>(postgres: &Postgres, sql: &str) -> Option<T> {
    Some(postgres.connect("postgres").ok()?.query_one(sql, &[]).unwrap().get(0))
}
