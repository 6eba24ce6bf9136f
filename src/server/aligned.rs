//! Blocks that are aligned further than the allocator that they come from promises: larger ones, with the address at which
//! they begin right before the part that is used.

use std::alloc::Layout;
use std::mem::size_of;

/// How C's `malloc` aligns whatever is no smaller. Layouts may ask for less and rely on it all the same: an exception of the
/// standard library does, in the unwinder.
const OF_MALLOC: usize = 16;

/// What a server's allocator promises at the least: where the C library does not say how large a block is (musl), the server
/// keeps that in the first 8 bytes of one, and hands out what comes after them.
const OF_SERVERS: usize = 8;

/// Room for an address: what lies before the part that is used is no smaller than what is promised.
const _: () = assert!(size_of::<*mut u8>() <= OF_SERVERS);

/// What the allocator behind `take` and `free` promises for blocks that are no smaller, as a few of them show.
pub(super) fn promised(take: impl Fn(usize) -> *mut u8, free: impl Fn(*mut u8)) -> usize {
    let blocks: [*mut u8; 8] = std::array::from_fn(|index| take(OF_MALLOC + index * OF_SERVERS));
    blocks.iter().for_each(|block| free(*block));
    if blocks.iter().all(|block| block.addr() % OF_MALLOC == 0) {
        OF_MALLOC
    } else {
        OF_SERVERS
    }
}

/// Whether an allocator that promises that much aligns a block for `layout` far enough.
#[inline]
pub(super) fn is_enough(promised: usize, layout: Layout) -> bool {
    let of_size = if layout.size() < OF_MALLOC { OF_SERVERS } else { promised };
    wanted(layout) <= of_size
}

/// How a block for `layout` is aligned.
#[inline]
fn wanted(layout: Layout) -> usize {
    if layout.size() < OF_MALLOC {
        layout.align()
    } else {
        layout.align().max(OF_MALLOC)
    }
}

/// A block for `layout`, in one that `take` returns when it is told how many bytes: aligned as every server promises, or null,
/// which is passed on.
pub(super) fn new(layout: Layout, take: impl FnOnce(usize) -> *mut u8) -> *mut u8 {
    let align = wanted(layout);
    // No overflow: neither of them is more than `isize::MAX`.
    let block = take(layout.size() + align);
    if block.is_null() {
        return block;
    }
    // What is promised at the least, since the block is aligned to that, and `align` at the most.
    let offset = align - block.addr() % align;
    // SAFETY: the block has `align` bytes more than are used; `offset` is no more than that and enough for an address, whose
    // own alignment is no larger than what the block and `align` have in common.
    unsafe {
        let used = block.add(offset);
        used.cast::<*mut u8>().sub(1).write(block);
        used
    }
}

/// The block in which [`new`] returned `used`.
///
/// # Safety
/// `used` came from [`new`] and is not null.
pub(super) unsafe fn taken(used: *mut u8) -> *mut u8 {
    // SAFETY: `new` has written it there.
    unsafe { used.cast::<*mut u8>().sub(1).read() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::alloc::{alloc_zeroed, dealloc};
    use std::cell::RefCell;
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Hands out what comes so many bytes after the beginning of what C aligns: none as with glibc, 8 as with musl.
    #[derive(Default)]
    struct Server {
        skipped: usize,
        sizes: RefCell<HashMap<*mut u8, usize>>,
    }

    impl Server {
        fn whole(&self, size: usize) -> Layout {
            Layout::from_size_align(size + self.skipped, OF_MALLOC).unwrap()
        }

        fn take(&self, size: usize) -> *mut u8 {
            // SAFETY: not of size 0, and larger than what is skipped.
            let block = unsafe { alloc_zeroed(self.whole(size)).add(self.skipped) };
            self.sizes.borrow_mut().insert(block, size);
            block
        }

        fn free(&self, block: *mut u8) {
            let size = self.sizes.borrow_mut().remove(&block).unwrap();
            // SAFETY: taken above with that size, and freed once.
            unsafe { dealloc(block.sub(self.skipped), self.whole(size)) }
        }
    }

    #[test]
    fn what_is_promised_shows() {
        for (skipped, wanted) in [(0, 16), (8, 8)] {
            let server = Server { skipped, ..Server::default() };
            assert_eq!(promised(|size| server.take(size), |block| server.free(block)), wanted);
            assert!(server.sizes.borrow().is_empty());
        }
    }

    proptest! {
        #[test]
        fn what_is_used_is_aligned_and_leads_back_to_what_was_taken(size in 1..500usize, power in 3..13u32) {
            let layout = Layout::from_size_align(size, 1 << power).unwrap();
            let server = Server { skipped: 8, ..Server::default() };
            let used = new(layout, |size| server.take(size));
            // SAFETY: `new` returned it.
            let block = unsafe { taken(used) };
            let taken_size = server.sizes.borrow()[&block];
            prop_assert_eq!(used.addr() % layout.align(), 0);
            prop_assert!(size < 16 || used.addr() % 16 == 0);
            prop_assert!(used > block && used.addr() + size <= block.addr() + taken_size);
            // SAFETY: within the block, as was just seen.
            unsafe { used.write_bytes(0xff, size) };
            // SAFETY: `new` returned it.
            server.free(unsafe { taken(used) });
        }

        #[test]
        fn whoever_aligns_as_c_does_is_enough_for_all_but_larger_alignments(size in 0..500usize, power in 0..13u32) {
            let layout = Layout::from_size_align(size, 1 << power).unwrap();
            prop_assert_eq!(is_enough(16, layout), power <= 3 || (power == 4 && size >= 16));
            prop_assert_eq!(is_enough(8, layout), size < 16 && power <= 3);
        }
    }

    #[test]
    fn nothing_stays_nothing() {
        let layout = Layout::from_size_align(10, 64).unwrap();
        assert!(new(layout, |_| std::ptr::null_mut()).is_null());
    }
}
