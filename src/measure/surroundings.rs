//! What happened around the connections: faults of the target and the path, the server's own sockets, its resources.
//! Times are nanoseconds since the first dial.

/// What was done to the target or on the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// `sigstop`, `sigterm`, or the key of `[path]`.
    pub kind: &'static str,
    /// The names of the cohorts it happened to. Empty: to all.
    pub cohorts: Vec<String>,
    /// It began.
    pub began_ns: u64,
    /// It was over; `None`: it lasts to the end.
    pub ended_ns: Option<u64>,
}

impl Incident {
    /// Whether it happened to a cohort.
    pub fn concerns(&self, cohort: &str) -> bool {
        self.cohorts.is_empty() || self.cohorts.iter().any(|name| name == cohort)
    }
}

/// What became of one of the server's sockets, seen in the system's table of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketEnd {
    /// The client's port.
    pub client_port: u16,
    /// By the place of its cohort, where the client came over the relay of the path; `None`: straight.
    pub relayed: Option<usize>,
    /// It was first seen.
    pub seen_ns: u64,
    /// It left `ESTABLISHED` (or `CLOSE_WAIT`) by the server's decision.
    pub left_ns: Option<u64>,
    /// It was gone, or in `TIME_WAIT`, which holds no memory of the server.
    pub gone_ns: Option<u64>,
    /// Bytes in its send queue when it was last seen.
    pub send_queue: u64,
}

/// The server's sockets, seen again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sockets {
    /// In the order in which they were first seen. A port may come again.
    pub ends: Vec<SocketEnd>,
    /// Between two looks, at most: how exact the times are.
    pub resolution_ns: u64,
    /// Sockets for which there was no room.
    pub more: u64,
}

/// What the target used before and after the load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub rss: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

/// What became of the connections that the relay of the path took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relayed {
    /// Connections of clients that it took.
    pub connections: u64,
    /// Those among them that it reset for want of a descriptor.
    pub refused: u64,
    /// Those among them that it reset because the target did not take its connection.
    pub unreachable: u64,
    /// Accepts that failed, each with a wait after it: clients that left, or a system without memory for sockets.
    pub accepts_failed: u64,
    /// Those for which it held all that it may, and made a sender wait.
    pub backed_up: u64,
    /// Its processor time in nanoseconds; `None` where the system does not say.
    pub cpu_ns: Option<u64>,
}

/// Everything that happened around the connections of a run. Empty where nobody looked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// In the order in which they began.
    pub incidents: Vec<Incident>,
    /// Why a fault of the target could not be carried out; none was after that.
    pub fault_failed: Option<String>,
    /// `None`: there is no path.
    pub relayed: Option<Relayed>,
    /// `None`: the target is not on this machine, or nothing asked for it.
    pub sockets: Option<Sockets>,
    /// The target's resources before the load, and when all connections had gone.
    pub usage: Option<(Usage, Usage)>,
}
