//! The command line of the floor. What a command has seen is printed as one line of JSON.

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use rustls::version::{TLS12, TLS13};

use crate::frame;
use crate::load::{self, Load, Pace};
use crate::server::Server;
use crate::stream::{self, Target};

/// As long as in the scenarios of the benchmark.
const PAYLOAD: [u8; 64] = [b'x'; 64];
/// As in the scenarios of the benchmark.
const RAMP_UP: Duration = Duration::from_secs(2);

/// A bare epoll client and echo server on the loopback address: what wsbench is compared with.
#[derive(Debug, Parser)]
#[command(name = "floor")]
enum Command {
    /// Echo on a free port, which is printed first; then print the counts for each line of standard input,
    /// and end with it. Standard input must be a pipe.
    Serve {
        /// The address to listen on.
        #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
        address: Ipv4Addr,
        /// Echo nothing: so many connections, in the order of their dials, hear what one of them says.
        #[arg(long)]
        circle: Option<NonZeroUsize>,
        /// Under TLS.
        #[arg(long)]
        tls: bool,
    },
    /// Send 64 bytes of text again and again, as often as `--rate` or `--in-flight` says.
    Echo {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        pace: EchoPace,
    },
    /// Send 64 bytes of text on the first connections, to a server with `--circle`.
    Say {
        #[command(flatten)]
        common: Common,
        /// How many connections send.
        #[arg(long)]
        speakers: NonZeroU64,
        /// Frames a second for each of these.
        #[arg(long, value_parser = positive)]
        rate: f64,
        /// How many connections hear each frame.
        #[arg(long)]
        heard_by: NonZeroU64,
    },
    /// Hold idle connections that only ping.
    Ping {
        #[command(flatten)]
        common: Common,
        /// Seconds between two pings of a connection.
        #[arg(long, value_parser = positive)]
        every: f64,
    },
    /// Open connections evenly over the duration, and close them when all are open.
    Open {
        #[command(flatten)]
        common: Common,
    },
    /// Open connections evenly over the duration, and close each at once.
    Cycle {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Where the server listens.
    #[arg(long)]
    port: u16,
    /// In all.
    #[arg(long)]
    connections: NonZeroU64,
    /// In seconds.
    #[arg(long, value_parser = positive)]
    duration: f64,
    /// Under this version of TLS.
    #[arg(long)]
    tls: Option<Version>,
    /// With the fewest wakings and system calls that were found: reads all before it replies, and reads late what comes
    /// just before the next frame is due.
    #[arg(long)]
    best: bool,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Version {
    #[value(name = "1.3")]
    New,
    #[value(name = "1.2")]
    Old,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct EchoPace {
    /// Frames a second for each connection.
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Unanswered frames for each connection.
    #[arg(long)]
    in_flight: Option<NonZeroU16>,
}

/// Reads the command line and does what it says.
pub(crate) fn run() -> io::Result<()> {
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let outcome = match Command::parse() {
        Command::Serve {
            address,
            circle,
            tls,
        } => return serve(address, circle, tls),
        Command::Echo { common, pace } => {
            let pace = match (pace.rate, pace.in_flight) {
                (Some(rate), _) => Pace::PerSecond(rate),
                (None, in_flight) => {
                    Pace::InFlight(in_flight.map_or(1, |count| count.get().into()))
                }
            };
            common
                .load(frame::masked(frame::TEXT, &PAYLOAD), pace)?
                .run()?
        }
        Command::Say {
            common,
            speakers,
            rate,
            heard_by,
        } => {
            let pace = Pace::Said {
                per_second: rate,
                speakers: speakers.get().min(common.connections.get()),
                heard_by: heard_by.get(),
            };
            let text = frame::masked(frame::TEXT, &PAYLOAD);
            common.load(text, pace)?.run()?
        }
        Command::Ping { common, every } => {
            let ping = frame::masked(frame::PING, &PAYLOAD[..16]);
            common.load(ping, Pace::PerSecond(1.0 / every))?.run()?
        }
        Command::Open { common } => load::open_all(
            common.target()?,
            common.connections.get(),
            common.duration(),
        )?,
        Command::Cycle { common } => load::cycle(
            common.target()?,
            common.connections.get(),
            common.duration(),
        )?,
    };
    print(&outcome)
}

fn serve(address: Ipv4Addr, circle: Option<NonZeroUsize>, is_secure: bool) -> io::Result<()> {
    let tls = is_secure.then(stream::server_config).transpose()?;
    let mut server = Server::listen(io::stdin(), address, circle, tls)?;
    print(&serde_json::json!({ "port": server.address()?.port() }))?;
    server.serve(io::stdout())?;
    Ok(())
}

impl Common {
    fn load(&self, frame: Vec<u8>, pace: Pace) -> io::Result<Load> {
        Ok(Load {
            target: self.target()?,
            connections: self.connections.get(),
            ramp_up: RAMP_UP,
            frame,
            pace,
            duration: self.duration(),
            best: self.best,
        })
    }

    fn target(&self) -> io::Result<Target> {
        let tls = self.tls.map(|version| match version {
            Version::New => stream::client_config(&TLS13),
            Version::Old => stream::client_config(&TLS12),
        });
        Ok(Target {
            address: (Ipv4Addr::LOCALHOST, self.port).into(),
            tls: tls.transpose()?,
        })
    }

    fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.duration)
    }
}

fn print(value: &impl serde::Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let sane = number > 0.0 && number < 1e6;
    sane.then_some(number)
        .ok_or_else(|| "not between 0 and a million".to_owned())
}
