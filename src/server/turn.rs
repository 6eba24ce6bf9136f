//! Turns of the server's event loop: in each of them the commands that have arrived are run, and then the replies go out.

use std::cell::Cell;

thread_local! {
    static TURN: Cell<u64> = const { Cell::new(0) };
}

/// The number of the turn under way.
pub fn number() -> u64 {
    TURN.get()
}

/// Another turn has begun.
pub(super) fn begin() {
    TURN.set(TURN.get() + 1);
}
