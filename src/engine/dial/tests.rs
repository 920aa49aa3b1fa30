//! Tests the dials of a cohort over a route.

use std::net::TcpListener;

use super::*;
use crate::engine::session::tests::plan;
use crate::engine::shared::RunState;
use crate::metric::{Cause, Counter};
use crate::time::Monotonic;

#[tokio::test]
async fn a_dial_of_the_relay_that_passed_two_addresses_by_counts_once_with_its_cohort() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let route = Route::over(listener.local_addr().unwrap());
    drop(listener);
    let passed = ["[::1]:1", "[::2]:1"].map(|at| (at.parse().unwrap(), Cause::Refused));
    route.add_passed(&passed);

    let plan = Arc::new(plan("load.connections = 1"));
    let target = &plan.scenario.target;
    let servers = target.url.servers().expect("it has an address");
    let names = Arc::new(Resolvers::new(target.connect_timeout));
    let dialer = Arc::new(
        Dialer::new(
            servers,
            target,
            &plan.scenario.cohorts,
            &names,
            vec![Some(route)],
        )
        .unwrap(),
    );
    let clock = Box::new(Monotonic::start());
    let shared = Shared::new(clock, plan.clone(), Arc::new(RunState::new(1)));
    let cookies = Cookies::default();
    let fault_plan = FaultPlan::default();
    for connection in 0..2 {
        let wanted = Wanted {
            cohort: 0,
            connection,
            fault_plan: &fault_plan,
            upgrade: None,
            cookies: &cookies,
        };
        let dialled = dialer.connect(wanted, &shared);
        let failure = dialled.await.err().expect("nobody listens");
        assert_eq!(failure.cause, Cause::Refused);
    }
    let shard = shared.shard.borrow();
    let counted = (shard.cohorts[0].whole).counter(Counter::ConnectionsFallbacks);
    assert_eq!(counted, 1);
    let told = shard.fallbacks.iter();
    let told = told.map(|(address, told)| (address, told.count, told.why.as_str()));
    assert_eq!(
        Vec::from_iter(told),
        [("[::1]:1", 1, "refused"), ("[::2]:1", 1, "refused")]
    );
}
