//! A grammar of attacks: functions with effects, ways to spell a call of one, clauses that such a call can stand in, and what
//! has to be as it was afterwards.
#![allow(dead_code)]

pub mod amount;
pub mod clause;
pub mod culprit;
pub mod effect;
pub mod fixed;
pub mod grammar;
pub mod invariant;
pub mod random;
pub mod slice;
pub mod spelling;
pub mod stage;
