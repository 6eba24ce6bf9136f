//! The rules of the engine, tried in a store that is made of a map.

pub(super) mod cache;
mod gaps;
mod generations;
mod loads;
mod memo;
mod model;
mod multireads;
mod notices;
mod roles;
mod stale;
