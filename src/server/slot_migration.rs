//! Atomic slot migration of Valkey 9: slots that come to this server whole, while they are another node's.

use std::ffi::{c_char, CStr};
use std::os::raw::{c_int, c_void};
use std::slice;

use redis_module::raw::{self, RedisModuleCtx, RedisModuleEvent};

use super::context::Context;
use super::module::tell;
use crate::cache::slot::SLOTS;
use crate::cache::slot_ranges::SlotRanges;

/// `VALKEYMODULE_OPTIONS_HANDLE_ATOMIC_SLOT_MIGRATION`: without it Valkey migrates no slots while the module is loaded.
const OPTION: c_int = 1 << 5;

/// `ValkeyModuleEvent_AtomicSlotMigration`. The number is another event's in Redis.
const EVENT: RedisModuleEvent = RedisModuleEvent { id: 19, dataver: 1 };

const IMPORT_STARTED: u64 = 0;
const IMPORT_ABORTED: u64 = 2;
const IMPORT_COMPLETED: u64 = 4;

/// `ValkeyModuleSlotRange`.
#[repr(C)]
struct SlotRange {
    start: c_int,
    end: c_int,
}

/// `ValkeyModuleAtomicSlotMigrationInfoV1`.
#[repr(C)]
struct MigrationInfo {
    version: u64,
    job_name: [c_char; 41],
    slot_ranges: *const SlotRange,
    num_slot_ranges: u32,
}

/// Has the server tell of slots that are imported, and migrate slots, if it knows how to. `options`: those declared before.
pub(super) fn declare(ctx: Context<'_>, options: c_int) {
    if is_known(ctx) && subscribe(ctx) {
        // SAFETY: a valid context during load.
        unsafe { api!(RedisModule_SetModuleOptions)(ctx.as_raw(), options | OPTION) };
    }
}

/// Whether this is a Valkey that knows the option. Redis may come to have another one of the same number.
fn is_known(ctx: Context<'_>) -> bool {
    // SAFETY: the server writes this pointer once, before OnLoad; Redis 7.0 leaves it empty.
    let known = unsafe { raw::RedisModule_GetModuleOptionsAll };
    // SAFETY: takes nothing, and returns a constant.
    known.is_some_and(|known| unsafe { known() } & OPTION != 0) && is_valkey(ctx)
}

fn is_valkey(ctx: Context<'_>) -> bool {
    // SAFETY: a valid context and C strings; what GetServerInfo makes is freed once, and the field is not used after that.
    unsafe {
        let info = api!(RedisModule_GetServerInfo)(ctx.as_raw(), c"server".as_ptr());
        let version = api!(RedisModule_ServerInfoGetFieldC)(info, c"valkey_version".as_ptr());
        let is_valkey = !version.is_null() && !CStr::from_ptr(version).is_empty();
        api!(RedisModule_FreeServerInfo)(ctx.as_raw(), info);
        is_valkey
    }
}

fn subscribe(ctx: Context<'_>) -> bool {
    // SAFETY: a valid context during load.
    let status = unsafe { api!(RedisModule_SubscribeToServerEvent)(ctx.as_raw(), EVENT, Some(on_event)) };
    status == raw::REDISMODULE_OK as c_int
}

unsafe extern "C" fn on_event(ctx: *mut RedisModuleCtx, _: RedisModuleEvent, subevent: u64, data: *mut c_void) {
    // SAFETY: the server passes a valid context, and the data of this event, for the time of this call.
    let (ctx, info) = unsafe { (Context::new(ctx), data.cast::<MigrationInfo>().as_ref()) };
    let Some(info) = info.filter(|info| info.version >= 1) else { return };
    tell("a slot migration", |module| match subevent {
        IMPORT_STARTED => module.slot_import_started(&slots(info)),
        IMPORT_COMPLETED | IMPORT_ABORTED => module.slot_import_ended(ctx, &slots(info)),
        // What leaves is the business of the node that it goes to.
        _ => {}
    });
}

fn slots(info: &MigrationInfo) -> SlotRanges {
    if info.slot_ranges.is_null() {
        return SlotRanges::default();
    }
    // SAFETY: an array of that length, alive for the time of the event.
    let ranges = unsafe { slice::from_raw_parts(info.slot_ranges, info.num_slot_ranges as usize) };
    let slot = |number: c_int| u16::try_from(number).map_or(SLOTS - 1, |slot| slot.min(SLOTS - 1));
    ranges.iter().map(|range| slot(range.start)..=slot(range.end)).collect()
}
