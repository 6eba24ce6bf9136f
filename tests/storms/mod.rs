//! Storms of changed definitions: what there is, who changes it in which steps, and what is asked meanwhile.

pub mod actor;
pub mod amount;
pub mod asker;
pub mod cast;
pub mod oracle;
pub mod stage;
