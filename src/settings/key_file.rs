//! The file that holds the key by which records of hooks and queries are sealed: read, or made.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustls::crypto::ring;

use super::Settings;

/// What the file is called that is made in the server's data folder.
const DEFAULT_NAME: &str = "pgcache.key";
/// Fewer bytes could be guessed.
const MIN_BYTES: usize = 32;
/// More are not read.
const MAX_BYTES: u64 = 4096;
/// The bits that let the group or others read or change a file.
const OPEN_TO_OTHERS: u32 = 0o066;

/// Where the key stands.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
    /// Whether it is made when it is missing: the operator's own file is not, since a wrong path would then look right.
    is_made: bool,
}

impl KeyFile {
    /// That of `settings`; without a path there, `pgcache.key` in the process's folder, which is the server's data folder.
    pub fn of(settings: &Settings) -> Self {
        match &settings.definitions_key_file {
            Some(path) => Self { path: path.clone(), is_made: false },
            None => {
                let folder = std::env::current_dir().unwrap_or_default();
                Self { path: folder.join(DEFAULT_NAME), is_made: true }
            }
        }
    }

    /// The key's bytes.
    ///
    /// # Errors
    /// A text that names the file and what is wrong with it.
    pub fn read(&self) -> Result<Vec<u8>, String> {
        self.bytes().map_err(|error| self.complaint(&error))
    }

    /// The same, making the file where that is allowed and it is missing.
    ///
    /// # Errors
    /// A text that names the file and what is wrong with it.
    pub fn read_or_make(&self) -> Result<Vec<u8>, String> {
        match self.bytes() {
            Err(error) if self.is_made && error.kind() == io::ErrorKind::NotFound => {
                self.make().and_then(|()| self.bytes()).map_err(|error| self.complaint(&error))
            }
            result => result.map_err(|error| self.complaint(&error)),
        }
    }

    /// What an operator should know about the file, if anything.
    pub fn warning(&self) -> Option<String> {
        match fs::metadata(&self.path) {
            Err(error) => (!self.is_made).then(|| self.complaint(&error)),
            Ok(found) if found.permissions().mode() & OPEN_TO_OTHERS != 0 => Some(format!(
                "definitions_key_file {} can be read or changed by others: chmod 600 it",
                self.path.display()
            )),
            Ok(_) => None,
        }
    }

    fn complaint(&self, error: &io::Error) -> String {
        format!("definitions_key_file {}: {error}", self.path.display())
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
        if bytes.len() < MIN_BYTES {
            return Err(io::Error::other(format!("it has fewer than {MIN_BYTES} bytes")));
        }
        Ok(bytes)
    }

    /// Linked to its name once it is whole: of two servers in one folder one makes it, and both read the same.
    fn make(&self) -> io::Result<()> {
        let draft = self.path.with_extension(format!("key.{}", std::process::id()));
        let made = write_new(&draft).and_then(|()| fs::hard_link(&draft, &self.path));
        let _ = fs::remove_file(&draft);
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.path.exists() => Ok(()),
            made => made,
        }
    }
}

/// 32 bytes of the system's generator.
///
/// # Errors
/// The system has none to give.
pub fn random() -> io::Result<[u8; MIN_BYTES]> {
    let mut bytes = [0; MIN_BYTES];
    let generator = ring::default_provider().secure_random;
    generator.fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(bytes)
}

fn write_new(path: &Path) -> io::Result<()> {
    // What a process with this number has left behind.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&random()?)?;
    file.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn made_in(folder: &Path) -> KeyFile {
        KeyFile { path: folder.join(DEFAULT_NAME), is_made: true }
    }

    #[test]
    fn a_key_is_made_once_and_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = made_in(folder.path());
        assert!(file.read().is_err(), "reading makes nothing");
        let key = file.read_or_make().unwrap();
        assert_eq!((key.len(), file.read_or_make().unwrap()), (32, key));
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((file.warning(), fs::read_dir(folder.path()).unwrap().count()), (None, 1));
    }

    #[test]
    fn two_who_make_it_at_once_share_one() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (made_in(folder.path()), made_in(folder.path()));
        let key = one.read_or_make().unwrap();
        other.make().unwrap();
        assert_eq!(other.read().unwrap(), key);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = made_in(folder.path());
        fs::write(&file.path, [7; 31]).unwrap();
        assert!(file.read_or_make().unwrap_err().contains("fewer than 32 bytes"));
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(file.warning().unwrap().contains("chmod 600"));
        let own = KeyFile { path: "/nonexistent/key".into(), is_made: false };
        assert!(own.read_or_make().unwrap_err().contains("/nonexistent/key"));
        assert!(own.warning().unwrap().contains("/nonexistent/key"));
    }
}
