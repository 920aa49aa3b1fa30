//! `wsbench serve`: the built-in server alone, for a first try and for tests.
//! Prints its address and that of its page, serves until it is told to stop, then prints its counts.

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tokio::runtime::Builder;

use super::term;
use super::tie::Tie;
use crate::scenario::{Defect, HeartbeatWord, RoomDefect, ServerHeartbeat, ServerRooms};
use crate::server::{Behaviour, Counts, EchoServer, LISTENING, Push};
use crate::units::{ByteSize, MIN_DURATION, Rate, human_count, parse_at_least, parse_duration};

/// Run an echo server until Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Wait this long before each answer
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    delay: Duration,
    /// Send a message to every connection this often
    #[arg(long, value_name = "TIME", value_parser = parse_gap)]
    push: Option<Duration>,
    /// Length of a pushed message
    #[arg(long, value_name = "SIZE", default_value = "64B", requires = "push", value_parser = parse_size)]
    push_size: ByteSize,
    /// Leave this share of messages without an answer, like 1% or 0.01
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = parse_share)]
    drop: f64,
    /// Send a ping to every connection this often
    #[arg(long, value_name = "TIME", value_parser = parse_gap)]
    ping: Option<Duration>,
    /// Ping every connection this often, and close it if no pong comes
    #[arg(long, value_name = "TIME", conflicts_with = "ping", value_parser = parse_gap)]
    heartbeat: Option<Duration>,
    /// How long to wait for a pong [default: the interval of the pings]
    #[arg(long, value_name = "TIME", requires = "heartbeat", value_parser = parse_gap)]
    heartbeat_timeout: Option<Duration>,
    /// Ping with frames of RFC 6455, or with the message `ping`, which `pong` answers
    #[arg(long, value_name = "KIND", requires = "heartbeat", default_value = "frames", value_parser = kinds())]
    heartbeat_kind: HeartbeatWord,
    /// Make one mistake in the heartbeat or in the rooms, to see a contract or a gate fail
    #[arg(long, value_name = "NAME", requires_ifs = Mistake::needs(), value_parser = mistakes())]
    defect: Option<Mistake>,
    /// Have rooms beside the echo: members join, and hear what others say
    #[arg(long)]
    rooms: bool,
    /// Send a tick to the members of each room this often, like 20/s
    #[arg(long, value_name = "RATE", requires = "rooms", value_parser = parse_tick)]
    tick: Option<Rate>,
    /// Refuse clients without a token of POST /login
    #[arg(long, requires = "rooms")]
    login: bool,
    /// Refuse clients with 503 while so many connections are open
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,
    /// Seed that decides which messages are dropped, and when heartbeats start
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Open the page to try a server by hand in the browser
    #[arg(long, conflicts_with = "tied")]
    open: bool,
    /// Stop at the end of standard input, and print the counts as one line of JSON
    #[arg(long, hide = true)]
    tied: bool,
}

impl Args {
    fn behaviour(&self) -> Behaviour {
        Behaviour {
            delay: self.delay,
            push: self.push.map(|every| Push {
                every,
                size: self.push_size,
            }),
            drop: self.drop,
            ping: self.ping,
            heartbeat: self.heartbeat.map(|interval| ServerHeartbeat {
                interval,
                timeout: self.heartbeat_timeout.unwrap_or(interval),
                kind: self.heartbeat_kind,
                defect: match self.defect {
                    Some(Mistake::Heartbeat(defect)) => Some(defect),
                    _ => None,
                },
            }),
            rooms: self.rooms.then_some(ServerRooms {
                tick: self.tick,
                login: self.login,
                defect: match self.defect {
                    Some(Mistake::Rooms(defect)) => Some(defect),
                    _ => None,
                },
            }),
            admits: self.max_connections,
            seed: self.seed,
        }
    }
}

/// The value of `--defect`.
#[derive(Debug, Clone, Copy)]
enum Mistake {
    Heartbeat(Defect),
    Rooms(RoomDefect),
}

impl Mistake {
    fn all() -> impl Iterator<Item = Self> {
        let heartbeat = Defect::ALL.iter().copied().map(Self::Heartbeat);
        heartbeat.chain(RoomDefect::ALL.iter().copied().map(Self::Rooms))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Heartbeat(defect) => defect.name(),
            Self::Rooms(defect) => defect.name(),
        }
    }

    /// The names, each with the option that it belongs to.
    fn needs() -> impl Iterator<Item = (&'static str, &'static str)> {
        Self::all().map(|mistake| match mistake {
            Self::Heartbeat(_) => (mistake.name(), "heartbeat"),
            Self::Rooms(_) => (mistake.name(), "rooms"),
        })
    }
}

/// Why the server could not serve. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be used for listening.
    #[error("listen on {address}: {source}\nhint: {}", hint(.source))]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The runtime or signal handling cannot be set up, or standard output cannot be written.
    #[error("serve: {0}")]
    Io(#[from] io::Error),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => "`--host` must be an address of this machine",
        _ => "choose another `--port`, or 0 for a free one",
    }
}

/// Runs `wsbench serve` to its end.
///
/// # Errors
/// The address cannot be listened on, or the system refuses what a server needs.
pub fn run(args: &Args) -> Result<(), ServeError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &Args) -> Result<(), ServeError> {
    let address = SocketAddr::new(args.host, args.port);
    let server = EchoServer::bind(address, args.behaviour())
        .map_err(|source| ServeError::Listen { address, source })?;
    let stop = stop_signal(args.tied)?;
    let mut first = format!("{LISTENING}{}", server.url());
    if !args.tied {
        // In one piece: who started the server may read one line and no more.
        first += &format!("\ntry a server by hand at {}", server.page());
    }
    print_line(&first)?;
    if args.open {
        open(&server.page());
    }
    if !args.host.is_loopback() {
        term::note("note: other machines can connect too, without TLS and without a password");
    }
    let counts = server.run(stop).await;
    let last = if args.tied {
        serde_json::to_string(&counts).map_err(io::Error::from)?
    } else {
        describe(&counts)
    };
    // A terminal has just printed `^C` without a line break.
    let gap = if io::stdout().is_terminal() { "\n" } else { "" };
    // Ignores the error: the process that started the server may have ended, and nobody can be told.
    let _ = print_line(&format!("{gap}{last}"));
    Ok(())
}

/// Opens a page in the browser that the system says is the user's. Without one the server serves all the same.
fn open(page: &str) {
    // The error names a program that the user has never heard of.
    if open::that_detached(page).is_err() {
        term::note(format!(
            "note: no browser could be opened\nhint: open {page} yourself"
        ));
    }
}

/// Completes at Ctrl-C or SIGTERM, and for a tied server at the end of standard input.
fn stop_signal(tied: bool) -> io::Result<impl Future<Output = ()>> {
    let signal = terminated()?;
    let mut tie = Tie::new(tied)?;
    Ok(async move {
        tokio::select! {
            () = signal => {}
            () = tie.broken() => {}
        }
    })
}

#[cfg(unix)]
fn terminated() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn terminated() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Never completes without a handler: the system's default handler ends the process anyway.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Prints it in one piece.
fn print_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

fn describe(counts: &Counts) -> String {
    let all = [
        (counts.opened, "connections"),
        (counts.text, "text messages"),
        (counts.binary, "binary messages"),
        (counts.bytes, "bytes"),
        (counts.pings, "pings"),
        (counts.pinged, "pings sent"),
        (counts.pongs, "pongs"),
        (counts.reaped, "given up"),
        (counts.pushed, "pushed"),
        (counts.dropped, "not answered"),
        (counts.said, "said in rooms"),
        (counts.delivered, "heard by members"),
        (counts.ticks, "ticks"),
        (counts.refused, "requests refused"),
        (counts.full, "of them by a limit"),
        (counts.cut, "slow members closed"),
        (counts.undelivered, "not heard by them"),
        (counts.logins, "logins"),
        (counts.polled, "polls"),
        (counts.unauthorized, "without a token"),
        (counts.failed, "failed handshakes"),
    ];
    let seen = all.into_iter().filter(|(count, _)| *count > 0);
    let seen: Vec<String> = seen
        .map(|(count, name)| format!("{name} {}", human_count(count)))
        .collect();
    if seen.is_empty() {
        return "served nobody".to_owned();
    }
    format!("served: {}", seen.join(", "))
}

fn mistakes() -> impl TypedValueParser<Value = Mistake> {
    PossibleValuesParser::new(Mistake::all().map(Mistake::name)).try_map(|name| {
        let found = Mistake::all().find(|mistake| mistake.name() == name);
        found.ok_or("no such defect")
    })
}

fn kinds() -> impl TypedValueParser<Value = HeartbeatWord> {
    let names = HeartbeatWord::ALL.iter().map(|kind| kind.name());
    PossibleValuesParser::new(names).try_map(|name| {
        let mut all = HeartbeatWord::ALL.iter().copied();
        let found = all.find(|kind| kind.name() == name);
        found.ok_or("no such kind")
    })
}

fn parse_gap(text: &str) -> Result<Duration, String> {
    parse_at_least(MIN_DURATION, text).map_err(|error| error.to_string())
}

/// The longest message that the server itself accepts.
const MAX_PUSH: ByteSize = ByteSize(16 << 20);

fn parse_size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(size) if size > MAX_PUSH => Err(format!("`{text}` is more than {MAX_PUSH}")),
        Ok(size) => Ok(size),
        Err(error) => Err(format!("{error}")),
    }
}

fn parse_tick(text: &str) -> Result<Rate, String> {
    let rate: Rate = text.parse().map_err(|error| format!("{error}"))?;
    match rate.hertz() <= ServerRooms::MAX_TICK {
        true => Ok(rate),
        false => Err(format!("`{text}` is more than {}/s", ServerRooms::MAX_TICK)),
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    let (number, whole) = match text.trim().strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if (0.0..=whole).contains(&number) => Ok(number / whole),
        _ => Err(format!("`{text}` is not a share; write it like 1% or 0.01")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Serve {
        #[command(flatten)]
        args: Args,
    }

    fn parse(arguments: &[&str]) -> Result<Args, String> {
        Serve::try_parse_from([&["serve"], arguments].concat())
            .map(|serve| serve.args)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_arguments_it_is_a_plain_echo_for_this_machine_alone() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.behaviour(), Behaviour::default());
        assert!(args.host.is_loopback());
    }

    #[test]
    fn a_behaviour_survives_the_command_line() {
        let behaviour = Behaviour {
            delay: Duration::from_nanos(1_234_567),
            push: Some(Push {
                every: Duration::from_millis(1500),
                size: ByteSize(3 << 10),
            }),
            drop: 0.1 + 0.2,
            ping: Some(Duration::from_secs(90)),
            heartbeat: None,
            rooms: Some(ServerRooms {
                tick: "20/s".parse().ok(),
                login: true,
                defect: Some(RoomDefect::LeaksRoom),
            }),
            admits: Some(7),
            seed: u64::MAX,
        };
        assert_survives(behaviour);
        for defect in Defect::ALL.iter().copied().map(Some).chain([None]) {
            assert_survives(Behaviour {
                heartbeat: Some(ServerHeartbeat {
                    interval: Duration::from_millis(1500),
                    timeout: Duration::from_millis(700),
                    kind: match defect {
                        None => HeartbeatWord::Text,
                        Some(_) => HeartbeatWord::Frames,
                    },
                    defect,
                }),
                ..Behaviour::default()
            });
        }
    }

    fn assert_survives(behaviour: Behaviour) {
        let arguments = behaviour.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(parse(&arguments).unwrap().behaviour(), behaviour);
    }

    #[test]
    fn a_pong_has_the_interval_where_nothing_else_is_said() {
        let behaviour = parse(&["--heartbeat", "3s"]).unwrap().behaviour();
        let heartbeat = behaviour.heartbeat.unwrap();
        assert_eq!(heartbeat.timeout, Duration::from_secs(3));
        assert_eq!(heartbeat.defect, None);
    }

    #[test]
    fn shares_are_percents_or_fractions() {
        assert_eq!(parse_share("1%"), Ok(0.01));
        assert_eq!(parse_share("0.01"), Ok(0.01));
        assert_eq!(parse_share("100 %"), Ok(1.0));
        for wrong in ["2", "101%", "-1%", "NaN", "many"] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            &["--push", "0s"][..],
            &["--ping", "soon"],
            &["--push-size", "1KiB"],
            &["--push", "1s", "--push-size", "1GiB"],
            &["--port", "70000"],
            &["--heartbeat", "0s"],
            &["--heartbeat", "1s", "--ping", "1s"],
            &["--heartbeat", "1s", "--defect", "lazy"],
            &["--heartbeat-timeout", "1s"],
            &["--heartbeat-kind", "text"],
            &["--heartbeat", "1s", "--heartbeat-kind", "binary"],
            &["--defect", "slow_pong"],
            &["--rooms", "--defect", "slow_pong"],
            &["--heartbeat", "1s", "--defect", "leaks_room"],
            &["--tick", "20/s"],
            &["--login"],
            &["--rooms", "--tick", "1001/s"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
