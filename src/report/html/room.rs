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

/// So many of these, those first that are wanted most; and how many more there are. Those shown keep their order.
pub(super) fn most<T>(all: Vec<T>, most: usize, is_wanted: impl Fn(&T) -> bool) -> (Vec<T>, usize) {
    let more = all.len().saturating_sub(most);
    if more == 0 {
        return (all, 0);
    }
    let wanted = all.iter().filter(|one| is_wanted(one)).count();
    let mut others = most.saturating_sub(wanted);
    let mut room = most;
    let shown = all.into_iter().filter(|one| {
        let left = if is_wanted(one) {
            &mut room
        } else {
            &mut others
        };
        let fits = *left > 0;
        *left -= usize::from(fits);
        fits
    });
    (shown.collect(), more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_are_shown_first_and_in_order() {
        let odd = |number: &u32| number % 2 == 1;
        assert_eq!(most(vec![1, 2, 3], 3, odd), (vec![1, 2, 3], 0));
        assert_eq!(most((0..10).collect(), 6, odd), (vec![0, 1, 3, 5, 7, 9], 4));
        assert_eq!(most((0..10).collect(), 2, odd), (vec![1, 3], 8));
        assert_eq!(most((0..4).collect(), 0, odd), (vec![], 4));
    }
}
