//! Shows wsbench's handshake and frames to Autobahn's fuzzing server, which judges them; `scripts/conformance` runs both.
//! Where that server cannot be had, the tests hold wsbench to a recording of it.

mod client;
mod recorder;
mod recording;
#[cfg(test)]
mod replay;
mod verdicts;
mod wire;

use std::fs;
use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::client::Echo;
use crate::recording::{Case, Recording};
use crate::verdicts::Verdicts;

const AGENT: &str = "wsbench";

/// Play all cases of a fuzzing server of Autobahn, and fail unless wsbench passes all.
#[derive(Debug, Parser)]
#[command(name = "conformance")]
struct Args {
    /// Where the server listens.
    server: SocketAddr,
    /// The file that it writes its verdicts to.
    index: PathBuf,
    /// A further key of the client's `[target]`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    target: Vec<String>,
    /// Where to write down what both sides did.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let args = Args::parse();
    let keys = args.target.join("\n");
    let direct = Echo::to(args.server, &keys)?;
    let count = direct.hear("/getCaseCount").await?;
    let count: u32 = count
        .parse()
        .map_err(|_| format!("{count} is no number of cases"))?;
    let between = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|error| error.to_string())?;
    let address = between.local_addr().map_err(|error| error.to_string())?;
    // The server refuses a Host with another port than its own.
    let host = format!("headers = {{ Host = \"{}\" }}\n{keys}", args.server);
    let recorded = Echo::to(address, &host)?;
    let mut cases = Vec::new();
    for number in 1..=count {
        let resource = format!("/runCase?case={number}&agent={AGENT}");
        if args.record.is_none() {
            direct.echo(&resource).await?;
            continue;
        }
        let passed_on = recorder::pass_on(&between, args.server);
        let (echoed, steps) = tokio::join!(recorded.echo(&resource), passed_on);
        echoed?;
        let info = direct.hear(&format!("/getCaseInfo?case={number}")).await?;
        let info: Value = serde_json::from_str(&info).map_err(|error| error.to_string())?;
        cases.push(Case {
            name: info["id"].as_str().unwrap_or_default().to_owned(),
            verdict: String::new(),
            steps: steps.map_err(|error| error.to_string())?,
        });
    }
    direct
        .echo(&format!("/updateReports?agent={AGENT}"))
        .await?;
    let index = fs::read_to_string(&args.index).map_err(|error| error.to_string())?;
    let verdicts = Verdicts::read(&index, AGENT)?;
    if let Some(file) = &args.record {
        for case in &mut cases {
            let verdict = verdicts.0.get(&case.name);
            case.verdict = verdict.map_or_else(String::new, |verdict| verdict.behavior.clone());
        }
        let text = Recording { cases }.to_string();
        fs::write(file, text).map_err(|error| error.to_string())?;
    }
    let all = verdicts.0.len() == count as usize;
    let failed = verdicts.failed();
    let mut out = stdout().lock();
    writeln!(out, "{verdicts}").map_err(|error| error.to_string())?;
    // As `cargo test` names them, so that whoever runs both can try them again. Of a case that was not played, no name is known.
    for name in failed.iter().filter(|_| all) {
        writeln!(out, "test {name} ... FAILED").map_err(|error| error.to_string())?;
    }
    match (all, failed.len()) {
        (true, 0) => Ok(()),
        (true, failures) => Err(format!("{failures} of {count} cases failed")),
        (false, _) => Err(format!("not all of {count} cases were judged")),
    }
}
