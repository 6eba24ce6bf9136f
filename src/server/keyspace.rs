//! Entries in the server's keyspace, always in database 0.

use std::cell::Cell;
use std::ffi::CStr;
use std::io;
use std::os::raw::c_int;
use std::slice;

use redis_module::raw::{self, KeyType, RedisModuleCallReply, RedisModuleKey};

use super::cluster;
use super::context::{replicas_are_paused, Context};
use super::text::Text;
use crate::cache::{Refusal, Stored};

/// The database that holds the cache.
const DATABASE: c_int = 0;

thread_local! {
    /// Whether the write under way is our own: the server tells us of it like of anyone's.
    static OWN_WRITE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the keyspace notification under way is about a write of our own.
pub fn is_own_write() -> bool {
    OWN_WRITE.get()
}

/// The server's commands by which entries are written.
const WRITES: [&CStr; 2] = [c"SET", c"UNLINK"];

/// The first of them that this server does not have (`rename-command`): nothing could be stored, or nothing dropped.
pub fn missing_command(ctx: Context<'_>) -> Option<&'static str> {
    WRITES.into_iter().find(|name| !has_command(ctx, name)).and_then(|name| name.to_str().ok())
}

fn has_command(ctx: Context<'_>, name: &CStr) -> bool {
    // They lack their arguments; ENOENT is the name.
    ctx.refusal(name, c"").kind() != io::ErrorKind::NotFound
}

/// Selects the cache's database and goes back to the client's own.
pub(super) struct Selected<'c> {
    ctx: Context<'c>,
    before: c_int,
}

impl<'c> Selected<'c> {
    pub(super) fn new(ctx: Context<'c>) -> Self {
        // SAFETY: a valid context.
        let before = unsafe { api!(RedisModule_GetSelectedDb)(ctx.as_raw()) };
        let selected = Self { ctx, before };
        selected.select(DATABASE);
        selected
    }

    fn select(&self, database: c_int) {
        if self.before != DATABASE {
            // SAFETY: a valid context; both databases exist.
            unsafe { api!(RedisModule_SelectDb)(self.ctx.as_raw(), database) };
        }
    }
}

impl Drop for Selected<'_> {
    fn drop(&mut self) {
        self.select(self.before);
    }
}

/// An open key, closed on drop.
struct OpenKey {
    raw: *mut RedisModuleKey,
}

impl OpenKey {
    fn open(ctx: Context<'_>, key: &Text) -> Self {
        Self::open_to(ctx, key, raw::REDISMODULE_READ)
    }

    fn open_to_write(ctx: Context<'_>, key: &Text) -> Self {
        Self::open_to(ctx, key, raw::REDISMODULE_READ | raw::REDISMODULE_WRITE)
    }

    fn open_to(ctx: Context<'_>, key: &Text, mode: u32) -> Self {
        // SAFETY: a valid context and string. A missing key is a null pointer, which CloseKey accepts.
        let raw = unsafe { api!(RedisModule_OpenKey)(ctx.as_raw(), key.as_raw(), mode as c_int) };
        Self { raw: raw.cast() }
    }

    fn stored(&self) -> Stored<'_> {
        // SAFETY: a null pointer is an empty key to KeyType.
        let kind = unsafe { api!(RedisModule_KeyType)(self.raw) };
        if kind == KeyType::Empty as c_int {
            return Stored::Nothing;
        }
        if kind != KeyType::String as c_int {
            return Stored::OtherType;
        }
        let mut len = 0;
        // SAFETY: an open string key; the bytes stay where they are until the key is closed or written.
        unsafe {
            let start = api!(RedisModule_StringDMA)(self.raw, &mut len, raw::REDISMODULE_READ as c_int);
            if start.is_null() {
                Stored::OtherType
            } else {
                Stored::Bytes(slice::from_raw_parts(start.cast(), len))
            }
        }
    }
}

impl OpenKey {
    fn ttl_ms(&self) -> Option<u64> {
        if self.raw.is_null() {
            return None;
        }
        // SAFETY: an open key.
        let ttl = unsafe { api!(RedisModule_GetExpire)(self.raw) };
        u64::try_from(ttl).ok()
    }
}

impl Drop for OpenKey {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once.
        unsafe { api!(RedisModule_CloseKey)(self.raw) };
    }
}

/// Passes what stands under `key` to `look`, without a copy.
pub fn read<T>(ctx: Context<'_>, key: &Text, look: impl FnOnce(Stored<'_>) -> T) -> T {
    if !cluster::reaches(key.as_bytes()) {
        return look(Stored::Nothing);
    }
    let _selected = Selected::new(ctx);
    let key = OpenKey::open(ctx, key);
    look(key.stored())
}

/// The same, with the remaining time to live in milliseconds; `None`: no key, or no expiry.
pub fn read_with_ttl<T>(ctx: Context<'_>, key: &Text, look: impl FnOnce(Stored<'_>) -> T) -> (T, Option<u64>) {
    if !cluster::reaches(key.as_bytes()) {
        return (look(Stored::Nothing), None);
    }
    let _selected = Selected::new(ctx);
    let key = OpenKey::open(ctx, key);
    (look(key.stored()), key.ttl_ms())
}

/// Stores an entry, as replicas and the AOF shall see it: `SET key value [PXAT at]`.
pub fn store(ctx: Context<'_>, key: &Text, value: &[u8], expires_at_ms: Option<u64>) -> Result<(), Refusal> {
    may_write_key(ctx, key)?;
    let _selected = Selected::new(ctx);
    let (start, len) = (value.as_ptr(), value.len());
    let call = api!(RedisModule_Call);
    // `!` replicates, `E` returns errors as replies, `M` respects the memory limit.
    own_write(|| match expires_at_ms {
        // SAFETY: each argument is what the format announces: s a string, b pointer and length, c a C string, l a long long.
        Some(at) => unsafe {
            call(
                ctx.as_raw(),
                c"SET".as_ptr(),
                c"!EMsbcl".as_ptr(),
                key.as_raw(),
                start,
                len,
                c"PXAT".as_ptr(),
                at as i64,
            )
        },
        // SAFETY: as above.
        None => unsafe { call(ctx.as_raw(), c"SET".as_ptr(), c"!EMsb".as_ptr(), key.as_raw(), start, len) },
    })
}

/// Removes an entry, as replicas and the AOF shall see it: `UNLINK key`.
pub fn remove(ctx: Context<'_>, key: &Text) -> Result<(), Refusal> {
    may_write_key(ctx, key)?;
    if cluster::is_node() {
        unlink(ctx, key);
        return Ok(());
    }
    let _selected = Selected::new(ctx);
    let call = api!(RedisModule_Call);
    // SAFETY: the format announces one server string.
    own_write(|| unsafe { call(ctx.as_raw(), c"UNLINK".as_ptr(), c"!Es".as_ptr(), key.as_raw()) })
}

/// Removes an entry of a cluster. The server would run no command on a key whose slot is on its way to another node, or while the
/// cluster is down; but what is out of date has to go then too.
fn unlink(ctx: Context<'_>, key: &Text) {
    // The server tells clients that track keys of each one that was open for writing, also of one that is not there.
    if OpenKey::open(ctx, key).stored() == Stored::Nothing {
        return;
    }
    let open_key = OpenKey::open_to_write(ctx, key);
    // SAFETY: an open key, which may be written.
    unsafe { api!(RedisModule_UnlinkKey)(open_key.raw) };
    drop(open_key);
    // SAFETY: a valid context; the format announces one server string.
    unsafe { api!(RedisModule_Replicate)(ctx.as_raw(), c"UNLINK".as_ptr(), c"s".as_ptr(), key.as_raw()) };
    OWN_WRITE.set(true);
    let kind = raw::REDISMODULE_NOTIFY_GENERIC as c_int;
    // SAFETY: a valid context, a C string and a live server string.
    unsafe { api!(RedisModule_NotifyKeyspaceEvent)(ctx.as_raw(), kind, c"del".as_ptr(), key.as_raw()) };
    OWN_WRITE.set(false);
}

/// Whether this server may write `key` now, as far as is known without asking it.
fn may_write_key(ctx: Context<'_>, key: &Text) -> Result<(), Refusal> {
    may_write(ctx)?;
    if cluster::reaches(key.as_bytes()) {
        Ok(())
    } else {
        Err(Refusal::Elsewhere)
    }
}

/// Whether this server may write now: a master, with its data set loaded, whose replicas may be written to.
pub fn may_write(ctx: Context<'_>) -> Result<(), Refusal> {
    let flags = ctx.flags();
    if flags.is_replica() || flags.is_loading() {
        Err(Refusal::NotMaster)
    } else if replicas_are_paused() {
        Err(Refusal::Paused)
    } else {
        Ok(())
    }
}

fn own_write(call: impl FnOnce() -> *mut RedisModuleCallReply) -> Result<(), Refusal> {
    OWN_WRITE.set(true);
    forget_os_error();
    let reply = call();
    let refusal = refusal();
    OWN_WRITE.set(false);
    if reply.is_null() {
        return Err(refusal);
    }
    // SAFETY: a reply of our own call, freed once.
    let kind = unsafe {
        let kind = api!(RedisModule_CallReplyType)(reply);
        api!(RedisModule_FreeCallReply)(reply);
        kind
    };
    if kind == raw::REDISMODULE_REPLY_ERROR as c_int {
        Err(refusal)
    } else {
        Ok(())
    }
}

/// Nothing but the call that follows is to blame for what [`refusal`] finds.
fn forget_os_error() {
    // SAFETY: the C library's own place for this thread's last error.
    unsafe { *libc::__errno_location() = 0 };
}

/// Why the server has refused the call before this: the module API says so by `errno`.
fn refusal() -> Refusal {
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EPERM) if cluster::is_node() => Refusal::Elsewhere,
        // The cluster is down.
        Some(libc::ENETDOWN | libc::EROFS) if cluster::is_node() => Refusal::Paused,
        _ => Refusal::Refused,
    }
}
