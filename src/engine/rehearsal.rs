//! One client of a plan on a socket whose other end the caller speaks for: for benchmarks of what an echo or a delivery
//! costs, from the bytes that are read to those that are written.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use tokio::net::TcpStream;
use tokio::runtime::Builder;

use super::client::live;
use super::dial::{Connected, Connector, Dialer, Wanted};
use super::shared::{RunState, Shared};
use crate::measure::Cells;
use crate::net::{Failure, Link, Steps, WebSocket, Wire};
use crate::plan::Plan;
use crate::time::Clock;
use crate::units::{Nanos, Timestamp};

/// How far the clock goes on with each look at it. An echo takes less; but more of them in a second would make the seconds of a
/// rehearsal too few.
const STEP: Nanos = Nanos::from_millis(1);
/// The longest message that the client accepts, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// Plays the first client of a plan as a worker does, but for a clock that goes on by itself. Calls `peer` `turns` times, each
/// time that the client has done what it can: with the time and the bytes that the client has written since the last call.
/// `peer` adds what the client reads next. Returns what was recorded.
///
/// # Errors
/// The system provides no sockets, the plan no client, or `peer` adds nothing.
pub fn rehearse(
    plan: &Arc<Plan>,
    turns: u64,
    mut peer: impl FnMut(Timestamp, &[u8], &mut Vec<u8>),
) -> io::Result<Cells> {
    let opening = (plan.openings(0, 1).next()).ok_or(ErrorKind::InvalidInput)?;
    let state = Arc::new(RunState::new(plan.connections()));
    state.schedule(Timestamp::ORIGIN, Timestamp::NEVER);
    let shared = Shared::new(Box::new(Stepping::default()), plan.clone(), state);
    let shared = Rc::new(shared);
    shared.clients.set(1);
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (ours, mut theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let played: io::Result<()> = runtime.block_on(async {
        // The system reads and writes both kinds of sockets in the same way.
        let socket = TcpStream::from_std(OwnedFd::from(ours).into())?;
        let connector = Single(Rc::new(RefCell::new(Some(socket))));
        let mut client = pin!(live(shared.clone(), connector, opening));
        let (mut heard, mut said) = (vec![0; MAX_MESSAGE], Vec::new());
        let mut left = turns;
        poll_fn(|cx| {
            if client.as_mut().poll(cx).is_ready() || left == 0 {
                return Poll::Ready(Ok(()));
            }
            left -= 1;
            let length = match theirs.read(&mut heard) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                read => read?,
            };
            said.clear();
            peer(shared.clock.now(), &heard[..length], &mut said);
            if said.is_empty() {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            // The client is woken by it.
            theirs.write_all(&said)?;
            Poll::Pending
        })
        .await
    });
    played?;
    let shard = shared.shard.borrow();
    Ok(shard.cohorts[opening.cohort].together())
}

/// A clock that goes on with each look at it, so that a rehearsal is always the same.
#[derive(Debug, Default)]
struct Stepping(Cell<u64>);

impl Clock for Stepping {
    fn now(&self) -> Timestamp {
        self.0.set(self.0.get() + STEP.0);
        Timestamp::from_nanos(self.0.get())
    }

    /// Returns the time of the last look, for any instant.
    fn at(&self, _instant: Instant) -> Timestamp {
        Timestamp::from_nanos(self.0.get())
    }
}

/// Has one connection, which is open.
#[derive(Clone)]
struct Single(Rc<RefCell<Option<TcpStream>>>);

impl Connector for Single {
    type Transport = WebSocket;

    fn dialer(&self) -> &Dialer {
        unreachable!("no rehearsal begins with a request")
    }

    async fn connect(&self, _: Wanted<'_>, _: &Shared) -> Result<Connected<WebSocket>, Failure> {
        let Some(socket) = self.0.borrow_mut().take() else {
            return std::future::pending().await;
        };
        let link = Link::Plain(Wire::new(socket));
        Ok(Connected {
            transport: WebSocket::new(link.into(), Vec::new(), MAX_MESSAGE, None),
            steps: Steps::default(),
            head: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::tests::plan;
    use crate::metric::{Counter, Timer};

    const ECHO: &str = "load.connections = 1\n[[message]]\nname = \"echo\"\npayload = { size = \"48B\" }\nin_flight = 1";

    /// Echoes the one frame that was heard, or says something else.
    fn answer(heard: &[u8], said: &mut Vec<u8>, is_right: bool) {
        let key = &heard[2..6];
        let payload = heard[6..].iter().zip(key.iter().cycle());
        said.extend([heard[0], 48]);
        said.extend(payload.map(|(byte, key)| byte ^ key));
        said[2] ^= u8::from(!is_right);
    }

    #[test]
    fn echoes_are_recorded_as_in_a_run() {
        let mut turn = 0;
        let seen = rehearse(&Arc::new(plan(ECHO)), 10, |_, heard, said| {
            turn += 1;
            answer(heard, said, turn < 10);
        });
        let seen = seen.unwrap();
        assert_eq!(seen.counter(Counter::MessagesSent), 10);
        assert_eq!(seen.counter(Counter::MessagesEchoed), 9);
        assert_eq!(seen.counter(Counter::MessagesUnsolicited), 1);
        assert_eq!(seen.timer(Timer::ReceiveGap).unwrap().count(), 9);
    }

    #[test]
    fn a_peer_that_says_nothing_ends_it() {
        let ended = rehearse(&Arc::new(plan(ECHO)), 10, |_, _, _| {});
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::WriteZero);
    }
}
