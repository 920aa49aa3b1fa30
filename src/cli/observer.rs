//! Watches one run second by second: shows progress, hands it to outputs, keeps single messages, and ends the run where a
//! gate says so.

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use tracing::info;

use super::around::Around;
use super::attempt::Records;
use super::closing::{self, Closing};
use super::error::CliError;
use super::messages::Messages;
use super::outputs::{Outputs, Still};
use super::progress::Shown;
use super::term;
use crate::engine;
use crate::measure::{Echoes, Events, Usage};
use crate::report::{Live, OutputRecord};
use crate::scenario::Scenario;
use crate::units::{Timestamp, counted};
use crate::verdict::first_holding;

/// Watches the run second by second: shows progress, and ends the run when an abort gate holds or the relay has failed.
pub(super) struct RunObserver<'a> {
    progress: Shown,
    scenario: &'a Scenario,
    around: &'a Around,
    messages: Option<Messages>,
    outputs: Outputs,
    held: Option<String>,
    closing: Option<Closing>,
}

/// What was seen until the end.
pub(super) struct Watched {
    /// The abort gate that held.
    pub(super) held: Option<String>,
    /// Whether the file of single messages was written without an error.
    pub(super) messages: Result<(), CliError>,
    /// What became of the reports that were closed, if they could be.
    pub(super) closed: Option<closing::Ended>,
    /// What each output took.
    pub(super) outputs: Vec<OutputRecord>,
    /// What shows the run still.
    pub(super) still: Still,
}

impl<'a> RunObserver<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        around: &'a Around,
        messages: Option<Messages>,
        view: Live,
    ) -> Self {
        Self {
            progress: Shown::start(view),
            scenario,
            around,
            messages,
            outputs: Outputs::default(),
            held: None,
            closing: None,
        }
    }

    /// Closes reports while the run goes on.
    ///
    /// # Errors
    /// When the system cannot listen for the signal, or start a thread.
    pub(super) fn closes(
        &mut self,
        plan: closing::Plan<'_>,
        records: &Records,
    ) -> Result<(), CliError> {
        let lines = self.progress.lines();
        self.closing = Some(Closing::start(plan, records.clone(), lines)?);
        Ok(())
    }

    /// The same, which hands each second to these outputs.
    pub(super) fn sending(self, outputs: Outputs) -> Self {
        Self { outputs, ..self }
    }

    /// Ends the progress view and the file of single messages, and reports how many messages are missing from it.
    pub(super) fn end(self) -> Watched {
        let closed = self.closing.map(Closing::end);
        self.progress.finish();
        let (outputs, still) = self.outputs.finish();
        let left_out = self.messages.map_or(Ok(0), Messages::finish);
        if let Ok(more @ 1..) = left_out {
            term::note(format!(
                "{} had no room among `--messages`",
                counted(more, "message")
            ));
        }
        Watched {
            held: self.held,
            messages: left_out.map(|_| ()),
            closed,
            outputs,
            still,
        }
    }
}

impl engine::Observer for RunObserver<'_> {
    fn measuring(&mut self, from: Instant) {
        self.around.measuring(from);
    }

    fn target(&mut self) -> Option<Usage> {
        self.around.target()
    }

    fn echoes(&mut self, echoes: Echoes) {
        if let Some(messages) = &mut self.messages {
            messages.write(echoes);
        }
    }

    fn events(&mut self, events: Events, until: Timestamp) {
        let until = Duration::from_nanos(until.as_nanos());
        self.progress.events(events, (until, SystemTime::now()));
    }

    fn second(&mut self, second: &engine::Second<'_>) -> ControlFlow<()> {
        self.progress.update(&second.progress);
        self.outputs.second(second, self.scenario);
        if self.around.has_failed() {
            return ControlFlow::Break(());
        }
        let abort = &self.scenario.gates.abort;
        // The load has ended normally, so there is nothing to abort.
        if abort.is_empty() || second.is_over || self.held.is_some() {
            return ControlFlow::Continue(());
        }
        let summary =
            second.snapshot(&|metric| abort.iter().any(|gate| gate.subject.is_of(metric)));
        self.held = first_holding(self.scenario, &summary).map(|gate| gate.text.clone());
        match &self.held {
            Some(gate) => {
                info!(gate, "an abort gate holds");
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn closes_report(&mut self, second: &engine::Second<'_>) -> bool {
        (self.closing.as_mut()).is_some_and(|closing| closing.is_due(second))
    }

    fn report(&mut self, closed: engine::Closed) {
        if let Some(closing) = &mut self.closing {
            closing.take(closed);
        }
    }
}
