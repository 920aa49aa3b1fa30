//! The trial of a scenario: the same run with one client of each cohort.

use std::time::Duration;

use super::root::Scenario;
use super::section::{Cohort, Gaps, Lasts, OnFail, Pacing, Pause, Shape, Step, Verb};
use crate::units::Rate;

/// How long a client stays after its last step: what comes unasked is seen.
const AFTER_STEPS: Duration = Duration::from_secs(2);
/// The least rate of a message, per second: each is seen while a client stays.
const LEAST_RATE: f64 = 1.0;
/// RFC 6455 section 7.4.1: normal closure.
const NORMAL: u16 = 1000;

impl Scenario {
    /// The same with one client of each cohort, which all dial at once and close two seconds after their last step, or
    /// after `longest`. A step that fails, and after which the others would be left out, ends its client at once.
    /// A message that is due less often than once a second is due once a second.
    pub fn trial(mut self, longest: Duration) -> Self {
        self.load.ramp_down = Duration::ZERO;
        self.load.shape = Shape::Steady {
            ramp_up: Duration::ZERO,
            warm_up: Duration::ZERO,
            duration: Lasts::For(longest),
        };
        self.cohorts.iter_mut().for_each(alone);
        self
    }
}

fn alone(cohort: &mut Cohort) {
    cohort.connections = 1;
    for message in &mut cohort.messages {
        if let Pacing::Open { rate, gaps, .. } = &mut message.pacing
            && rate.hertz() < LEAST_RATE
        {
            *rate = Rate::per_second(LEAST_RATE).unwrap_or(*rate);
            *gaps = Gaps::Constant;
        }
    }
    for step in &mut cohort.steps {
        if step.on_fail == OnFail::Skip {
            step.on_fail = OnFail::Close;
        }
    }
    let step = |verb| Step {
        name: None,
        verb,
        chance: 1.0,
        on_fail: OnFail::Close,
    };
    let close = Verb::Close {
        code: NORMAL,
        reason: String::new(),
    };
    let stay = Verb::Pause(Pause::Constant(AFTER_STEPS));
    cohort.steps.extend([step(stay), step(close)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Overrides;
    use crate::scenario::parse::parse_alone;

    #[test]
    fn a_trial_has_one_client_of_each_cohort_and_says_all_the_same() {
        let text = r#"
            name = "x"
            target.url = "embedded"
            load = { ramp_up = "10s", duration = "1h", ramp_down = "5s" }
            [[cohort]]
            name = "a"
            connections = 3
            message = [{ name = "m", rate = "1/s" }]
            [[cohort]]
            name = "b"
            connections = 500
            message = []
        "#;
        let scenario = parse_alone(text, &Overrides::default());
        let scenario = scenario.unwrap_or_else(|problems| panic!("{problems}"));
        let messages = scenario.cohorts[0].messages.clone();
        let trial = scenario.trial(Duration::from_secs(7));
        let alone = trial.cohorts.iter().map(|cohort| cohort.connections);
        assert_eq!(Vec::from_iter(alone), [1, 1]);
        assert_eq!(trial.cohorts[0].messages, messages);
        assert_eq!(trial.load.ramp_down, Duration::ZERO);
        let Shape::Steady {
            ramp_up,
            warm_up,
            duration,
        } = trial.load.shape
        else {
            panic!("{:?}", trial.load.shape);
        };
        let times = [ramp_up, warm_up, duration.foreseen()].map(|time| time.as_secs());
        assert_eq!(times, [0, 0, 7]);
    }
}
