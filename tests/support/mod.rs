//! What the end-to-end tests stand on: real servers and a real PostgreSQL, ended by their own pid.
//!
//! Each theme is a test binary of its own and uses a part of this only.
#![allow(dead_code, unused_imports, clippy::unwrap_used)]

pub mod client;
pub mod cluster;
pub mod database;
pub mod eventually;
pub mod http;
pub mod kind;
pub mod lock;
pub mod network;
pub mod outage;
pub mod pgbouncer;
pub mod port;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod python;
pub mod queries;
pub mod replication;
pub mod server;
pub mod shadow;
pub mod subscriber;
pub mod user;
pub mod watchdog;
pub mod watched;

pub use client::{Client, Reply};
pub use cluster::Cluster;
pub use database::Database;
pub use eventually::eventually;
pub use kind::{on_every_server, Kind};
pub use lock::Lock;
pub use postgres::Postgres;
pub use proxy::{Mode, Proxy};
pub use server::{Server, FOREVER_MS};
pub use subscriber::Subscriber;
pub use user::user;
