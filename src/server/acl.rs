//! Who may touch which cache key, by the server's own ACL.

use std::os::raw::c_int;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

use redis_module::raw::{self, RedisModuleUser};

use super::client;
use super::context::Context;
use super::text::Text;
use crate::cache::error::{Error, ErrorKind};

/// Clients that are known to be connected: such a client has a user for as long as it lives, and its id is never used
/// again. Looking it up once more for each command would cost more than asking for the user.
static KNOWN: [AtomicU64; KNOWN_MAX] = [const { AtomicU64::new(0) }; KNOWN_MAX];

/// The server's record of its default user, once it was asked for. That user cannot be deleted, and whatever changes
/// what it may do changes this same record, ACL LOAD included. Both are the main thread's alone: a static that needs no
/// lock and no look for the thread's own memory.
static DEFAULT: AtomicPtr<RedisModuleUser> = AtomicPtr::new(ptr::null_mut());

/// How many clients are remembered; those whose ids differ by a multiple of it take each other's place.
const KNOWN_MAX: usize = 256;

/// The user of clients that have not said who they are.
const DEFAULT_NAME: &[u8] = b"default";

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
        let id = ctx.client_id();
        if is_known(id) {
            return Self { name: current_user(ctx) };
        }
        // SAFETY: a valid context; the server looks the id up and returns null when no client has it.
        let by_id = unsafe { Text::from_raw(api!(RedisModule_GetClientUserNameById)(ctx.as_raw(), id)) };
        // The server may find a script's client as well, which has another user with each caller.
        if by_id.is_some() && client::is_connected(id) {
            place_of(id).store(id, Relaxed);
        }
        // As a rule a script's own client is in no list, but carries its caller's user. A call from a module carries none, nor does a
        // script that one calls, and asking for its name would end the server.
        let name =
            by_id.or_else(|| if ctx.flags().in_script() && has_user(ctx) { current_user(ctx) } else { None });
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

    /// `NOPERM` unless the user may do `access` with each of `keys`. A refusal is entered in the server's ACL LOG.
    pub fn check<'k>(
        &self,
        ctx: Context<'_>,
        keys: impl IntoIterator<Item = &'k Text>,
        access: Access,
    ) -> Result<(), Error> {
        let Some(name) = &self.name else { return Ok(()) };
        // A user that has been deleted meanwhile may do nothing.
        let Some(user) = ModuleUser::named(name) else { return Err(denied()) };
        match keys.into_iter().find(|key| !user.may(key, access)) {
            None => Ok(()),
            Some(key) => {
                user.log_refusal(ctx, key);
                Err(denied())
            }
        }
    }
}

/// Whether the client with this id was found to be connected before.
fn is_known(id: u64) -> bool {
    id != 0 && place_of(id).load(Relaxed) == id
}

fn place_of(id: u64) -> &'static AtomicU64 {
    &KNOWN[id as usize % KNOWN_MAX]
}

fn denied() -> Error {
    Error::new(ErrorKind::Denied, "this user's ACL does not allow the cache key of this row")
}

/// Whether the client of `ctx` has a user. The server says so when it is told to run a command, which need not exist, as
/// that user.
fn has_user(ctx: Context<'_>) -> bool {
    ctx.refusal(c"pgcache.nothing", c"C").raw_os_error() != Some(NO_USER)
}

/// `ENOTSUP`, by which the server says that a client has no user.
const NO_USER: i32 = 95;

/// The name of the user of a client that has one.
fn current_user(ctx: Context<'_>) -> Option<Text> {
    // SAFETY: a valid context, whose client is known to have a user.
    unsafe { Text::from_raw(api!(RedisModule_GetCurrentUserName)(ctx.as_raw())) }
}

/// The server's record of a user, released on drop unless it is kept for ever.
struct ModuleUser {
    raw: NonNull<RedisModuleUser>,
    is_kept: bool,
}

impl ModuleUser {
    /// `None` when the user has been deleted meanwhile.
    fn named(name: &Text) -> Option<Self> {
        let is_kept = name.as_bytes() == DEFAULT_NAME;
        if let (true, Some(raw)) = (is_kept, NonNull::new(DEFAULT.load(Relaxed))) {
            return Some(Self { raw, is_kept });
        }
        // SAFETY: a live server string.
        let raw = NonNull::new(unsafe { api!(RedisModule_GetModuleUserFromUserName)(name.as_raw()) })?;
        if is_kept {
            DEFAULT.store(raw.as_ptr(), Relaxed);
        }
        Some(Self { raw, is_kept })
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
        if !self.is_kept {
            // SAFETY: ours, freed once.
            unsafe { api!(RedisModule_FreeModuleUser)(self.raw.as_ptr()) };
        }
    }
}
