//! Attacks by rows: relations whose reading runs code of others, and reading them.
#![allow(dead_code)]

pub mod reading;
pub mod shape;
pub mod stage;
