//! The global allocator: the server's own, so that what the module holds counts as `used_memory`.

use std::alloc::{GlobalAlloc, Layout, System};

use redis_module::raw;

/// What jemalloc and libc both guarantee without being asked.
const GUARANTEED_ALIGNMENT: usize = 16;

/// The server's allocator when the module is loaded into one, the system's otherwise (unit tests), and for
/// alignments that the server's does not promise.
///
/// Nothing is allocated before the server has handed over its functions, so that no block is ever freed by
/// the allocator that it did not come from.
#[derive(Debug, Clone, Copy)]
pub struct ModuleAlloc;

// SAFETY: each block is freed and resized by the allocator that it came from, because which one that is
// depends on the layout's alignment and on pointers that are set before the first allocation only.
unsafe impl GlobalAlloc for ModuleAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: written once, before anything of ours runs.
        match unsafe { raw::RedisModule_Alloc } {
            // SAFETY: the server's malloc takes any size.
            Some(alloc) if layout.align() <= GUARANTEED_ALIGNMENT => unsafe { alloc(layout.size()).cast() },
            // SAFETY: the caller's contract is passed on.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Free } {
            // SAFETY: the block came from the server's malloc.
            Some(free) if layout.align() <= GUARANTEED_ALIGNMENT => unsafe { free(block.cast()) },
            // SAFETY: the caller's contract is passed on.
            _ => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Calloc } {
            // SAFETY: the server's calloc takes any size.
            Some(calloc) if layout.align() <= GUARANTEED_ALIGNMENT => unsafe {
                calloc(1, layout.size()).cast()
            },
            // SAFETY: the caller's contract is passed on.
            _ => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Realloc } {
            // SAFETY: the block came from the server's malloc.
            Some(realloc) if layout.align() <= GUARANTEED_ALIGNMENT => unsafe {
                realloc(block.cast(), size).cast()
            },
            // SAFETY: the caller's contract is passed on.
            _ => unsafe { System.realloc(block, layout, size) },
        }
    }
}
