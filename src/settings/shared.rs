//! The settings of now, for every thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use parking_lot::RwLock;

use super::{SettingError, Settings};

/// The one place where the current snapshot is found. A run-time change puts another one there.
#[derive(Debug)]
pub struct Shared {
    current: RwLock<Arc<Settings>>,
    /// Counts the changes.
    version: AtomicU64,
}

impl Shared {
    /// Starts with `settings`.
    pub fn new(settings: Settings) -> Self {
        Self { current: RwLock::new(Arc::new(settings)), version: AtomicU64::new(0) }
    }

    /// The snapshot of now, for one piece of work.
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.current.read())
    }

    /// How often they have changed.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Changes one setting.
    ///
    /// # Errors
    /// A value that the setting does not take.
    pub fn set(&self, name: &str, value: &str) -> Result<(), SettingError> {
        let changed = self.get().with(name, value)?;
        *self.current.write() = Arc::new(changed);
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }
}
