//! The program from outside: what it says, what it refuses, how it is interrupted, what it leaves behind, and whom
//! it talks to.

#[path = "../common/mod.rs"]
mod common;

mod arrivals;
mod baselines;
#[cfg(target_os = "linux")]
mod breaks;
mod built_in;
mod dashboards;
mod endless;
mod fanout;
mod installed;
mod interrupts;
mod leftovers;
mod logins;
mod outputs;
mod parts;
mod proxies;
mod refusals;
mod reports;
mod requests;
mod search;
mod secrets;
mod sent;
mod stops;
mod trials;
mod ways;

/// `TRYCMD=overwrite cargo test --test program transcripts` writes them anew; read the difference.
#[test]
fn transcripts() {
    let cases = trycmd::TestCases::new();
    cases.case("tests/program/transcripts/*.trycmd");
    if cfg!(not(feature = "cluster")) {
        // It shows all commands and options that there can be.
        cases.skip("tests/program/transcripts/help.trycmd");
    }
}
