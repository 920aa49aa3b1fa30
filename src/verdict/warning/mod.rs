//! What a reader of the numbers should know about the run itself.
//! Typed, so that programs can rely on the kinds.

mod words;

use super::facts::Throttling;
use super::failures::Failures;
use super::unnamed::Unnamed;
use crate::scenario::Caution;

/// Something a reader of the numbers should know about the run itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// A process of the run was lost, and the others went on without it.
    PartLost {
        /// Its number, from 1.
        part: u32,
        /// When it was last heard of, in nanoseconds.
        at_ns: u64,
        /// What is known of it.
        why: String,
        /// How many connections it had opened, of all that opened.
        opened: [u64; 2],
    },
    /// The generator had almost no processor time left.
    GeneratorBusy {
        /// The average over the run, in percent of one core.
        mean: f64,
        /// The busiest second, in percent of one core.
        peak: f64,
        /// The most that its workers may use, in percent of one core.
        limit: f64,
        /// Whether sends follow a schedule; if not, the generator's speed limits the throughput.
        open_model: bool,
    },
    /// wsbench stood still for a while.
    HeldUp {
        /// The longest stop, in nanoseconds.
        longest_ns: u64,
        /// The part of the time that was lost to stops.
        share: f64,
    },
    /// The kernel throttled wsbench.
    Throttled(Throttling),
    /// Messages got no answer, or a wrong one, and no gate checks that.
    Unanswered {
        /// Messages without an answer in time.
        timed_out: u64,
        /// Messages with a wrong answer.
        mismatched: u64,
        /// Messages sent.
        sent: u64,
        /// Gates that would notice.
        gates: Vec<String>,
    },
    /// Deliveries did not come in time, and no gate checks that.
    Undelivered {
        /// How many did not come in time.
        missing: u64,
        /// Deliveries expected by the cohorts in which that is so.
        expected: u64,
        /// A gate that would notice.
        gate: String,
    },
    /// Deliveries are timed from one machine to another, and their clocks are not much surer than what is measured.
    ClocksApart {
        /// The most that such a time may be wrong by, in nanoseconds; `None` if that is not known.
        error_ns: Option<u64>,
        /// What half of the deliveries took at most, in nanoseconds.
        half_ns: u64,
    },
    /// Requests or `[[on]]`s of which something came that tells no time, though one is looked for.
    NoAge {
        /// Their names. Never empty.
        names: Vec<String>,
    },
    /// Sends were late, but not so late that the results cannot be trusted.
    SendsLate {
        /// The 99th percentile of how late sends were, in nanoseconds; `None` where there were too few for it.
        p99_ns: Option<u64>,
        /// The longest lateness of a send, in nanoseconds.
        max_ns: u64,
        /// Whether sends follow a schedule; if not, some waited for the server.
        open_model: bool,
        /// Messages that were sent late because the server took no bytes.
        held_up: u64,
    },
    /// Some messages were never sent.
    NotSent {
        /// Messages not sent.
        not_sent: u64,
        /// Those of them that the server did not take.
        not_taken: u64,
        /// Messages due.
        due: u64,
    },
    /// Some answers may belong to another message or ping than the one they were matched with.
    Uncertain {
        /// Why, and how many were not timed.
        unnamed: Unnamed,
        /// All echoes, or all answers to text heartbeats.
        answers: u64,
    },
    /// Pings got no pong in time, and no gate or promise checks that.
    PingsUnanswered {
        /// Pings without a pong in time.
        unanswered: u64,
        /// Pings sent by the cohorts in which that is so.
        sent: u64,
    },
    /// Some connections did not open.
    FewerConnections {
        /// How many were planned, or were tried if the run was cut short.
        asked: u64,
        /// How many opened.
        opened: u64,
        /// Attempts that failed.
        failed: u64,
        /// Why they failed.
        failures: Failures,
    },
    /// Set-ups failed, and no gate checks that.
    SetupsFailed {
        /// How many failed.
        failed: u64,
        /// Set-ups begun by the cohorts in which that is so.
        begun: u64,
        /// Which step failed, and why.
        example: Option<String>,
        /// A gate that would notice.
        gate: String,
    },
    /// Dials continued with the next address of the target.
    Fallbacks {
        /// How many dials.
        count: u64,
        /// The addresses that they passed by, the most frequent first, each with the first cause reported for it.
        addresses: Vec<(String, String)>,
        /// Whether any connection opened, so that an address of the target accepted one.
        any_opened: bool,
    },
    /// Look-ups of a name failed during the run.
    LookUpsFailed {
        /// How many.
        count: u64,
        /// The error of the last one.
        why: String,
    },
    /// The server allows fewer streams on a TCP connection than the scenario asks for.
    FewerStreams {
        /// How many it allows.
        allowed: u32,
        /// How many the scenario asks for.
        asked: u32,
    },
    /// The server's certificate was not checked.
    Insecure,
    /// The secrets of TLS were written to a file.
    KeyLog {
        /// Its path.
        path: String,
    },
    /// What was to be known of the settings before the run.
    Caution(Caution),
    /// A percentile has too few samples to be meaningful, and so have all higher ones.
    TooFewSamples {
        /// The metric.
        metric: String,
        /// The lowest percentile with too few samples, of those that a gate looks at.
        percentile: f64,
        /// How many samples there are.
        samples: u64,
        /// How many samples it needs.
        wanted: u64,
    },
    /// Some times were longer than a histogram can hold.
    Clipped {
        /// The metric.
        metric: String,
        /// How many.
        count: u64,
    },
    /// The server sends text back as binary, or binary as text.
    Retyped {
        /// How many echoes.
        count: u64,
    },
    /// More connections ended unplanned than `connections.csv` can hold.
    EndingsOverflow {
        /// Rows that were written.
        kept: u64,
        /// Rows that were left out.
        more: u64,
    },
    /// More connections with a contract ended than can be kept for judging it.
    NotJudged {
        /// Connections that were judged.
        kept: u64,
        /// Connections that were not.
        more: u64,
    },
    /// Arrivals were skipped because too many connections were open.
    ArrivalsSkipped {
        /// How many.
        skipped: u64,
        /// How many may be open at once.
        max_open: u32,
    },
    /// A fault of the target could not be carried out; the faults after it were not tried.
    TargetFaultFailed {
        /// The system's error.
        why: String,
    },
    /// The relay of the path accepted connections, but the target did not accept them.
    PathUnreachable {
        /// How many the target did not accept.
        unreachable: u64,
        /// How many the relay accepted.
        connections: u64,
    },
    /// For a while, the relay of the path could not accept connections.
    PathAccepts {
        /// Accepts that failed.
        failed: u64,
    },
    /// The relay of the path accepted connections that are not of this run.
    PathStrangers {
        /// How many.
        strangers: u64,
    },
    /// The relay of the path held as much as it may for some connections, and made a sender wait.
    PathBackedUp {
        /// How many connections.
        backed_up: u64,
        /// How many the relay accepted.
        connections: u64,
    },
    /// This system has no timer with nanosecond resolution that wsbench can use.
    NoPreciseTimer,
    /// This system does not report which bytes were acknowledged.
    NoKernelView,
}

impl Warning {
    /// The stable name, as in `run.json`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::GeneratorBusy { .. } => "generator_busy",
            Self::HeldUp { .. } => "held_up",
            Self::Throttled(_) => "throttled",
            Self::Unanswered { .. } => "unanswered",
            Self::Undelivered { .. } => "undelivered",
            Self::ClocksApart { .. } => "clocks_apart",
            Self::NoAge { .. } => "no_age",
            Self::SendsLate { .. } => "sends_late",
            Self::NotSent { .. } => "not_sent",
            Self::Uncertain { .. } => "uncertain",
            Self::PingsUnanswered { .. } => "pings_unanswered",
            Self::FewerConnections { .. } => "fewer_connections",
            Self::SetupsFailed { .. } => "setups_failed",
            Self::Fallbacks { .. } => "fallbacks",
            Self::LookUpsFailed { .. } => "look_ups_failed",
            Self::FewerStreams { .. } => "fewer_streams",
            Self::Insecure => "insecure",
            Self::KeyLog { .. } => "key_log",
            Self::Caution(caution) => caution.kind(),
            Self::TooFewSamples { .. } => "too_few_samples",
            Self::Clipped { .. } => "clipped",
            Self::Retyped { .. } => "retyped",
            Self::EndingsOverflow { .. } => "endings_overflow",
            Self::NotJudged { .. } => "not_judged",
            Self::ArrivalsSkipped { .. } => "arrivals_skipped",
            Self::TargetFaultFailed { .. } => "target_fault_failed",
            Self::PathUnreachable { .. } => "path_unreachable",
            Self::PathAccepts { .. } => "path_accepts",
            Self::PathStrangers { .. } => "path_strangers",
            Self::PathBackedUp { .. } => "path_backed_up",
            Self::NoPreciseTimer => "no_precise_timer",
            Self::NoKernelView => "no_kernel_view",
            Self::PartLost { .. } => "part_lost",
        }
    }
}
