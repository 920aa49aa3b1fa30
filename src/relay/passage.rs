//! Finds the client of each socket that the target has with the relay. Pure.

use std::collections::HashMap;
use std::time::Instant;

use super::counts::RelayLog;
use crate::measure::Sockets;
use crate::units::Timestamp;

impl RelayLog {
    /// Sets the client's own port and the cohort in each of the target's sockets that belongs to a connection of the
    /// relay. Leaves others as they are. The time of the run starts at `origin`.
    pub fn attribute(&self, sockets: &mut Sockets, origin: Instant) {
        let mut by_port: HashMap<u16, Vec<usize>> = HashMap::new();
        for (place, end) in sockets.ends.iter().enumerate() {
            by_port.entry(end.client_port).or_default().push(place);
        }
        for passage in &self.passages {
            let of_port = by_port.get(&passage.target_port).into_iter().flatten();
            let since = Timestamp::of(passage.since, origin);
            // Takes the socket first seen nearest to when the passage was made, as a port can be used again later.
            let nearest = of_port.min_by_key(|place| sockets.ends[**place].seen_ns.abs_diff(since));
            if let Some(place) = nearest {
                sockets.ends[*place].client_port = passage.client_port;
                sockets.ends[*place].relayed = Some(passage.cohort);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::counts::Passage;
    use super::*;
    use crate::measure::SocketEnd;
    use crate::units::{Nanos, after};

    const MS: Nanos = Nanos::from_millis(1);

    #[test]
    fn a_socket_is_that_of_the_client_behind_the_relay() {
        let origin = Instant::now();
        let passage = |cohort, client_port, target_port, ms| Passage {
            cohort,
            client_port,
            target_port,
            since: origin + Duration::from_millis(ms),
        };
        // A port with the target is used again after five seconds; another port belongs to a client that connects
        // directly.
        let log = RelayLog {
            passages: vec![
                passage(1, 100, 500, 10),
                passage(2, 100, 501, 11),
                passage(1, 101, 500, 5_000),
            ],
            ..RelayLog::default()
        };
        let seen = |client_port, ms| SocketEnd {
            client_port,
            relayed: None,
            seen_ns: after(ms * MS),
            left_ns: None,
            gone_ns: Some(after(9_000 * MS)),
            send_queue: 7,
        };
        let mut sockets = Sockets {
            ends: vec![
                seen(500, 30),
                seen(501, 30),
                seen(100, 30),
                seen(500, 5_020),
                seen(501, 5_020),
            ],
            ..Sockets::default()
        };
        log.attribute(&mut sockets, origin);
        let told: Vec<_> = (sockets.ends.iter())
            .map(|end| (end.client_port, end.relayed))
            .collect();
        let expected = [
            (100, Some(1)),
            (100, Some(2)),
            (100, None),
            (101, Some(1)),
            (501, None),
        ];
        assert_eq!(told, expected);
        assert!(sockets.ends.iter().all(|end| end.gone_ns.is_some()));
    }
}
