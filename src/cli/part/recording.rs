//! What a process writes down while it plays its share, and at its end.

use std::fs::File;
use std::io::{self, BufWriter};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::around::Around;
use crate::cli::error::CliError;
use crate::cli::observer::RunObserver;
use crate::engine::{self, Finished};
use crate::host::{self, Throttled};
use crate::measure::{Layout, Sample, Shard, Usage};
use crate::net;
use crate::record::{End, Head, Machine, Writer};
use crate::report::Host;
use crate::scenario::Secrets;
use crate::time;
use crate::units::{Nanos, Timestamp};

/// Writes each second to a file, besides what is done for any run. The supervisor waits for that, and the workers do
/// not: a shard that finds no room covers the next second as well.
pub(in crate::cli) struct Recording<'a> {
    inner: RunObserver<'a>,
    writer: Writer<BufWriter<File>>,
    throttled: Option<Throttled>,
    /// Why a second could not be written.
    failure: Option<io::Error>,
}

/// A file in which only the end is missing.
pub(in crate::cli) struct Seconds {
    writer: Writer<BufWriter<File>>,
    throttled: Option<Throttled>,
    failure: Option<io::Error>,
}

/// What was recorded.
pub(in crate::cli) struct Recorded {
    /// What broke the share off.
    pub(in crate::cli) broken: Option<CliError>,
    /// Whether all is in the file.
    pub(in crate::cli) written: Result<(), CliError>,
}

impl<'a> Recording<'a> {
    /// Begins to write into this file.
    pub(in crate::cli) fn begin(
        file: File,
        head: &Head,
        layout: Layout,
        inner: RunObserver<'a>,
    ) -> io::Result<Self> {
        Ok(Self {
            inner,
            writer: Writer::begin(BufWriter::new(file), head, layout)?,
            throttled: host::throttled(),
            failure: None,
        })
    }

    /// How many bytes are written: whole records.
    #[cfg(feature = "cluster")]
    pub(in crate::cli) fn written(&self) -> u64 {
        let file = self.writer.out().get_ref();
        file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// No second follows.
    pub(in crate::cli) fn over(self) -> Seconds {
        self.inner.end();
        Seconds {
            writer: self.writer,
            throttled: self.throttled,
            failure: self.failure,
        }
    }
}

impl Seconds {
    /// Writes the end. `late` is how long after its time the share began, and `path` names the file in errors.
    pub(in crate::cli) fn end(
        self,
        finished: &mut Finished,
        around: Around,
        late: Duration,
        secrets: &Secrets,
        path: &Path,
    ) -> Recorded {
        let Self {
            writer,
            throttled,
            failure,
        } = self;
        let (surroundings, failed) = around.end(finished.origin, &mut finished.summary);
        let broken = finished.failure.take().map(CliError::Engine).or(failed);
        let throttling = host::throttled().zip(throttled).map(|(now, before)| {
            let Throttled { periods, throttled } = now.since(before);
            (periods, throttled)
        });
        let shown = |text: String| secrets.mask(&text).into_owned();
        let end = End {
            seconds: 0,
            opened: 0,
            interrupted: finished.interrupted,
            failure: broken.as_ref().map(|error| shown(error.to_string())),
            settled_ns: finished.settled,
            load_ended_ns: finished.load_ended,
            ended_ns: finished.ended,
            late_ns: Nanos::from(late).0,
            told_late_ns: finished.told_late.map(|late| late.0),
            throttling,
            look_ups_failed: (surroundings.look_ups_failed)
                .map(|(count, last)| (count, shown(last))),
        };
        let written = match failure {
            Some(failure) => Err(failure),
            None => writer.end(end).and_then(in_whole),
        };
        let written = written.map_err(|source| CliError::LateWrite {
            path: path.to_owned(),
            source,
        });
        Recorded { broken, written }
    }
}

impl engine::Observer for Recording<'_> {
    fn measuring(&mut self, from: Instant) {
        self.inner.measuring(from);
    }

    fn target(&mut self) -> Option<Usage> {
        None
    }

    fn shard(&mut self, shard: &Shard, sample: &Sample, measured_from: Option<Timestamp>) {
        if self.failure.is_none() {
            self.failure = self.writer.second(shard, sample, measured_from).err();
        }
    }

    fn second(&mut self, second: &engine::Second<'_>) -> ControlFlow<()> {
        match self.failure {
            // What is not written is of no use to anybody.
            Some(_) => ControlFlow::Break(()),
            None => self.inner.second(second),
        }
    }
}

/// Syncs a file that was written to its end.
fn in_whole(out: BufWriter<File>) -> io::Result<()> {
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    match file.metadata()?.is_file() {
        true => file.sync_all(),
        // Pipes and devices cannot be synced.
        false => Ok(()),
    }
}

/// What the system gives this process.
pub(in crate::cli) fn machine(workers: usize) -> Machine {
    let Host {
        os,
        arch,
        kernel,
        congestion_control,
        cpus,
        cpu_model,
    } = Host::detect();
    Machine {
        workers: workers as u32,
        precise_timer: time::PRECISE,
        kernel_view: net::TCP_VIEW,
        cores: host::allowed_cores(),
        os,
        arch,
        kernel,
        cpus,
        cpu_model,
        congestion_control,
    }
}
