//! Registering commands, with what COMMAND DOCS says of them.

use std::ffi::{CStr, CString};
use std::mem::{size_of, zeroed};
use std::os::raw::{c_char, c_int};
use std::{ptr, slice};

use redis_module::raw::{self, RedisModuleCommandArg, RedisModuleCtx, RedisModuleString};

use super::acl::{self, Access};
use super::categories;
use super::clock::Tick;
use super::context::Context;
use super::guard::guard;
use super::reply::Reply;
use super::text::bytes_of;
use crate::cache::error::Error;
use crate::cache::spent::Spent;
use crate::engine::veto;
use crate::plugins::call::{self, Call, Ended, Words};

/// The version in which the first commands appeared, as COMMAND DOCS reports it.
const SINCE: &CStr = c"0.1.0";

/// What kind of value an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A lookup key, or several: what a cluster client routes by.
    LookupKey,
    /// A fixed word.
    Token,
}

/// One argument, for COMMAND DOCS.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its name.
    pub name: &'static CStr,
    /// What it takes.
    pub kind: ArgumentKind,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// Whether more of its kind may follow; only the last one may.
    pub is_repeated: bool,
}

impl Argument {
    /// A required argument.
    pub const fn required(name: &'static CStr, kind: ArgumentKind) -> Self {
        Self { name, kind, is_optional: false, is_repeated: false }
    }

    /// Any number of arguments, at the end.
    pub const fn many(name: &'static CStr, kind: ArgumentKind) -> Self {
        Self { name, kind, is_optional: true, is_repeated: true }
    }

    /// An argument that may be left out.
    pub const fn optional(name: &'static CStr, kind: ArgumentKind) -> Self {
        Self { name, kind, is_optional: true, is_repeated: false }
    }
}

/// What the server and its users are told of a command.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Full name, `pgcache.read`.
    pub name: &'static CStr,
    /// The server's command flags, separated by spaces.
    pub flags: &'static CStr,
    /// ACL categories for servers that have them for modules.
    pub categories: &'static CStr,
    /// What it does with cache keys.
    pub accesses: &'static [Access],
    /// One line.
    pub summary: &'static CStr,
    /// Time complexity.
    pub complexity: &'static CStr,
    /// Arguments in order.
    pub arguments: &'static [Argument],
}

impl Spec {
    /// The name as text.
    pub const fn name(&self) -> &'static str {
        match self.name.to_str() {
            Ok(name) => name,
            Err(_) => "",
        }
    }

    /// Whether it changes the cache: its first flag says so.
    pub const fn is_write(&self) -> bool {
        matches!(self.flags.to_bytes(), [b'w', b'r', b'i', b't', b'e', ..])
    }

    /// Whether only administrators may use it: its first category says so.
    pub const fn is_admin(&self) -> bool {
        matches!(self.categories.to_bytes(), [b'a', b'd', b'm', b'i', b'n', ..])
    }

    /// Whether one of its arguments is a lookup key, or several.
    const fn names_rows(&self) -> bool {
        let mut index = 0;
        while index < self.arguments.len() {
            if matches!(self.arguments[index].kind, ArgumentKind::LookupKey) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// How few arguments it takes, its own name included.
    const fn min_arity(&self) -> usize {
        let (mut count, mut index) = (1, 0);
        while index < self.arguments.len() {
            count += !self.arguments[index].is_optional as usize;
            index += 1;
        }
        count
    }

    fn accepts(&self, count: usize) -> bool {
        count >= self.min_arity() && (self.is_open_ended() || count <= 1 + self.arguments.len())
    }

    fn is_open_ended(&self) -> bool {
        self.arguments.last().is_some_and(|argument| argument.is_repeated)
    }

    /// As the server takes it: negative when more is allowed. It is so for whatever has keys: the server counts the words
    /// that it is asked about with several keys as well. Too many arguments are refused by [`Self::accepts`] in any case.
    fn arity(&self) -> c_int {
        let min = self.min_arity() as c_int;
        if self.accesses.is_empty() && self.min_arity() == 1 + self.arguments.len() {
            min
        } else {
            -min
        }
    }
}

/// When those are asked who may refuse a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Veto {
    /// Before it runs.
    AtOnce,
    /// By the command itself: only then is it known what it is about.
    OnceItsTableIsKnown,
    /// Never: it takes back what refuses everything.
    Never,
}

/// How to register a command.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    /// What it is called and takes.
    pub spec: Spec,
    /// What its HELP prints.
    pub help: &'static [&'static str],
    register: fn(Context<'_>) -> Result<(), String>,
}

impl Registration {
    /// That of `C`.
    pub fn of<C: Command>() -> Self {
        Self { spec: C::SPEC, help: C::HELP, register: register::<C> }
    }

    /// Registers it during load. Says what the server refused.
    pub(super) fn register(&self, ctx: Context<'_>) -> Result<(), String> {
        (self.register)(ctx)
    }
}

/// A command of ours.
pub trait Command {
    /// What it is called and takes.
    const SPEC: Spec;

    /// What its HELP prints: each way to call it, then what that does. Empty when it has no HELP.
    const HELP: &'static [&'static str] = &[];

    /// When those are asked who may refuse it. A command about rows asks once it knows which.
    fn veto(_: Arguments<'_>) -> Veto {
        if const { Self::SPEC.names_rows() } {
            Veto::OnceItsTableIsKnown
        } else {
            Veto::AtOnce
        }
    }

    /// Runs it. `arguments` are those after the name; their number fits the spec.
    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Reply;
}

/// The arguments of a call, without the command's name.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a> {
    strings: &'a [*mut RedisModuleString],
}

impl<'a> Arguments<'a> {
    /// The bytes of argument `index`; `None` when there are fewer.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        // SAFETY: the server keeps the arguments alive and unchanged while the command runs.
        self.strings.get(index).map(|string| unsafe { bytes_of(*string) })
    }

    /// The bytes of each.
    pub fn all(&self) -> Vec<&'a [u8]> {
        (0..self.len()).filter_map(|index| self.get(index)).collect()
    }

    /// A copy of the first ones, each cut.
    pub fn kept(&self) -> Vec<Box<[u8]>> {
        call::kept((0..self.len()).filter_map(|index| self.get(index)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }

    /// The bytes of argument `index`, which the spec requires.
    pub fn required(&self, index: usize) -> &'a [u8] {
        self.get(index).unwrap_or_default()
    }
}

/// Registers `C` during load. Says which command the server refused.
fn register<C: Command>(ctx: Context<'_>) -> Result<(), String> {
    const { assert!(C::SPEC.accesses.is_empty() || C::SPEC.min_arity() <= acl::WORDS_MIN) };
    let spec = C::SPEC;
    let refused = |what: &str| format!("the server refused {what} {}", spec.name.to_string_lossy());
    // SAFETY: a valid context during load and C strings that the server copies. No key positions: the
    // key specs below say what is to be said.
    let status = unsafe {
        api!(RedisModule_CreateCommand)(
            ctx.as_raw(),
            spec.name.as_ptr(),
            Some(entry::<C>),
            spec.flags.as_ptr(),
            0,
            0,
            0,
        )
    };
    if status != raw::REDISMODULE_OK as c_int {
        return Err(refused("command"));
    }
    // SAFETY: registered just now.
    let command = unsafe { api!(RedisModule_GetCommand)(ctx.as_raw(), spec.name.as_ptr()) };
    set_categories(command, &spec);
    let is_cluster = ctx.flags().is_cluster();
    acl::ask_together(!is_cluster);
    if set_info(command, &spec, is_cluster) {
        Ok(())
    } else {
        Err(refused("the description of"))
    }
}

/// Redis 7.0 has no categories for modules' commands: there they are left out.
fn set_categories(command: *mut raw::RedisModuleCommand, spec: &Spec) {
    // SAFETY: read of a pointer that is set once at load.
    if let Some(set) = unsafe { raw::RedisModule_SetCommandACLCategories } {
        // SAFETY: a command of ours during load, and a C string.
        unsafe { set(command, spec.categories.as_ptr()) };
    }
}

fn set_info(command: *mut raw::RedisModuleCommand, spec: &Spec, is_cluster: bool) -> bool {
    let mut arguments = documented(spec.arguments);
    let mut key_specs = key_specs(spec, is_cluster);
    // SAFETY: all-zero is a valid value of this C structure: every pointer null.
    let mut info: raw::RedisModuleCommandInfo = unsafe { zeroed() };
    info.version = &INFO_VERSION.0;
    info.summary = spec.summary.as_ptr();
    info.complexity = spec.complexity.as_ptr();
    info.since = SINCE.as_ptr();
    info.arity = spec.arity();
    info.args = arguments.as_mut_ptr();
    info.key_specs = key_specs.as_mut_ptr();
    // SAFETY: every pointer is live for this call, the version for ever; the server copies the rest.
    unsafe { api!(RedisModule_SetCommandInfo)(command, &info) == raw::REDISMODULE_OK as c_int }
}

struct InfoVersion(raw::RedisModuleCommandInfoVersion);

// SAFETY: plain numbers, never written.
unsafe impl Sync for InfoVersion {}

/// The server keeps this pointer, so it must live for ever.
static INFO_VERSION: InfoVersion = InfoVersion(raw::RedisModuleCommandInfoVersion {
    // REDISMODULE_COMMAND_INFO_VERSION: a C structure literal that the bindings do not carry.
    version: 1,
    sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
    sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
    sizeof_arg: size_of::<RedisModuleCommandArg>(),
});

/// The arguments as the server wants them, with the empty one that ends the list.
fn documented(arguments: &[Argument]) -> Vec<RedisModuleCommandArg> {
    let document = |argument: &Argument| {
        let mut documented = no_argument();
        documented.name = argument.name.as_ptr();
        documented.type_ = match argument.kind {
            ArgumentKind::Text | ArgumentKind::LookupKey => {
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING
            }
            ArgumentKind::Integer => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER,
            ArgumentKind::Token => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN,
        };
        if argument.kind == ArgumentKind::Token {
            documented.token = argument.name.as_ptr();
        }
        if argument.is_optional {
            documented.flags = raw::REDISMODULE_CMD_ARG_OPTIONAL as c_int;
        }
        if argument.is_repeated {
            documented.flags |= raw::REDISMODULE_CMD_ARG_MULTIPLE as c_int;
        }
        documented
    };
    arguments.iter().map(document).chain([no_argument()]).collect()
}

fn no_argument() -> RedisModuleCommandArg {
    // SAFETY: all-zero is a valid value of this C structure.
    let mut argument: RedisModuleCommandArg = unsafe { zeroed() };
    argument.key_spec_index = -1;
    argument.name = ptr::null::<c_char>();
    argument
}

/// The lookup key is declared as *not a key*: cluster clients route by its hash tag, and the server matches
/// no ACL pattern against raw JSON (the check on the cache key is ours).
///
/// Outside of a cluster further specs tell the server's ACL which words are cache keys when [`acl`] asks about the command.
fn key_specs(spec: &Spec, is_cluster: bool) -> Vec<raw::RedisModuleCommandKeySpec> {
    let routed = spec.arguments.iter().position(|argument| argument.kind == ArgumentKind::LookupKey);
    let asked = if is_cluster { &[] } else { spec.accesses };
    routed
        .map(routed_by)
        .into_iter()
        .chain(asked.iter().map(|access| asked_for(*access)))
        .chain([no_key()])
        .collect()
}

/// What ends the list.
fn no_key() -> raw::RedisModuleCommandKeySpec {
    // SAFETY: all-zero is a valid value of this C structure.
    unsafe { zeroed() }
}

fn routed_by(position: usize) -> raw::RedisModuleCommandKeySpec {
    let mut spec = no_key();
    spec.flags = u64::from(raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_NOT_KEY);
    spec.begin_search_type = raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX;
    spec.bs.index.pos = position as c_int + 1;
    up_to(spec, 0)
}

fn asked_for(access: Access) -> raw::RedisModuleCommandKeySpec {
    let mut spec = no_key();
    spec.flags = access.spec_flags();
    spec.begin_search_type = raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_KEYWORD;
    spec.bs.keyword = raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_2 {
        keyword: access.keyword().as_ptr(),
        startfrom: 1,
    };
    up_to(spec, -1)
}

/// The keys of `spec` go on to `lastkey` words after the first, or to the end of all words for -1.
fn up_to(mut spec: raw::RedisModuleCommandKeySpec, lastkey: c_int) -> raw::RedisModuleCommandKeySpec {
    spec.find_keys_type = raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE;
    spec.fk.range =
        raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 { lastkey, keystep: 1, limit: 0 };
    spec
}

unsafe extern "C" fn entry<C: Command>(
    ctx: *mut RedisModuleCtx,
    argv: *mut *mut RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server passes a valid context and `argc` arguments, the command's name first.
    let (ctx, strings) = unsafe { (Context::new(ctx), slice::from_raw_parts(argv, argc.max(0) as usize)) };
    let began = Tick::now();
    let reply = if C::SPEC.accepts(strings.len()) {
        let arguments = Arguments { strings: strings.get(1..).unwrap_or_default() };
        let failed = || Reply::Error(Error::malformed("internal error, see the server's log"));
        guard("a command", || run::<C>(ctx, arguments)).unwrap_or_else(failed)
    } else {
        wrong_arity(&C::SPEC)
    };
    guard("a reply", || reply.send(ctx));
    let arguments = Arguments { strings: strings.get(1..).unwrap_or_default() };
    // Worked out once, by the compiler.
    let (name, is_write) = const { (C::SPEC.name(), C::SPEC.is_write()) };
    guard("the end of a command", || end(ctx, name, is_write, arguments, began, &reply));
    raw::REDISMODULE_OK as c_int
}

fn run<C: Command>(ctx: Context<'_>, arguments: Arguments<'_>) -> Reply {
    if const { C::SPEC.is_admin() } {
        if let Err(refusal) = categories::check(ctx, &C::SPEC) {
            return Reply::Error(refusal);
        }
    }
    if C::veto(arguments) == Veto::AtOnce {
        if let Err(refusal) = veto::of_command(ctx, &C::SPEC, arguments) {
            return Reply::Error(refusal);
        }
    }
    C::run(ctx, arguments)
}

/// Tells of the command's end, or, when its client waits, keeps what is to be told then.
fn end(
    ctx: Context<'_>,
    command: &'static str,
    is_write: bool,
    arguments: Arguments<'_>,
    began: Tick,
    reply: &Reply,
) {
    let keep = || arguments.kept();
    let client = ctx.client_id();
    crate::engine::with(|engine| match (engine.waiters.take_newest(), engine.about.take()) {
        (Some(waiter), subject) => {
            let (arguments, spent) = (keep(), Spent::default());
            let call = Call { command, began, arguments, is_write, client, subject, spent };
            engine.waiters.remember(waiter, call);
        }
        (None, subject) => {
            let error = reply.error_code();
            let ended = Ended {
                command,
                is_write,
                client,
                subject: subject.as_ref(),
                at_s: engine.now_s,
                duration_us: began.elapsed_us(),
                spent: Spent::default(),
                error: error.as_deref(),
                arguments: Words::Live(&keep),
            };
            engine.tell_ended(ctx, &ended);
        }
    });
}

fn wrong_arity(spec: &Spec) -> Reply {
    let name = CString::from(spec.name);
    Reply::Error(Error::malformed(format!(
        "wrong number of arguments for '{}' command",
        name.to_string_lossy()
    )))
}
