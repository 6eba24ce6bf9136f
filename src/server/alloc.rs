//! The global allocator: the server's own, so that what the module holds counts as `used_memory`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::os::raw::c_void;

use redis_module::raw;

/// How C's `malloc` aligns blocks of this size and larger ones. A server that aligns them less is [refused](check).
const MALLOC_ALIGN: usize = 16;
/// How every `malloc` aligns smaller blocks.
const SMALL_ALIGN: usize = 8;

/// The server's allocator when the module is loaded into one, the system's otherwise: in unit tests, and for the few blocks
/// that are aligned further than `malloc` promises (those of locks and queues that have a cache line to themselves).
///
/// Nothing is allocated before the server has handed over its functions, and the layout alone decides afterwards, so that no
/// block is ever freed by the allocator that it did not come from.
#[derive(Debug, Clone, Copy)]
pub struct ModuleAlloc;

// SAFETY: each block is freed and resized by the allocator that it came from, because that depends on its layout, and on
// pointers that are set before the first allocation only.
unsafe impl GlobalAlloc for ModuleAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: written once, before anything of ours runs.
        match unsafe { raw::RedisModule_Alloc } {
            // SAFETY: the server's malloc takes any size.
            Some(alloc) if is_for_malloc(layout) => unsafe { alloc(layout.size()).cast() },
            // SAFETY: the caller's contract is passed on.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Free } {
            // SAFETY: the block came from the server's malloc.
            Some(free) if is_for_malloc(layout) => unsafe { free(block.cast()) },
            // SAFETY: the caller's contract is passed on.
            _ => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Calloc } {
            // SAFETY: the server's calloc takes any size.
            Some(calloc) if is_for_malloc(layout) => unsafe { calloc(1, layout.size()).cast() },
            // SAFETY: the caller's contract is passed on.
            _ => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller vouches for the size.
        let resized = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: as in `alloc`.
        match (unsafe { raw::RedisModule_Realloc }, is_for_malloc(layout), is_for_malloc(resized)) {
            // SAFETY: the block came from the server's malloc.
            (Some(realloc), true, true) => unsafe { realloc(block.cast(), size).cast() },
            // SAFETY: the caller's contract is passed on.
            (Some(_), true, false) | (Some(_), false, true) => unsafe { self.moved(block, layout, resized) },
            // SAFETY: the caller's contract is passed on.
            _ => unsafe { System.realloc(block, layout, size) },
        }
    }
}

impl ModuleAlloc {
    /// Resizes a block that another allocator is responsible for at its new size.
    ///
    /// # Safety
    /// As for `realloc`.
    unsafe fn moved(&self, block: *mut u8, layout: Layout, resized: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches. Both blocks have as many bytes as are copied, and the old one is freed once.
        unsafe {
            let moved = self.alloc(resized);
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(resized.size()));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// Whether C's `malloc` aligns a block of this layout far enough.
fn is_for_malloc(layout: Layout) -> bool {
    let promised = if layout.size() < MALLOC_ALIGN { SMALL_ALIGN } else { MALLOC_ALIGN };
    layout.align() <= promised
}

/// Fails for a server whose allocator aligns its blocks less than C's `malloc` does: one built with a C library that does not
/// say how large a block is (musl) keeps the size in front of it. The standard library relies on the alignment.
pub(super) fn check() -> Result<(), &'static str> {
    let (alloc, free) = (api!(RedisModule_Alloc), api!(RedisModule_Free));
    // SAFETY: the server's malloc takes any size.
    let blocks: [*mut c_void; 8] = std::array::from_fn(|index| unsafe { alloc(MALLOC_ALIGN * (index + 1)) });
    // SAFETY: each block comes from the server's malloc and is freed once.
    blocks.iter().for_each(|block| unsafe { free(*block) });
    if blocks.iter().all(|block| block.addr() % MALLOC_ALIGN == 0) {
        return Ok(());
    }
    Err("this server's allocator aligns memory to 8 bytes where 16 are needed: use a server that is built with glibc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malloc_serves_what_it_aligns_far_enough() {
        let is_served = |size, align| Layout::from_size_align(size, align).is_ok_and(is_for_malloc);
        assert!(is_served(1, 1) && is_served(8, 8) && is_served(16, 16) && is_served(500, 16));
        assert!(!is_served(8, 16) && !is_served(64, 64) && !is_served(4096, 4096));
    }
}
