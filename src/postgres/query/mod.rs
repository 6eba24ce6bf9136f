//! Queries: SQL of a client's own, run read-only, and what PostgreSQL says that it reads.

mod array_literal;
mod describe;
mod discovery;
mod explain;
mod expression;
mod functions;
mod parameters;
mod plan;
mod relations;
mod run;
mod statement;
mod transaction;
mod trouble;

pub use describe::{describe, describe_relations, QueryDescription};
pub use discovery::Discovery;
pub use plan::{QueryLimits, QueryPlan};
pub use run::{run, run_plain, QueryRows};
