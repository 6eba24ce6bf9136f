//! The rules of the engine, tried in a store that is made of a map.

mod cache;
mod model;
mod notices;
mod roles;
