//! Descriptions: what COMMAND DOCS says of a command, and by what keys clients and ACLs go.

use std::ffi::CStr;
use std::mem::{size_of, zeroed};
use std::os::raw::{c_char, c_int};
use std::ptr;

use redis_module::raw::{self, RedisModuleCommandArg};

use super::spec::{Argument, ArgumentKind, Spec};
use crate::cache::Access;

/// The version in which the first commands appeared, as COMMAND DOCS reports it.
const SINCE: &CStr = c"0.1.0";

/// Tells the server what COMMAND DOCS says of a command. Returns whether it has taken it.
pub(super) fn set_info(command: *mut raw::RedisModuleCommand, spec: &Spec, is_cluster: bool) -> bool {
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
            ArgumentKind::Text | ArgumentKind::LookupKey | ArgumentKind::Routing | ArgumentKind::Behind(_) => {
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING
            }
            ArgumentKind::Integer => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER,
            ArgumentKind::Token => raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN,
        };
        match argument.kind {
            ArgumentKind::Token => documented.token = argument.name.as_ptr(),
            ArgumentKind::Behind(word) => documented.token = word.as_ptr(),
            ArgumentKind::Text | ArgumentKind::Integer | ArgumentKind::LookupKey | ArgumentKind::Routing => {}
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
/// So is what else routes a command. It matters in a cluster alone, where it is declared.
///
/// Outside of a cluster further specs tell the server's ACL which words are cache keys when [`acl`] asks about the command.
fn key_specs(spec: &Spec, is_cluster: bool) -> Vec<raw::RedisModuleCommandKeySpec> {
    let routed = spec.routing().filter(|_| is_cluster || spec.names_rows());
    let asked = if is_cluster { &[] } else { spec.accesses };
    routed.map(routed_by).into_iter().chain(asked.iter().map(|access| asked_for(*access))).chain([no_key()]).collect()
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
    spec.bs.keyword =
        raw::RedisModuleCommandKeySpec__bindgen_ty_1__bindgen_ty_2 { keyword: access.keyword().as_ptr(), startfrom: 1 };
    up_to(spec, -1)
}

/// The keys of `spec` go on to `lastkey` words after the first, or to the end of all words for -1.
fn up_to(mut spec: raw::RedisModuleCommandKeySpec, lastkey: c_int) -> raw::RedisModuleCommandKeySpec {
    spec.find_keys_type = raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE;
    spec.fk.range = raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 { lastkey, keystep: 1, limit: 0 };
    spec
}
