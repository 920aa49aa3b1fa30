//! What a play has shown: all that was recorded, and the far ends.

use super::peer::Peer;
use crate::measure::{Cells, ConnectionRecord, Ending, Histogram, Open, Outcome};
use crate::metric::{Cause, Counter, Timer};
use crate::units::Timestamp;

/// The results of a play.
pub(super) struct Seen {
    /// All recorded numbers.
    pub(super) all: Cells,
    /// The measured windows.
    pub(super) windows: Vec<Cells>,
    pub(super) endings: Vec<Ending>,
    pub(super) records: Vec<ConnectionRecord>,
    pub(super) open: Open,
    /// What members heard of what was published.
    pub(super) delivered: Outcome,
    /// The far end of each connection, in the order of the dials.
    pub(super) peers: Vec<Peer>,
    /// When the play ended.
    pub(super) ended: Timestamp,
    pub(super) polls: usize,
    /// For how many clients the worker wakes when something comes for them, from each of these times on.
    pub(super) awaited: Vec<(Timestamp, usize)>,
    /// Whether all messages expect an answer, or none does; `None`: some do.
    pub(super) echoes: Option<bool>,
    /// Whether the client says or hears more than messages on a schedule and their echoes.
    pub(super) talks: bool,
    /// Number of kinds of messages.
    pub(super) messages: usize,
    pub(super) pings_are_text: bool,
    /// Whether there are messages that are pings of the server.
    pub(super) takes_pings: bool,
}

impl Seen {
    /// Checks that every connection and every message has exactly one outcome. Runs after every play.
    #[track_caller]
    pub(super) fn check_books(&self) {
        use Counter::*;
        let sum = |counters: &[Counter]| counters.iter().map(|c| self.count(*c)).sum::<u64>();
        assert_eq!(self.count(ConnectionsOpened), self.count(ConnectionsClosed));
        assert_eq!(
            self.count(ConnectionsAttempted),
            sum(&[ConnectionsOpened, ConnectionsFailed, ConnectionsAbandoned])
        );
        let closes: u64 = self.all.closes().map(|(_, _, count)| count).sum();
        assert_eq!(closes, self.count(ConnectionsClosed));
        assert_eq!(
            self.count(MessagesDue),
            sum(&[MessagesSent, MessagesNotSent, MessagesOffline])
        );
        let ends = sum(&[
            MessagesEchoed,
            MessagesAnswered,
            MessagesMismatched,
            MessagesTimedOut,
            MessagesLost,
        ]);
        match self.echoes {
            Some(true) => assert_eq!(ends, self.count(MessagesSent)),
            Some(false) => assert_eq!(ends, 0),
            None => assert!(ends <= self.count(MessagesSent)),
        }
        assert_eq!(
            self.count(SetupBegun),
            sum(&[SetupReady, SetupFailed, SetupLost, SetupAbandoned])
        );
        assert_eq!(
            self.count(AwaitsBegun),
            sum(&[
                AwaitsMet,
                AwaitsWrong,
                AwaitsTimedOut,
                AwaitsLost,
                AwaitsAbandoned
            ])
        );
        assert_eq!(self.count(TurnsDue), sum(&[TurnsBegun, TurnsMissed]));
        let answers = [
            MessagesEchoed,
            MessagesAnswered,
            MessagesMismatched,
            MessagesDuplicated,
            MessagesUnsolicited,
            MessagesLate,
        ];
        let known = sum(&answers) + self.text_pongs() + self.count(PushesReceived);
        match self.talks {
            false if self.takes_pings => {
                assert!(self.count(MessagesReceived) <= known + self.count(ServerPings));
            }
            false => assert_eq!(self.count(MessagesReceived), known),
            // Those that steps waited for, and the answers in set-ups, are not counted one by one.
            true => assert!(self.count(MessagesReceived) >= known),
        }
        for peer in &self.peers {
            assert_eq!(peer.uncounted_bytes(), (0, 0));
        }
        let timed: u64 = (0..self.messages)
            .filter(|_| !self.talks)
            .filter_map(|message| self.all.latency(message))
            .map(Histogram::count)
            .sum();
        if !self.talks {
            assert_eq!(
                sum(&[MessagesEchoed]),
                timed + self.count(MessagesUncertain)
            );
        }
        let pongs = sum(&[PongsReceived, PongsLate]);
        assert_eq!(
            pongs,
            self.timed(Timer::HeartbeatRtt) + self.count(PongsUncertain)
        );
    }

    /// Returns the number of answers to text heartbeats, which are messages too.
    fn text_pongs(&self) -> u64 {
        use Counter::*;
        let pongs = [PongsReceived, PongsLate, PongsUnsolicited];
        if self.pings_are_text {
            pongs.iter().map(|counter| self.count(*counter)).sum()
        } else {
            0
        }
    }

    pub(super) fn count(&self, counter: Counter) -> u64 {
        self.all.counter(counter)
    }

    pub(super) fn counts<const N: usize>(&self, counters: [Counter; N]) -> [u64; N] {
        counters.map(|counter| self.count(counter))
    }

    /// Returns a distribution that must not be empty.
    #[track_caller]
    pub(super) fn timer(&self, timer: Timer) -> &Histogram {
        self.all
            .timer(timer)
            .unwrap_or_else(|| panic!("nothing in {timer}"))
    }

    /// Returns how many times were recorded.
    pub(super) fn timed(&self, timer: Timer) -> u64 {
        self.all.timer(timer).map_or(0, Histogram::count)
    }

    /// Returns the causes of the connections that did not end as planned.
    pub(super) fn causes(&self) -> Vec<Cause> {
        self.endings.iter().map(|ending| ending.cause).collect()
    }

    /// Returns the record of the only connection.
    #[track_caller]
    pub(super) fn record(&self) -> &ConnectionRecord {
        assert_eq!(self.records.len(), 1);
        &self.records[0]
    }

    /// Returns the far end of the only connection.
    #[track_caller]
    pub(super) fn peer(&self) -> &Peer {
        assert_eq!(self.peers.len(), 1);
        &self.peers[0]
    }
}
