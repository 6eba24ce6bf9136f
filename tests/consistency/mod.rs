//! The consistency checker: writers on rows that know their version, readers, faults, and an oracle that judges
//! what was read.

pub mod ages;
pub mod census;
pub mod clock;
pub mod field;
pub mod history;
pub mod key;
pub mod mutation;
pub mod nemesis;
pub mod noise;
pub mod oracle;
pub mod pen;
pub mod plan;
pub mod plot;
pub mod reader;
pub mod report;
pub mod row;
pub mod run;
pub mod timeline;
pub mod transaction;
pub mod violation;
pub mod workload;
pub mod world;

mod oracle_tests;
