//! Packet identifiers: 16 bits on the wire for the ids of a connection, which grow without end.

/// Gives ids identifiers, and identifiers of answers their ids back.
///
/// The ids of a connection are those of its exchanges in turn: the exchange `e` of `n` has the ids `e + 1`, `e + 1 + n`,
/// `e + 1 + 2 n` and so on. An identifier keeps the exchange, so two exchanges never share one, and the id is the last one of
/// that exchange with this identifier. No id has to be kept until it is answered; an exchange may have 65,535 / `n` of them
/// under way.
#[derive(Debug)]
pub(super) struct Ids {
    /// The last id of each exchange; 0 if it had none.
    last: Box<[u64]>,
}

impl Ids {
    /// For a connection with so many exchanges, of which there is at least one.
    pub(super) fn new(exchanges: u64) -> Self {
        let exchanges = exchanges.clamp(1, 65_535) as usize;
        Self {
            last: vec![0; exchanges].into(),
        }
    }

    fn exchanges(&self) -> u64 {
        self.last.len() as u64
    }

    /// How many identifiers are used: each of its exchanges has the same number of them.
    fn period(&self) -> u64 {
        65_535 / self.exchanges() * self.exchanges()
    }

    /// The identifier of an id that is sent, which is above 0.
    pub(super) fn send(&mut self, id: u64) -> u16 {
        let place = id.saturating_sub(1);
        let last = &mut self.last[(place % self.last.len() as u64) as usize];
        *last = id.max(*last);
        (place % self.period() + 1) as u16
    }

    /// The id of an answer with this identifier; 0 if none with it was sent.
    pub(super) fn answered(&self, identifier: u16) -> u64 {
        let (place, period) = (u64::from(identifier.saturating_sub(1)), self.period());
        if place >= period {
            return 0;
        }
        let last = self.last[(place % self.exchanges()) as usize];
        let behind = (last.saturating_sub(1) % period + period - place) % period;
        last.saturating_sub(behind)
    }
}
