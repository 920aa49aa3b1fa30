//! Who dials. The library asks for tickets and certificates without saying for which connection, so that is noted before
//! each call of it.

use std::cell::Cell;

thread_local! {
    static NOW: Cell<u32> = const { Cell::new(0) };
}

/// The client of a connection, by its number in the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(pub(super) u32);

impl Client {
    /// Notes that the library works for this client from now on, on this thread.
    #[inline]
    pub(super) fn enter(self) {
        NOW.set(self.0);
    }

    /// The client for which the library works.
    pub(super) fn now() -> u32 {
        NOW.get()
    }
}
