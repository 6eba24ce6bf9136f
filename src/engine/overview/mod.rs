//! The overview: counters, and what INFO, HEALTH and the HTTP endpoint tell of the engine.

pub mod census;
pub mod counters;
pub mod figures;
pub mod report;
