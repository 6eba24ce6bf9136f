//! Who may touch which cache key, by the server's own ACL.

use std::cell::RefCell;
use std::ffi::CStr;
use std::iter;
use std::os::raw::c_int;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};

use redis_module::raw::{self, RedisModuleUser};

use super::client;
use super::context::Context;
use super::text::Text;
use crate::cache::{Access, Error, ErrorKind, Purpose};

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

impl Access {
    /// The word before keys of such an access in the arguments that a command's rights are asked with. Clients never send it.
    pub(super) fn keyword(self) -> &'static CStr {
        match self {
            Self::Read => c"(pgcache-reads)",
            Self::Write => c"(pgcache-writes)",
            Self::Delete => c"(pgcache-deletes)",
        }
    }

    /// As key specs take it.
    pub(super) fn spec_flags(self) -> u64 {
        let kind = match self {
            Self::Read => raw::REDISMODULE_CMD_KEY_RO,
            Self::Write => raw::REDISMODULE_CMD_KEY_OW,
            Self::Delete => raw::REDISMODULE_CMD_KEY_RM,
        };
        u64::from(kind) | self.flags() as u64
    }

    fn flags(self) -> c_int {
        let flags = match self {
            Self::Read => raw::REDISMODULE_CMD_KEY_ACCESS,
            // Only one of the changing flags is allowed in a key spec, and for the ACL all of them are writes.
            Self::Write => raw::REDISMODULE_CMD_KEY_UPDATE,
            Self::Delete => raw::REDISMODULE_CMD_KEY_DELETE,
        };
        flags as c_int
    }
}

/// The command and the keyword that the server is asked with, for each purpose: made once, because a hit would pay for them.
#[derive(Debug, Default)]
pub struct AclWords {
    known: RefCell<Vec<(Purpose, Rc<[Text; 2]>)>>,
}

impl AclWords {
    fn of(&self, purpose: Purpose) -> Rc<[Text; 2]> {
        let mut known = self.known.borrow_mut();
        if let Some((_, words)) = known.iter().find(|(other, _)| *other == purpose) {
            return Rc::clone(words);
        }
        let words = Rc::new([text(purpose.command), text(purpose.access.keyword())]);
        known.push((purpose, Rc::clone(&words)));
        words
    }
}

/// Whether command and keys can be asked about together. In a cluster they cannot: a command with such a key spec has movable
/// keys, which clients would ask the server for before they send it.
static ASKS_TOGETHER: AtomicBool = AtomicBool::new(false);

/// How many words any question about a command and a key has, the key among them. Redis 8.0.2 and later refuse what has too few
/// for the command, which never sees these words: its own name fills up what is missing.
pub(super) const WORDS_MIN: usize = 5;

/// Says whether the commands are registered with specs for that.
pub(super) fn ask_together(asks: bool) {
    ASKS_TOGETHER.store(asks, Relaxed);
}

/// The user behind a command. `None` as a name: the server itself, which may do everything.
#[derive(Debug, Clone)]
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
        let name = by_id.or_else(|| if ctx.flags().in_script() && has_user(ctx) { current_user(ctx) } else { None });
        Self { name }
    }

    /// Its name; `None` for the server itself.
    pub fn name(&self) -> Option<String> {
        self.name.as_ref().map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned())
    }

    /// Its name as the server knows it.
    pub(super) fn name_text(&self) -> Option<&Text> {
        self.name.as_ref()
    }

    /// The server itself, which may do everything.
    pub fn server() -> Self {
        Self { name: None }
    }

    /// `NOPERM` unless the user may do that with each of `keys`. A refusal is entered in the server's ACL LOG.
    pub fn check(&self, ctx: Context<'_>, keys: &[&Text], purpose: Purpose, words: &AclWords) -> Result<(), Error> {
        let Some(name) = &self.name else { return Ok(()) };
        // A user that has been deleted meanwhile may do nothing.
        let Some(user) = ModuleUser::named(name) else { return Err(denied()) };
        let Some(key) = user.forbidden(keys, purpose, words) else { return Ok(()) };
        user.log_refusal(ctx, key);
        Err(denied())
    }

    /// Whether the user may run a command of the server's with these words.
    pub fn may_run(&self, words: &[&[u8]]) -> bool {
        let words: Vec<Text> = words.iter().map(|word| Text::new(word)).collect();
        let words: Vec<&Text> = words.iter().collect();
        self.is_allowed(|user| user.may_run(&words))
    }

    /// Whether the user may publish on `channel`.
    pub fn may_publish(&self, channel: &Text) -> bool {
        self.is_allowed(|user| user.may_publish(channel))
    }

    fn is_allowed(&self, allows: impl FnOnce(&ModuleUser) -> bool) -> bool {
        self.name.as_ref().is_none_or(|name| ModuleUser::named(name).is_some_and(|user| allows(&user)))
    }
}

/// Whether the client with this id was found to be connected before.
fn is_known(id: u64) -> bool {
    id != 0 && place_of(id).load(Relaxed) == id
}

fn place_of(id: u64) -> &'static AtomicU64 {
    &KNOWN[id as usize % KNOWN_MAX]
}

fn text(text: &CStr) -> Text {
    Text::new(text.to_bytes())
}

fn denied() -> Error {
    Error::new(
        ErrorKind::Denied,
        "this user's ACL does not allow the cache key of this row, as ~pg_cache:users:* would for a table users",
    )
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

    /// The first of `keys`, if any, that the user may not use for that.
    ///
    /// A key that one selector allows does not count for a command that only another one allows, so both are asked about
    /// together. The default user's reads are asked about by key alone: that is what hits cost least with.
    fn forbidden<'k>(&self, keys: &[&'k Text], purpose: Purpose, words: &AclWords) -> Option<&'k Text> {
        let by_key_alone = self.is_kept && purpose.access == Access::Read;
        if by_key_alone || !ASKS_TOGETHER.load(Relaxed) {
            return keys.iter().copied().find(|key| !self.may(key, purpose.access));
        }
        let [command, keyword] = &*words.of(purpose);
        let may = |keys: &[&Text]| {
            let filled = iter::repeat_n(command, WORDS_MIN - 2).chain([keyword]);
            self.may_run(&filled.chain(keys.iter().copied()).collect::<Vec<_>>())
        };
        if may(keys) {
            return None;
        }
        keys.iter().copied().find(|key| !may(&[key])).or(keys.first().copied())
    }

    fn may_run(&self, words: &[&Text]) -> bool {
        let mut words: Vec<_> = words.iter().map(|word| word.as_raw()).collect();
        // SAFETY: a live user and live strings, which are only read.
        let allowed = unsafe {
            api!(RedisModule_ACLCheckCommandPermissions)(self.raw.as_ptr(), words.as_mut_ptr(), words.len() as c_int)
        };
        allowed == raw::REDISMODULE_OK as c_int
    }

    fn may_publish(&self, channel: &Text) -> bool {
        // SAFETY: a live user and string.
        let allowed = unsafe {
            api!(RedisModule_ACLCheckChannelPermissions)(
                self.raw.as_ptr(),
                channel.as_raw(),
                raw::REDISMODULE_CMD_CHANNEL_PUBLISH as c_int,
            )
        };
        allowed == raw::REDISMODULE_OK as c_int
    }

    fn may(&self, key: &Text, access: Access) -> bool {
        // SAFETY: a live user and string.
        let allowed =
            unsafe { api!(RedisModule_ACLCheckKeyPermissions)(self.raw.as_ptr(), key.as_raw(), access.flags()) };
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
