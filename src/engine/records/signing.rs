//! The key by which records are sealed: read when it is needed for the first time, and made when it is missing.

use crate::cache::seal::{SealKey, Sealed};
use crate::settings::{random_key, KeyFile};

/// The key, as far as it is known.
#[derive(Debug)]
pub struct Signing {
    file: KeyFile,
    /// That of the file.
    lasting: Option<SealKey>,
    /// One that ends with the process, where there is no file.
    passing: Option<SealKey>,
    /// Why there is no file.
    complaint: Option<String>,
}

impl Signing {
    /// With the key of `file`, which is not touched yet.
    pub fn new(file: KeyFile) -> Self {
        Self { file, lasting: None, passing: None, complaint: None }
    }

    /// Why what is sealed now does not outlive the process, if it does not.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// Whether the key has sealed `record`, the value of the key `name`.
    pub fn has_sealed(&mut self, name: &[u8], record: &Sealed<'_>) -> bool {
        if self.lasting.is_none() {
            // Without the file nothing was sealed that could be believed; a new record makes it.
            self.lasting = self.file.read().ok().map(|bytes| SealKey::new(&bytes));
        }
        self.lasting.as_ref().is_some_and(|key| key.has_sealed(name, record))
    }

    /// The key for a new record; `None`: the system has no random bytes.
    pub fn key_to_sign(&mut self) -> Option<&SealKey> {
        if self.lasting.is_none() {
            let made = self.file.read_or_make();
            self.keep(made);
        }
        if self.lasting.is_none() && self.passing.is_none() {
            self.passing = random_key().ok().map(|bytes| SealKey::new(&bytes));
        }
        self.lasting.as_ref().or(self.passing.as_ref())
    }

    fn keep(&mut self, read: Result<Vec<u8>, String>) {
        match read {
            Ok(bytes) => (self.lasting, self.complaint) = (Some(SealKey::new(&bytes)), None),
            Err(reason) => self.complain(reason),
        }
    }

    fn complain(&mut self, reason: String) {
        if self.complaint.is_none() {
            log::warn!("hooks and defined queries do not outlive this process: {reason}");
        }
        self.complaint = Some(reason);
    }
}
