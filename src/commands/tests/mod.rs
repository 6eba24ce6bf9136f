//! Commands on tables and queries, run by an engine in a map: what clients are answered, and what those are who wait.

mod access;
mod client;
mod many;
mod positions;
mod queries;
mod reading;
mod waiting;
mod writing;
