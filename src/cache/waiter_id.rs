//! Names of waiting clients.

/// Names one waiting client for as long as the process lives; addresses are used again, these are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WaiterId(u64);

impl WaiterId {
    /// The name with this number, which nobody else has.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of such a name.
    #[cfg(test)]
    pub fn number(self) -> u64 {
        self.0
    }
}
