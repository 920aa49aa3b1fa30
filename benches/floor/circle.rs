//! Connections that hear each other: a room without a name, for a server that looks at no message.

use std::num::NonZeroUsize;

/// Puts connections into circles in the order of their dials, and begins anew when none is left.
pub(crate) struct Circles {
    /// How many are in each; `None`: nobody hears another.
    size: Option<usize>,
    /// Those that are there, by circle.
    members: Vec<Vec<usize>>,
    /// How many were dialled since there was none.
    dialled: usize,
    present: usize,
}

impl Circles {
    /// Nobody yet. Without a size, each connection is alone.
    pub(crate) fn new(size: Option<NonZeroUsize>) -> Self {
        Self {
            size: size.map(NonZeroUsize::get),
            members: Vec::new(),
            dialled: 0,
            present: 0,
        }
    }

    /// Whether there are circles.
    pub(crate) fn are_there(&self) -> bool {
        self.size.is_some()
    }

    /// Takes in a new connection with this number; returns its circle.
    pub(crate) fn enter(&mut self, number: usize) -> usize {
        if self.present == 0 {
            (self.dialled, self.members) = (0, Vec::new());
        }
        let circle = self.size.map_or(0, |size| self.dialled / size);
        self.dialled += 1;
        self.present += 1;
        if self.are_there() {
            self.members.resize_with(circle + 1, Vec::new);
            self.members[circle].push(number);
        }
        circle
    }

    /// Lets a connection go.
    pub(crate) fn leave(&mut self, circle: usize, number: usize) {
        self.present -= 1;
        if let Some(members) = self.members.get_mut(circle) {
            members.retain(|member| *member != number);
        }
    }

    /// Puts the numbers of those in a circle into a list, which may be changed meanwhile.
    pub(crate) fn members(&self, circle: usize, into: &mut Vec<usize>) {
        into.clear();
        into.extend(self.members.get(circle).into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(circles: &Circles, circle: usize) -> Vec<usize> {
        let mut all = Vec::new();
        circles.members(circle, &mut all);
        all
    }

    #[test]
    fn circles_fill_in_the_order_of_the_dials_and_begin_anew() {
        let mut circles = Circles::new(NonZeroUsize::new(2));
        assert_eq!([7, 8, 9].map(|number| circles.enter(number)), [0, 0, 1]);
        circles.leave(0, 7);
        assert_eq!(circles.enter(7), 1);
        assert_eq!(
            (members(&circles, 0), members(&circles, 1)),
            (vec![8], vec![9, 7])
        );
        for (circle, number) in [(0, 8), (1, 9), (1, 7)] {
            circles.leave(circle, number);
        }
        assert_eq!(circles.enter(3), 0);
        assert_eq!(members(&circles, 0), [3]);
    }

    #[test]
    fn without_a_size_nobody_hears_another() {
        let mut circles = Circles::new(None);
        circles.enter(1);
        assert_eq!(members(&circles, 0), [0; 0]);
    }
}
