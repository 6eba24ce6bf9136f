//! What watches the cache at work and tells others of it: one file each.

pub mod events;
