//! Who may touch which cache key, by the server's own ACL.

use std::io;
use std::os::raw::c_int;
use std::ptr::NonNull;

use redis_module::raw::{self, RedisModuleUser};

use super::context::Context;
use super::text::Text;
use crate::cache::error::{Error, ErrorKind};

/// What is about to be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its value is read.
    Read,
    /// It is written.
    Write,
    /// It is removed.
    Delete,
}

impl Access {
    fn flags(self) -> c_int {
        let flags = match self {
            Self::Read => raw::REDISMODULE_CMD_KEY_ACCESS,
            Self::Write => raw::REDISMODULE_CMD_KEY_INSERT | raw::REDISMODULE_CMD_KEY_UPDATE,
            Self::Delete => raw::REDISMODULE_CMD_KEY_DELETE,
        };
        flags as c_int
    }
}

/// The user behind a command. `None` as a name: the server itself, which may do everything.
#[derive(Debug)]
pub struct User {
    name: Option<Text>,
}

impl User {
    /// The user of the command under way.
    pub fn of(ctx: Context<'_>) -> Self {
        // SAFETY: a valid context; the server looks the id up and returns null when no client has it.
        let by_id =
            unsafe { Text::from_raw(api!(RedisModule_GetClientUserNameById)(ctx.as_raw(), ctx.client_id())) };
        // A script's own client is in no list, but carries its caller's user. A call from a module carries none, nor does a
        // script that one calls, and asking for its name would end the server.
        let name =
            by_id.or_else(
                || if ctx.flags().in_script() && has_user(ctx) { user_of_script(ctx) } else { None },
            );
        Self { name }
    }

    /// Its name; `None` for the server itself.
    pub fn name(&self) -> Option<String> {
        self.name.as_ref().map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned())
    }

    /// The server itself, which may do everything.
    pub fn server() -> Self {
        Self { name: None }
    }

    /// `NOPERM` unless the user may do `access` with `key`. A refusal is entered in the server's ACL LOG.
    pub fn check(&self, ctx: Context<'_>, key: &Text, access: Access) -> Result<(), Error> {
        let Some(name) = &self.name else { return Ok(()) };
        let user = ModuleUser::named(name);
        if user.as_ref().is_some_and(|user| user.may(key, access)) {
            return Ok(());
        }
        if let Some(user) = user {
            user.log_refusal(ctx, key);
        }
        Err(Error::new(ErrorKind::Denied, "this user's ACL does not allow the cache key of this row"))
    }
}

/// Whether the client of `ctx` has a user. The server says so when it is told to run a command, which need not exist, as
/// that user.
fn has_user(ctx: Context<'_>) -> bool {
    let call = api!(RedisModule_Call);
    // SAFETY: a valid context; the format announces no argument. Nothing is run, so there is no reply to free.
    let reply = unsafe { call(ctx.as_raw(), c"pgcache.nothing".as_ptr(), c"C".as_ptr()) };
    debug_assert!(reply.is_null(), "no such command is registered");
    io::Error::last_os_error().raw_os_error() != Some(NO_USER)
}

/// `ENOTSUP`, by which the server says that a client has no user.
const NO_USER: i32 = 95;

fn user_of_script(ctx: Context<'_>) -> Option<Text> {
    // SAFETY: a valid context, whose client has a user while a script runs.
    unsafe { Text::from_raw(api!(RedisModule_GetCurrentUserName)(ctx.as_raw())) }
}

/// The server's record of a user, released on drop.
struct ModuleUser {
    raw: NonNull<RedisModuleUser>,
}

impl ModuleUser {
    /// `None` when the user has been deleted meanwhile.
    fn named(name: &Text) -> Option<Self> {
        // SAFETY: a live server string.
        let raw = unsafe { api!(RedisModule_GetModuleUserFromUserName)(name.as_raw()) };
        NonNull::new(raw).map(|raw| Self { raw })
    }

    fn may(&self, key: &Text, access: Access) -> bool {
        // SAFETY: a live user and string.
        let allowed = unsafe {
            api!(RedisModule_ACLCheckKeyPermissions)(self.raw.as_ptr(), key.as_raw(), access.flags())
        };
        allowed == raw::REDISMODULE_OK as c_int
    }

    fn log_refusal(&self, ctx: Context<'_>, key: &Text) {
        let reason = raw::RedisModuleACLLogEntryReason_REDISMODULE_ACL_LOG_KEY;
        // SAFETY: a valid context, a live user and string.
        unsafe { api!(RedisModule_ACLAddLogEntry)(ctx.as_raw(), self.raw.as_ptr(), key.as_raw(), reason) };
    }
}

impl Drop for ModuleUser {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { api!(RedisModule_FreeModuleUser)(self.raw.as_ptr()) };
    }
}
