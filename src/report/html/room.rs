//! How much of a run the page shows: as much as its limit allows. What has no bound of its own, such as gates, promises
//! and the scenario, is shown in part where there is very much of it, and the page says how much more there is.

/// What a page may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// The most rows of each table.
    pub(super) rows: usize,
    /// The most bytes of the pictures of promises.
    pub(super) pictures: usize,
    /// The most bytes of the scenario's text.
    pub(super) text: usize,
}

impl Room {
    /// The longest page, in bytes.
    pub(super) const PAGE: usize = 400 << 10;

    /// From what nearly every run has room with, to what any run has room with.
    pub(super) const ALL: [Self; 3] = [
        Self {
            rows: 100,
            pictures: 128 << 10,
            text: 32 << 10,
        },
        Self {
            rows: 50,
            pictures: 64 << 10,
            text: 16 << 10,
        },
        Self {
            rows: 20,
            pictures: 24 << 10,
            text: 6 << 10,
        },
    ];
}
