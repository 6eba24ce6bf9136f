//! Whether others on the machine can read a source's password.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::source::SourceSettings;

/// The bits that let the group or others read a file.
const READABLE_BY_OTHERS: u32 = 0o044;

/// What an operator should know about the password file of `source`, if anything.
pub(super) fn warning(source: &SourceSettings) -> Option<String> {
    let path = source.pg_password_file.as_ref()?;
    let name = &source.name;
    match fs::metadata(path) {
        Err(error) => Some(format!("pg_password_file {} of source {name}: {error}", path.display())),
        Ok(found) if found.permissions().mode() & READABLE_BY_OTHERS != 0 => {
            Some(format!("pg_password_file {} of source {name} can be read by others: chmod 600 it", path.display()))
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::Permissions;
    use std::path::Path;

    use super::*;
    use crate::settings::load;

    fn warnings(path: &Path) -> Vec<String> {
        load(&["pg_password_file".into(), path.display().to_string()], []).unwrap().warnings
    }

    #[test]
    fn a_file_that_others_can_read_is_reported() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
        assert!(warnings(file.path()).is_empty());
        fs::set_permissions(file.path(), Permissions::from_mode(0o640)).unwrap();
        assert!(warnings(file.path())[0].contains("chmod 600"));
    }

    #[test]
    fn a_missing_file_is_reported_but_does_not_stop_the_load() {
        assert!(warnings(Path::new("/nonexistent/password"))[0].contains("/nonexistent/password"));
    }
}
