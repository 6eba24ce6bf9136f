//! The rules of the engine, tried in a store that is made of a map.

pub mod cache;
mod cluster;
mod epochs;
mod gaps;
pub mod host;
mod loads;
mod memo;
pub mod memory;
mod model;
mod multireads;
mod names;
mod near;
mod notices;
mod orders;
mod roles;
mod slot_imports;
mod stale;
mod visibility;
