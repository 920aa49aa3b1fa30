//! Scenarios with bad clients, for the other tests of this folder.

use std::time::Duration;

use super::play::Simulation;
use crate::scenario::{Between, Contract, Fault, FaultKind, Origin, Promise, PromiseKind, Sweep};
use crate::units::Nanos;

/// One connection for a minute that sends nothing.
pub(super) const IDLE: &str = r#"
    target.close_timeout = "3s"
    load = { connections = 1, ramp_up = "0s", duration = "60s", ramp_down = "0s" }
"#;

/// Returns a scenario whose clients play these faults, and whose server promises to end them within 20 s.
pub(super) fn bad(text: &str, faults: impl IntoIterator<Item = (Nanos, FaultKind)>) -> Simulation {
    let faults: Vec<Fault> = (faults.into_iter())
        .map(|(after, kind)| Fault {
            kind,
            after: after.into(),
        })
        .collect();
    Simulation::new(text).with(|cohort| {
        cohort.faults = faults;
        cohort.contract = Some(contract(PromiseKind::ClosedBetween.of(between(0, 20))));
    })
}

pub(super) fn contract(promise: Promise) -> Contract {
    Contract {
        from: Origin::Fault,
        preset: None,
        promises: vec![promise],
    }
}

/// Returns a range in whole seconds.
pub(super) fn between(lo: u64, hi: u64) -> Between {
    Between {
        lo: Duration::from_secs(lo),
        hi: Duration::from_secs(hi),
    }
}

/// Returns a sweep with one level.
pub(super) fn always(nanos: Nanos) -> Sweep {
    Sweep {
        levels: vec![nanos.into()],
    }
}
