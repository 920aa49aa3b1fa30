//! Measured numbers: histograms, counters, the shard of one worker, the merged summary.
//! Pure: uses no socket, no clock and no scenario.

mod agreed;
mod border;
mod bytes;
mod cells;
mod cohort_rows;
mod collector;
mod connection_record;
mod delivery;
mod echo;
mod ending;
mod event;
mod fallbacks;
mod health;
mod histogram;
mod interval;
mod layout;
mod named;
mod progress;
mod shard;
mod stops;
mod summary;
mod surroundings;
mod timeline;
mod trace;
mod wire;

pub use agreed::Agreed;
pub use border::Border;
pub use bytes::Bytes;
pub use cells::Cells;
pub use collector::Collector;
pub use connection_record::{ConnectionRecord, EndedBy, TcpEnding};
pub use delivery::{
    Audience, ClosedSecond, Deliveries, Heard, HeardBy, Listener, Outcome, Reach, Receipt,
    TopicChange, TopicIndex, second_before,
};
pub use echo::{Echo, Echoes, Events, Traces};
pub use ending::{Ending, State, TcpView};
pub use event::{Event, Happened, Opened};
pub use fallbacks::{Fallback, Fallbacks};
pub use health::Health;
pub use histogram::{Encoded, Histogram, HistogramError};
pub use interval::{Interval, Name, Own, Part, Sample};
pub use layout::{Layout, Window};
pub use named::{NamedRows, OfCohort, UnknownCohort};
pub use progress::{Progress, Times, Troubles};
pub use shard::{CohortShard, Open, Shard};
pub use stops::{Stop, Stops};
pub use summary::{ConnectionRecords, Endings, GaugeStats, Metric, States, Summary, Value};
pub use surroundings::{Incident, IncidentKind, Relayed, SocketEnd, Sockets, Surroundings, Usage};
pub use timeline::{InPhases, Phase, Row, Timeline};
pub use trace::{By, Fitting, FrameType, Trace, Traced};
pub use wire::WireError;
