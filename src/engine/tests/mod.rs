//! The rules of the engine, tried in a store that is made of a map.

pub(super) mod cache;
mod epochs;
mod gaps;
mod loads;
mod memo;
mod model;
mod multireads;
mod names;
mod notices;
mod orders;
mod roles;
mod stale;
