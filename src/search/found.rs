//! What a search found: the most that held, what lies above it, and what can be read from all probes together.

use crate::verdict::Exit;

/// A load stands on its knee up to this multiple of the least p99.
const KNEE: f64 = 3.0;

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The largest value below the least one that did not hold; `None` if none held.
    pub most: Option<u64>,
    /// Whether it held in two of three tries.
    pub is_confirmed: bool,
    /// What lies above it.
    pub bound: Bound,
    /// A value that held above one that broke: the larger, the smaller.
    pub not_monotone: Option<(u64, u64)>,
    /// Why the search ended.
    pub end: End,
}

impl Found {
    /// How the search ends, where at least so much was asked for. What is not confirmed is no result, and the limit of
    /// wsbench is none of the server.
    pub fn exit(&self, least: Option<u64>) -> Exit {
        match self.end {
            End::Interrupted => return Exit::Interrupted,
            End::Failed => return Exit::Unexpected,
            _ => {}
        }
        let reaches = |most: u64| most >= least.unwrap_or(1);
        let lies_below = |broke: u64| least.is_some_and(|least| broke <= least);
        match self.bound {
            _ if self.is_confirmed && self.most.is_some_and(reaches) => Exit::Passed,
            Bound::Broke(broke) if self.end == End::Found || lies_below(broke) => Exit::Failed,
            _ => Exit::Untrusted,
        }
    }
}

/// What lies above the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Nothing that was tried.
    None,
    /// The server broke at this value.
    Broke(u64),
    /// wsbench itself was the limit at this value.
    Generator(u64),
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It found what it was for.
    Found,
    /// A probe had no verdict, and nothing below it held.
    NoVerdict,
    /// Too many values held once and not again.
    Unsteady,
    /// It took as many probes as a search may.
    TooMany,
    /// The time was over.
    Budget,
    /// A signal came.
    Interrupted,
    /// A probe could not be run.
    Failed,
}

/// The knee: the largest load up to which every p99 is at most three times the least of all. Loads and their p99 come in
/// any order. `None` without any.
pub fn knee(points: &[(f64, f64)]) -> Option<f64> {
    let least = points.iter().map(|(_, p99)| *p99).reduce(f64::min)?;
    let mut points = points.to_vec();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let slow = points.iter().find(|(_, p99)| *p99 > KNEE * least);
    let up_to = slow.map_or(f64::INFINITY, |(load, _)| *load);
    let loads = points.iter().map(|(load, _)| *load);
    loads.filter(|load| *load < up_to).reduce(f64::max)
}

/// The line through what is used over connections that misses it least (least squares): the cost of a connection, and what
/// there is without any, in the unit of what is used. `None` if there are not two different numbers of connections.
pub fn cost(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let number = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / number;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let each = together / spread;
    each.is_finite().then_some((each, y - each * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_a_gate() {
        let found = |most, is_confirmed, bound, end| Found {
            most,
            is_confirmed,
            bound,
            not_monotone: None,
            end,
        };
        let done = found(Some(680), true, Bound::Broke(710), End::Found);
        assert_eq!(done.exit(None), Exit::Passed);
        assert_eq!(done.exit(Some(680)), Exit::Passed);
        assert_eq!(done.exit(Some(681)), Exit::Failed);
        let ours = found(Some(680), true, Bound::Generator(710), End::Found);
        assert_eq!(ours.exit(Some(680)), Exit::Passed);
        assert_eq!(ours.exit(Some(700)), Exit::Untrusted);
        let none = found(None, false, Bound::Broke(1), End::Found);
        assert_eq!(none.exit(None), Exit::Failed);
        let early = found(Some(400), false, Bound::Broke(800), End::Budget);
        assert_eq!(early.exit(None), Exit::Untrusted, "it is not confirmed");
        assert_eq!(early.exit(Some(900)), Exit::Failed);
        let stopped = found(Some(400), true, Bound::None, End::Interrupted);
        assert_eq!(stopped.exit(None), Exit::Interrupted);
    }

    #[test]
    fn the_knee_is_the_last_load_before_the_first_slow_one() {
        let points = [(400.0, 2.9), (100.0, 1.0), (800.0, 3.1), (1_600.0, 2.0)];
        assert_eq!(knee(&points), Some(400.0));
        assert_eq!(knee(&points[..2]), Some(400.0), "it lies at or above");
        assert_eq!(
            knee(&[(100.0, 9.0), (200.0, 1.0)]),
            None,
            "the least load is slow"
        );
        assert_eq!(knee(&[]), None);
    }

    #[test]
    fn the_cost_is_the_slope() {
        let (each, without) =
            cost(&[(100.0, 1_200.0), (200.0, 2_200.0), (400.0, 4_200.0)]).unwrap();
        assert!((each - 10.0).abs() < 1e-9 && (without - 200.0).abs() < 1e-9);
        assert_eq!(cost(&[(100.0, 5.0), (100.0, 6.0)]), None);
        assert_eq!(cost(&[]), None);
    }
}
