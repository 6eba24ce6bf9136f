//! The consistency checker: writers on rows that know their version, readers, faults, and an oracle that judges
//! what was read.

pub mod ages;
pub mod clock;
pub mod connection;
pub mod final_check;
pub mod history;
pub mod key;
pub mod key_set;
pub mod key_sets;
pub mod mutation;
pub mod near_reader;
pub mod nemesis;
pub mod noise;
pub mod oracle;
pub mod plan;
pub mod reader;
pub mod report;
pub mod row;
pub mod run;
pub mod site;
pub mod timeline;
pub mod transaction;
pub mod violation;
pub mod workload;
pub mod world;
pub mod writer_connection;

mod oracle_tests;
