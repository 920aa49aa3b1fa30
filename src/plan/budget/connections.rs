//! The connections of a plan: how many are open at once, and how many there are in all.

use crate::scenario::{Cohort, HttpVersion, Scenario, Servers, Shape};

/// The clients of a cohort that arrive, and leave again.
struct Arriving {
    /// How many are open at once, if the target is as quick as planned.
    expected: f64,
    /// The most that may be.
    most: u32,
}

/// Of each cohort in a run of arrivals; `None` in others, in which all that were opened stay.
fn arriving(scenario: &Scenario, cohort: &Cohort) -> Option<Arriving> {
    let Shape::Arrivals {
        rate,
        lifetime,
        max_open,
        warm_up,
        ..
    } = &scenario.load.shape
    else {
        return None;
    };
    let stays = lifetime.longest(cohort, *warm_up);
    Some(Arriving {
        expected: rate.hertz() * stays.as_secs_f64(),
        most: *max_open,
    })
}

/// Returns the most connections that may be open at once.
pub(super) fn open_at_once(scenario: &Scenario) -> u64 {
    match arriving(scenario, &scenario.cohorts[0]) {
        Some(Arriving { expected, most }) => {
            // A slow target keeps arrivals open longer than planned: leaves room for twice as many.
            let room = (expected.ceil() as u64).saturating_mul(2).max(1);
            u64::from(most).min(room).min(dials(scenario).max(1))
        }
        None => scenario.connections(),
    }
}

/// Returns how many of a cohort's connections are open at once, as planned.
pub(super) fn at_once(scenario: &Scenario, cohort: &Cohort) -> f64 {
    match arriving(scenario, cohort) {
        Some(arriving) => arriving.expected.min(f64::from(arriving.most)),
        None => cohort.connections.into(),
    }
}

/// How many TCP connections these cohorts take, of which so many WebSockets are open at once.
pub(super) fn tcp_at_once<'a>(
    scenario: &Scenario,
    cohorts: impl IntoIterator<Item = &'a Cohort>,
    open_at_once: u64,
    workers: u64,
) -> u64 {
    let spared = cohorts.into_iter().map(|cohort| {
        let connections = u64::from(cohort.connections).min(open_at_once);
        let servers = cohort.dialled(&scenario.target.url);
        let servers = servers.into_iter().flat_map(Servers::iter);
        let all: u64 = servers.clone().map(|server| u64::from(server.weight)).sum();
        let share = |weight: u32| (connections * u64::from(weight)).div_ceil(all.max(1));
        match cohort.access.http {
            HttpVersion::One => 0,
            HttpVersion::Two(sharing) => {
                let each = servers.map(|server| sharing.carriers(share(server.weight), workers));
                connections.saturating_sub(each.sum())
            }
        }
    });
    open_at_once.saturating_sub(spared.sum())
}

pub(super) fn dials(scenario: &Scenario) -> u64 {
    match &scenario.load.shape {
        Shape::Stages(stages) => {
            // Each stage that rises opens as many connections as it rises by.
            let mut from = 0;
            stages
                .iter()
                .map(|stage| {
                    let rise = stage.connections.saturating_sub(from);
                    from = stage.connections;
                    u64::from(rise)
                })
                .sum()
        }
        _ => scenario.connections(),
    }
}

/// The part of the load that goes through the relay of the path.
pub(super) struct Relayed {
    /// Number of cohorts; the relay has one listener for each.
    pub(super) cohorts: u64,
    /// The most TCP connections open at once.
    pub(super) open_at_once: u64,
}

impl Relayed {
    pub(super) fn of(scenario: &Scenario, open_at_once: u64, workers: u64) -> Self {
        let leads = |name: &str| scenario.path.as_ref().is_some_and(|path| path.leads(name));
        let led = || (scenario.cohorts.iter()).filter(|cohort| leads(&cohort.name));
        let connections: u64 = led().map(|cohort| u64::from(cohort.connections)).sum();
        Self {
            cohorts: led().count() as u64,
            open_at_once: tcp_at_once(scenario, led(), connections.min(open_at_once), workers),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::budget::Budget;
    use crate::plan::budget::tests::{budget, with_files};

    #[test]
    fn arrivals_are_reckoned_to_stay_as_long_as_their_steps_can_last() {
        let session = |max_open: u32| {
            budget(&format!(
                r#"
                load.arrivals = {{ rate = "10/s", lifetime = "steps", max_open = {max_open} }}
                load.duration = "20s"
                setup = [{{ name = "l", send = "l", expect = "ok", timeout = "2s" }}]
                step = [{{ pause = ["1s", "3s"] }}, {{ send = "bye", expect = "none" }}]
                message = [{{ name = "m", rate = "1/s" }}]
                "#
            ))
        };
        // Five seconds each, and room for twice as many.
        let wide = session(500);
        assert_eq!(wide.open_at_once, 100);
        assert_eq!(wide.sends_per_second, Some(50.0));
        assert_eq!(wide.sends_in_all, 200);
        let narrow = session(20);
        assert_eq!(narrow.open_at_once, 20);
        assert_eq!(narrow.sends_per_second, Some(20.0));
    }

    #[test]
    fn streams_take_descriptors_and_ports_by_the_connections_that_they_share() {
        let plan = |streams: &str, workers: usize| {
            let text = format!(
                "[target]\nurl = \"ws://127.0.0.1:9/\"\n{streams}\n[load]\nconnections = 1000\n"
            );
            Budget::new(&with_files(&text, &[]), workers)
        };
        let alone = plan("", 2);
        let shared = plan("http = \"2\"\nstreams_per_connection = 100", 1);
        assert_eq!((alone.tcp_at_once, shared.tcp_at_once), (1000, 10));
        assert_eq!(shared.descriptors - shared.other_descriptors, 10);
        assert_eq!(shared.ports, 10);
        // Each of three workers has 334 at most.
        let three = plan("http = \"2\"\nstreams_per_connection = 100", 3);
        assert_eq!(three.tcp_at_once, 12);
        let browsers = plan("http = \"2\"\nstreams_per_connection = 1", 2);
        assert_eq!(browsers.tcp_at_once, 1000);
        assert!(browsers.memory > shared.memory + (20 << 20));
    }
}
