//! Changes of keys by others than the module.

/// What happened to a key of database 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    /// Its time to live ended.
    Expired,
    /// It was evicted for memory.
    Evicted,
    /// A command of somebody else removed, wrote, moved or renamed it.
    Touched,
    /// RESTORE wrote it, as MIGRATE has it done on the node that a key moves to.
    Restored,
}
