//! The rules of the cache: plain Rust, no I/O, no server.

pub mod age;
pub mod alias;
pub mod canonical;
pub mod change;
pub mod entry;
pub mod epoch;
pub mod error;
pub mod flight;
pub mod key;
pub mod lease;
pub mod name;
pub mod named_query;
pub mod notice;
pub mod parameters;
pub mod query_changes;
pub mod refresh_backoff;
pub mod result_set;
pub mod seal;
pub mod stored;
pub mod table;
pub mod tag;
pub mod timings;
pub mod ttl;
pub mod value;

pub use age::Age;
pub use canonical::Rule;
pub use entry::Entry;
pub use error::{Error, ErrorKind};
pub use flight::FlightId;
pub use lease::Gap;
pub use notice::{Notice, Relation};
pub use stored::{Refusal, Stored};
pub use table::TableDefinition;
pub use timings::Timings;
pub use ttl::Ttl;
pub use value::Value;
