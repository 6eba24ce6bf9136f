//! Documents, and what it takes to do as they say.

pub mod answer;
pub mod block;
pub mod stage;
