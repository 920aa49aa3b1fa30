//! The command line of the observer. Counts are printed as lines of JSON, times are written to a file as CSV.

use std::fs::File;
use std::io::{self, Write};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::conduct::{Conduct, Fate, Standstill};
use crate::seal;
use crate::server::Server;

/// An echo server on a free port of the loopback address, which is printed first. It prints its counts for each line
/// of standard input, and once more at its end, and ends with it. Standard input must be a pipe.
#[derive(Debug, Parser)]
#[command(name = "observer")]
struct Arguments {
    /// Write the times of each handshake, message, ping and close into this file, as CSV
    #[arg(long)]
    log: Option<PathBuf>,
    /// Speak TLS, and write the certificate to trust into this file
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// Agree to compression (permessage-deflate) where it is offered, and answer compressed what came compressed
    #[arg(long, conflicts_with = "circle")]
    deflate: bool,
    /// Keep each answer for up to so many milliseconds, each for another time
    #[arg(long, value_name = "MS", default_value_t = 0)]
    late: u32,
    /// Stand still as a whole, each time for so many milliseconds
    #[arg(long, value_name = "MS", requires = "stall_every")]
    stall: Option<u32>,
    /// From one standstill to the next, in milliseconds
    #[arg(long, value_name = "MS", requires = "stall")]
    stall_every: Option<u32>,
    /// How the connections of the first cohort end, of the second one, and so on; those of others end as the client likes
    #[arg(long, value_delimiter = ',')]
    fates: Vec<Fate>,
    /// Connections that are to end do so within so many seconds of their first message, evenly
    #[arg(long, value_name = "S", default_value_t = 60)]
    within: u32,
    /// Stop reading from each connection now and then, for up to a second, so many milliseconds apart on average
    #[arg(long, value_name = "MS")]
    pause_every: Option<u32>,
    /// Echo nothing: so many connections, in the order of their dials, hear what one of them says
    #[arg(long, value_name = "N")]
    circle: Option<NonZeroUsize>,
    /// Keep this share of deliveries from the connection that should hear it
    #[arg(long, value_name = "SHARE", requires = "circle", default_value_t = 0.0)]
    drop: f64,
    /// Give this share of deliveries twice
    #[arg(long, value_name = "SHARE", requires = "circle", default_value_t = 0.0)]
    double: f64,
    /// Give this share of deliveries behind the next message of the same connection
    #[arg(long, value_name = "SHARE", requires = "circle", default_value_t = 0.0)]
    swap: f64,
    /// Where all chance comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Reads the command line and does what it says.
pub(crate) fn run() -> io::Result<()> {
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let arguments = Arguments::parse();
    // Made now, so that a run is not in vain.
    let log = arguments.log.as_ref().map(File::create).transpose()?;
    let tls = arguments.tls.as_deref().map(seal::certified).transpose()?;
    let mut server = Server::listen(io::stdin(), tls, arguments.conduct(), log.is_some())?;
    let mut out = io::stdout();
    writeln!(
        out,
        "{}",
        serde_json::json!({ "port": server.address()?.port() })
    )?;
    out.flush()?;
    server.serve(&mut out)?;
    if let Some(log) = log {
        server.books().write_log(log)?;
    }
    server.books().print(&mut out)
}

impl Arguments {
    fn conduct(&self) -> Conduct {
        let ms = |ms: u32| Duration::from_millis(ms.into());
        let standstill = self.stall.zip(self.stall_every);
        Conduct {
            seed: self.seed,
            late: ms(self.late),
            standstill: standstill.map(|(lasts, every)| Standstill {
                lasts: ms(lasts),
                every: ms(every),
            }),
            fates: self.fates.clone(),
            within: Duration::from_secs(self.within.into()),
            pause_every: self.pause_every.map(ms),
            circle: self.circle,
            deflates: self.deflate,
            lots: [self.drop, self.double, self.swap],
        }
    }
}
