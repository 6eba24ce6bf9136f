//! Loads: who joins or starts one, what is stored when it comes back, and who is answered with what.

pub mod completion;
pub mod entries;
pub mod load_requests;
pub mod pending_multiread;
pub mod refresh;
pub mod rows;
pub mod stale_if_error;
pub mod superseded;
pub mod waiter;
