//! The global allocator: the server's own, so that what the module holds counts as `used_memory`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use redis_module::raw;

use super::aligned;

/// How far the server's allocator aligns blocks that are no smaller; 0: not known yet, because nothing was allocated.
static PROMISED: AtomicUsize = AtomicUsize::new(0);

/// The server's allocator when the module is loaded into one, the system's otherwise (unit tests).
///
/// Nothing is allocated before the server has handed over its functions, so that no block is ever freed by
/// the allocator that it did not come from.
#[derive(Debug, Clone, Copy)]
pub struct ModuleAlloc;

// SAFETY: each block is freed and resized as it was allocated, because how that is depends on its layout, on pointers that
// are set before the first allocation only, and on what the first allocation has found.
unsafe impl GlobalAlloc for ModuleAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: written once, before anything of ours runs.
        match unsafe { raw::RedisModule_Alloc } {
            // SAFETY: the server's malloc takes any size.
            Some(alloc) => new(layout, |size| unsafe { alloc(size).cast() }),
            // SAFETY: the caller's contract is passed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Free } {
            // SAFETY: the block came from the server's malloc.
            Some(free) if is_as_taken(layout) => unsafe { free(block.cast()) },
            // SAFETY: the block came from `aligned::new`, and what was taken for it from the server's malloc.
            Some(free) => unsafe { free(aligned::taken(block).cast()) },
            // SAFETY: the caller's contract is passed on.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Calloc } {
            // SAFETY: the server's calloc takes any size.
            Some(calloc) => new(layout, |size| unsafe { calloc(1, size).cast() }),
            // SAFETY: the caller's contract is passed on.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller vouches for the size.
        let resized = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: as in `alloc`.
        match unsafe { raw::RedisModule_Realloc } {
            // SAFETY: the block came from the server's malloc.
            Some(realloc) if is_as_taken(layout) && is_as_taken(resized) => unsafe {
                realloc(block.cast(), size).cast()
            },
            // SAFETY: the caller's contract is passed on.
            Some(_) => unsafe { self.moved(block, layout, resized) },
            // SAFETY: the caller's contract is passed on.
            None => unsafe { System.realloc(block, layout, size) },
        }
    }
}

impl ModuleAlloc {
    /// Resizes a block that the server cannot, since it would not keep the alignment.
    ///
    /// # Safety
    /// As for `realloc`.
    unsafe fn moved(&self, block: *mut u8, layout: Layout, resized: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches. Both blocks have as many bytes as are copied, and the old one is freed once.
        unsafe {
            let moved = self.alloc(resized);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(resized.size()));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// A block for `layout` of what `take` returns when it is told how many bytes.
fn new(layout: Layout, take: impl FnOnce(usize) -> *mut u8) -> *mut u8 {
    if PROMISED.load(Relaxed) == 0 {
        look();
    }
    if is_as_taken(layout) {
        take(layout.size())
    } else {
        aligned::new(layout, take)
    }
}

/// Whether the block of this layout is one of the server's as it is.
fn is_as_taken(layout: Layout) -> bool {
    aligned::is_enough(PROMISED.load(Relaxed), layout)
}

/// Finds out what the server's allocator promises.
#[cold]
fn look() {
    let (alloc, free) = (api!(RedisModule_Alloc), api!(RedisModule_Free));
    // SAFETY: the server's malloc takes any size, and what comes from it is freed once.
    let promised = unsafe { aligned::promised(|size| alloc(size).cast(), |block| free(block.cast())) };
    PROMISED.store(promised, Relaxed);
}
