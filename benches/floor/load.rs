//! A run of the bare client: open, send on a schedule or in a closed loop, wait for the last answers, close.
//! The schedule is the one wsbench keeps: intended times from one start, spread evenly over all connections.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::client::{Client, Habit};
use crate::frame;
use crate::stream::Target;

/// Frames due within this time are sent at one waking, as wsbench does.
const COALESCE: Duration = Duration::from_micros(100);
/// Where the next frame is due sooner than this, the best floor has no waking for what comes before it, as wsbench.
const NEAR: Duration = Duration::from_micros(250);
/// How long the last answers and closes may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// When a connection sends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many frames a second each, whatever comes back.
    PerSecond(f64),
    /// The same, of the first connections only; each frame is heard by so many.
    Said {
        per_second: f64,
        speakers: u64,
        heard_by: u64,
    },
    /// So many unanswered at any time.
    InFlight(usize),
}

/// What a run does.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) target: Target,
    pub(crate) connections: u64,
    /// Connections are opened evenly over this time.
    pub(crate) ramp_up: Duration,
    pub(crate) frame: Vec<u8>,
    pub(crate) pace: Pace,
    pub(crate) duration: Duration,
    /// Whether it reads all before it replies, and reads late what comes just before the next frame is due.
    pub(crate) best: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Outcome {
    pub(crate) opened: u64,
    /// By a close handshake, to the end of TCP.
    pub(crate) closed: u64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// From the intended to the actual send; `null` without a schedule.
    pub(crate) lateness_p50_us: Option<f64>,
    pub(crate) lateness_p99_us: Option<f64>,
}

/// Opens so many connections, evenly over `duration`, closes them when all are open, and sends nothing else.
pub(crate) fn open_all(
    target: Target,
    connections: u64,
    duration: Duration,
) -> io::Result<Outcome> {
    let ping = frame::masked(frame::PING, b"");
    let mut client = Client::new(target, Habit::Told, &ping, 1)?;
    open(&mut client, connections, duration)?;
    wait(&mut client, |client| client.opened == connections)?;
    close_all(&mut client)?;
    Ok(outcome(&client, &mut []))
}

/// Opens and closes so many connections, evenly over `duration`, and sends nothing else.
pub(crate) fn cycle(target: Target, connections: u64, duration: Duration) -> io::Result<Outcome> {
    let ping = frame::masked(frame::PING, b"");
    let mut client = Client::new(target, Habit::Closes, &ping, 1)?;
    open(&mut client, connections, duration)?;
    wait(&mut client, |client| client.closed == connections)?;
    Ok(outcome(&client, &mut []))
}

impl Load {
    /// Does it all.
    pub(crate) fn run(&self) -> io::Result<Outcome> {
        let (habit, burst) = match self.pace {
            Pace::PerSecond(_) | Pace::Said { .. } => (Habit::Told, 1),
            Pace::InFlight(count) => (Habit::Replies, count),
        };
        let mut client = Client::new(self.target.clone(), habit, &self.frame, burst)?;
        if self.best {
            client.gather();
        }
        open(&mut client, self.connections, self.ramp_up)?;
        wait(&mut client, |client| client.opened == self.connections)?;
        let mut lateness = match self.pace {
            Pace::PerSecond(rate) => self.keep_schedule(&mut client, rate, self.connections)?,
            Pace::Said {
                per_second,
                speakers,
                ..
            } => self.keep_schedule(&mut client, per_second, speakers)?,
            Pace::InFlight(count) => self.keep_in_flight(&mut client, count)?,
        };
        let answers = match self.pace {
            Pace::Said { heard_by, .. } => heard_by,
            Pace::PerSecond(_) | Pace::InFlight(_) => 1,
        };
        wait(&mut client, |client| {
            client.answered == client.sent * answers
        })?;
        close_all(&mut client)?;
        Ok(outcome(&client, &mut lateness))
    }

    /// Sends on the first so many connections. Returns how late each frame was sent, in nanoseconds.
    fn keep_schedule(&self, client: &mut Client, rate: f64, speakers: u64) -> io::Result<Vec<u32>> {
        let gap = Duration::from_secs_f64(1.0 / (rate * speakers as f64));
        let mut lateness = Vec::new();
        let start = Instant::now();
        let mut sent = 0;
        loop {
            let now = start.elapsed();
            let mut due = nth(gap, sent);
            while due <= now && due < self.duration {
                client.send((sent % speakers) as usize, 1)?;
                lateness.push(u32::try_from((now - due).as_nanos()).unwrap_or(u32::MAX));
                sent += 1;
                due = nth(gap, sent);
            }
            if due >= self.duration {
                return Ok(lateness);
            }
            let wake = start + due.max(now + COALESCE);
            match wake.checked_duration_since(Instant::now()) {
                Some(wait) if self.best && wait <= NEAR => {
                    client.turn(start)?;
                    thread::sleep(wake.saturating_duration_since(Instant::now()));
                }
                _ => client.turn(wake)?,
            }
        }
    }

    fn keep_in_flight(&self, client: &mut Client, count: usize) -> io::Result<Vec<u32>> {
        let end = Instant::now() + self.duration;
        for place in 0..self.connections {
            client.send(place as usize, count)?;
        }
        while Instant::now() < end {
            client.turn(end)?;
        }
        client.habit = Habit::Told;
        Ok(Vec::new())
    }
}

fn nth(gap: Duration, index: u64) -> Duration {
    Duration::from_nanos((gap.as_nanos() as u64).saturating_mul(index))
}

/// Dials so many connections, evenly over a time.
fn open(client: &mut Client, connections: u64, over: Duration) -> io::Result<()> {
    let gap = over / u32::try_from(connections).unwrap_or(u32::MAX).max(1);
    let start = Instant::now();
    while client.dialled() < connections {
        let due = start + nth(gap, client.dialled());
        if due <= Instant::now() {
            client.dial()?;
        }
        client.turn(due)?;
    }
    Ok(())
}

fn close_all(client: &mut Client) -> io::Result<()> {
    let connections = client.dialled();
    for place in 0..connections {
        client.close(place as usize)?;
    }
    wait(client, |client| client.closed == connections)
}

fn wait(client: &mut Client, done: impl Fn(&Client) -> bool) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !done(client) {
        if Instant::now() >= end {
            return Err(io::Error::other("the server left something unanswered"));
        }
        client.turn(end)?;
    }
    Ok(())
}

fn outcome(client: &Client, lateness: &mut [u32]) -> Outcome {
    lateness.sort_unstable();
    let percentile = |percent: usize| {
        let last = lateness.len().checked_sub(1)?;
        Some(f64::from(lateness[last * percent / 100]) / 1e3)
    };
    Outcome {
        opened: client.opened,
        closed: client.closed,
        sent: client.sent,
        answered: client.answered,
        lateness_p50_us: percentile(50),
        lateness_p99_us: percentile(99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Counts, Server};
    use crate::stream;
    use rustls::version::{TLS12, TLS13};
    use rustls::{ServerConfig, SupportedProtocolVersion};
    use std::net::Ipv4Addr;
    use std::num::NonZeroUsize;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    /// Runs something against a server of its own, and returns what both have seen.
    fn against_server<T>(work: impl FnOnce(Target) -> io::Result<T>) -> (T, Counts) {
        against_circles_of(None, work)
    }

    /// The same under TLS.
    fn against_secure_server<T>(
        version: &'static SupportedProtocolVersion,
        work: impl FnOnce(Target) -> io::Result<T>,
    ) -> (T, Counts) {
        let tls = Some(stream::server_config().unwrap());
        against(None, tls, |target| {
            work(Target {
                tls: Some(stream::client_config(version)?),
                ..target
            })
        })
    }

    /// The same against one whose connections hear each other.
    fn against_circles_of<T>(
        circle: Option<usize>,
        work: impl FnOnce(Target) -> io::Result<T>,
    ) -> (T, Counts) {
        against(circle, None, work)
    }

    fn against<T>(
        circle: Option<usize>,
        tls: Option<Arc<ServerConfig>>,
        work: impl FnOnce(Target) -> io::Result<T>,
    ) -> (T, Counts) {
        let (ours, control) = UnixStream::pair().unwrap();
        let mut server = Server::listen(
            control,
            Ipv4Addr::LOCALHOST,
            circle.and_then(NonZeroUsize::new),
            tls,
        )
        .unwrap();
        let address = server.address().unwrap();
        let serving = thread::spawn(move || server.serve(io::sink()).unwrap());
        let done = work(address.into());
        drop(ours);
        let counts = serving.join().unwrap();
        (done.unwrap(), counts)
    }

    fn load(target: Target, opcode: u8, pace: Pace) -> Load {
        Load {
            target,
            connections: 5,
            ramp_up: Duration::from_millis(10),
            frame: frame::masked(opcode, &[b'x'; 64]),
            pace,
            duration: Duration::from_millis(200),
            best: false,
        }
    }

    #[test]
    fn a_schedule_is_kept_to_the_last_frame() {
        let (outcome, counts) =
            against_server(|target| load(target, frame::TEXT, Pace::PerSecond(100.0)).run());
        assert_eq!((outcome.sent, outcome.answered), (100, 100));
        assert!(outcome.lateness_p50_us <= outcome.lateness_p99_us);
        let expected = Counts {
            opened: 5,
            closed: 5,
            echoes: 100,
            ..Counts::default()
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_closed_loop_answers_each_answer() {
        let (outcome, counts) =
            against_server(|target| load(target, frame::TEXT, Pace::InFlight(16)).run());
        assert!(outcome.sent >= 5 * 16);
        assert_eq!(outcome.sent, outcome.answered);
        assert_eq!(counts.echoes, outcome.sent);
        assert_eq!(outcome.lateness_p50_us, None);
    }

    #[test]
    fn the_best_does_the_same() {
        for (pace, least) in [
            (Pace::PerSecond(1_000.0), 1_000),
            (Pace::InFlight(16), 5 * 16),
        ] {
            let (outcome, counts) = against_server(|target| {
                let plain = load(target, frame::TEXT, pace);
                Load {
                    best: true,
                    ..plain
                }
                .run()
            });
            assert!(outcome.sent >= least, "{}", outcome.sent);
            assert_eq!(
                (outcome.answered, counts.echoes),
                (outcome.sent, outcome.sent)
            );
        }
    }

    #[test]
    fn what_one_says_a_whole_circle_hears() {
        // Five connections in circles of two: the last one is alone.
        let pace = |speakers, heard_by| Pace::Said {
            per_second: 50.0,
            speakers,
            heard_by,
        };
        let said = |pace| {
            let work = |target| load(target, frame::TEXT, pace).run();
            against_circles_of(Some(2), work)
        };
        let (outcome, counts) = said(pace(4, 2));
        assert_eq!((outcome.sent, outcome.answered), (40, 80));
        assert_eq!((counts.delivered, counts.echoes), (80, 0));
        assert_eq!((counts.opened, counts.closed), (5, 5));
    }

    #[test]
    fn pings_are_no_echoes() {
        let (outcome, counts) =
            against_server(|target| load(target, frame::PING, Pace::PerSecond(10.0)).run());
        assert_eq!((outcome.answered, counts.pings, counts.echoes), (10, 10, 0));
    }

    #[test]
    fn connections_stay_until_all_are_open() {
        let (outcome, counts) =
            against_server(|target| open_all(target, 20, Duration::from_millis(50)));
        assert_eq!((outcome.opened, outcome.closed), (20, 20));
        assert_eq!((counts.opened, counts.closed, counts.broken), (20, 20, 0));
    }

    #[test]
    fn a_cycle_opens_and_closes() {
        let (outcome, counts) =
            against_server(|target| cycle(target, 20, Duration::from_millis(50)));
        assert_eq!((outcome.opened, outcome.closed), (20, 20));
        assert_eq!((counts.opened, counts.closed, counts.broken), (20, 20, 0));
    }

    #[test]
    fn the_same_is_done_under_tls() {
        for version in [&TLS13, &TLS12] {
            let (outcome, counts) = against_secure_server(version, |target| {
                load(target, frame::TEXT, Pace::InFlight(1)).run()
            });
            assert!(outcome.sent > 5);
            assert_eq!(counts.echoes, outcome.sent);
            let (outcome, counts) = against_secure_server(version, |target| {
                cycle(target, 20, Duration::from_millis(50))
            });
            assert_eq!((outcome.opened, outcome.closed), (20, 20));
            assert_eq!((counts.opened, counts.closed, counts.broken), (20, 20, 0));
        }
    }
}
