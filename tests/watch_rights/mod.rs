//! Who attacks what WATCH installs, with what, and what is told meanwhile.
#![allow(dead_code)]

pub mod attacker;
pub mod hostile;
pub mod told;
