//! Queries: SQL of a client's own, run read-only, and what PostgreSQL says that it reads.

mod array_literal;
mod describe;
mod discovery;
mod error;
mod parameters;
mod parse_tree;
mod plan;
mod relations;
mod rows;
mod run;
mod statement;
mod together;
mod transaction;

pub use describe::{describe, describe_relations, QueryDescription};
pub use discovery::Discovery;
pub use parse_tree::NamedRelation;
pub use plan::{QueryLimits, QueryPlan};
pub use run::{run, QueryRows};
pub use together::run_together;
