//! The server's configuration file: which settings of the module it names.

use std::ffi::CStr;
use std::fs;

use super::context::Context;

/// What stands before the name of a setting there, in any case.
const PREFIX: &str = "pgcache.";

/// The settings of ours that the server was started with, without the prefix. The server passes their values on, but only of
/// those that are registered; about any other one it ends. Files that the file includes are not read.
pub(super) fn names(ctx: Context<'_>) -> Vec<String> {
    let file = path(ctx).and_then(|path| fs::read(path).ok()).unwrap_or_default();
    names_in(&String::from_utf8_lossy(&file))
}

fn names_in(file: &str) -> Vec<String> {
    let words = file.lines().filter_map(|line| line.split_whitespace().next());
    words.filter_map(|word| Some(word.to_ascii_lowercase().strip_prefix(PREFIX)?.to_owned())).collect()
}

/// Where the file is; `None`: there is none.
fn path(ctx: Context<'_>) -> Option<String> {
    // SAFETY: a valid context and C strings.
    unsafe {
        let info = api!(RedisModule_GetServerInfo)(ctx.as_raw(), c"server".as_ptr());
        let field = api!(RedisModule_ServerInfoGetFieldC)(info, c"config_file".as_ptr());
        let path = (!field.is_null()).then(|| CStr::from_ptr(field).to_string_lossy().into_owned());
        api!(RedisModule_FreeServerInfo)(ctx.as_raw(), info);
        path.filter(|path| !path.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_module() {
        let file =
            "port 1\n# pgcache.no 1\n pgcache.pg_host db1\r\nPGCACHE.Analytics_pg_port \"5\"\npgcachex.y 1\npgcache.z";
        assert_eq!(names_in(file), ["pg_host", "analytics_pg_port", "z"]);
    }
}
