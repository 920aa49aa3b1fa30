//! The summary that a person can read in ten seconds: what ran, its results, and the verdict.
//! Made for 80 columns; uses the names that gates use.

use std::io::{self, Write};
use std::path::Path;

use super::page::Page;
use super::style::Style;
use super::times;
use crate::measure::{GaugeStats, Value};
use crate::metric::{self, Cause, Counter, Gauge};
use crate::report::processes::{self, Detail};
use crate::report::run::Run;
use crate::report::tables::{self, size};
use crate::report::words::{began, border, measured, span};
use crate::units::{counted, human_count, visible};
use crate::verdict::{Exit, View};

/// The most causes, and the most warnings, that are shown; `run.json` has all of them.
const MAX_SHOWN: usize = 8;
/// The most parts that are shown, those in trouble first.
const MAX_PARTS: usize = 16;
/// The most different examples of a cause that are shown.
const MAX_EXAMPLES: usize = 3;

/// Writes the summary, and where the files are if there is a `folder`. `exit` is how wsbench will end.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(
    run: &Run,
    exit: Exit,
    style: Style,
    folder: Option<&Path>,
    out: impl Write,
) -> io::Result<()> {
    let mut text = Text {
        run,
        view: run.view(),
        page: Page { style, out },
    };
    text.heading()?;
    text.connections()?;
    text.messages()?;
    text.delivery()?;
    text.heartbeat()?;
    text.target()?;
    text.generator()?;
    text.processes()?;
    text.times()?;
    text.parts()?;
    let gates: Vec<_> = run.verdict.gates.iter().collect();
    text.page.gates(&gates)?;
    text.page.contracts(run)?;
    text.warnings()?;
    text.page.outcome(run, exit, folder)
}

struct Text<'a, W> {
    run: &'a Run,
    view: View<'a>,
    page: Page<W>,
}

impl<W: Write> Text<'_, W> {
    fn heading(&mut self) -> io::Result<()> {
        let run = self.run;
        let name = self.page.style.bold(&visible(&run.scenario.name));
        let target = visible(&run.scenario.target);
        writeln!(self.page.out, "{name} against {target}")?;
        if !run.scenario.description.is_empty() {
            self.page.aside(&run.scenario.description)?;
        }
        writeln!(self.page.out)?;
        let ran = format!(
            "{}, {} of it measured; began {}",
            span(run.summary.seconds),
            measured(run),
            began(run)
        );
        self.page.line("ran", &ran)?;
        match self.run.summary.border.and_then(border) {
            Some(border) => self.page.line("", &border),
            None => Ok(()),
        }
    }

    fn connections(&mut self) -> io::Result<()> {
        let mut parts = vec![
            self.told(Counter::ConnectionsAttempted, "attempted"),
            self.told(Counter::ConnectionsOpened, "opened"),
            self.told(Counter::ConnectionsFailed, "failed"),
            self.told(Counter::ConnectionsDead, "dead"),
        ];
        // Where an end is expected none is lost: those are left out, as gates leave them out.
        let lost = self.view.count(Counter::ConnectionsLost.name());
        parts.extend((lost > 0).then(|| format!("{} lost", human_count(lost))));
        parts.extend(self.if_any(Counter::ConnectionsAbandoned, "abandoned"));
        parts.extend(self.if_any(Counter::ConnectionsReconnected, "reconnected"));
        parts.extend(self.if_any(Counter::ConnectionsSkipped, "skipped"));
        self.page.line("connections", &parts.join(" · "))?;
        self.causes()
    }

    /// Writes why connections failed or ended, the most frequent cause first, each with an example. Leaves out
    /// connections with a fault, or with a contract that expects their end: the contracts report those.
    fn causes(&mut self) -> io::Result<()> {
        let view = &self.view;
        let mut causes: Vec<(Cause, u64)> = (Cause::ALL.iter())
            .filter(|cause| **cause != Cause::Completed)
            .map(|cause| (*cause, view.count(&metric::error(*cause))))
            .filter(|(_, count)| *count > 0)
            .collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (cause, count) in causes.iter().take(MAX_SHOWN) {
            let count = human_count(*count);
            let meaning = cause.meaning();
            self.page.line("", &format!("{count} {cause}: {meaning}"))?;
            for example in self.view.examples(*cause).into_iter().take(MAX_EXAMPLES) {
                self.page.example(example)?;
            }
        }
        self.more(causes.len(), "more cause")?;
        let all: u64 = (Cause::ALL.iter())
            .filter(|cause| !matches!(cause, Cause::Completed | Cause::Fault))
            .map(|cause| self.run.summary.total(&metric::error(*cause)))
            .sum();
        let told: u64 = causes.iter().map(|(_, count)| count).sum();
        match all.saturating_sub(told) {
            0 => Ok(()),
            others => self.page.line(
                "",
                &format!(
                    "{} more, of cohorts with a fault or an expected end: see connections.csv",
                    human_count(others)
                ),
            ),
        }
    }

    fn messages(&mut self) -> io::Result<()> {
        let count = |counter: Counter| self.count(counter);
        let received = count(Counter::MessagesReceived);
        if count(Counter::MessagesDue) + received == 0 {
            return Ok(());
        }
        let mut parts = vec![self.with_rate(Counter::MessagesSent, "sent")];
        let echoed = count(Counter::MessagesEchoed);
        let answered = count(Counter::MessagesAnswered);
        let is_silent = answered == 0 && !times::messages(&self.view).is_empty();
        if echoed > 0 || is_silent {
            parts.push(self.told(Counter::MessagesEchoed, "echoed"));
        }
        if answered > 0 {
            parts.push(self.told(Counter::MessagesAnswered, "answered"));
        }
        if received != echoed {
            parts.push(self.with_rate(Counter::MessagesReceived, "received"));
        }
        for (counter, word) in [
            (Counter::MessagesNotSent, "not sent"),
            (Counter::MessagesOffline, "offline"),
            (Counter::MessagesTimedOut, "timed out"),
            (Counter::MessagesLost, "lost"),
            (Counter::MessagesMismatched, "mismatched"),
            (Counter::MessagesDuplicated, "duplicated"),
            (Counter::MessagesLate, "late"),
            (Counter::MessagesUnsolicited, "unsolicited"),
        ] {
            parts.extend(self.if_any(counter, word));
        }
        self.page.line("messages", &parts.join(" · "))?;
        // Quotes an unexpected message only if messages were sent: otherwise nothing that the server sends is
        // unexpected. Counts the whole run, including the time before measuring.
        let total = |counter: Counter| self.view.total(counter.name());
        let surprises = total(Counter::MessagesMismatched) + total(Counter::MessagesUnsolicited);
        let words = self.run.summary.endings.unexpected.first();
        match words.filter(|_| surprises > 0 && total(Counter::MessagesSent) > 0) {
            Some(words) => self.page.example(words),
            None => Ok(()),
        }
    }

    /// Writes how many of the deliveries came that were expected.
    fn delivery(&mut self) -> io::Result<()> {
        let count = |counter: Counter| self.count(counter);
        let (expected, received) = (
            count(Counter::DeliveryExpected),
            count(Counter::DeliveryReceived),
        );
        if expected + count(Counter::DeliveryPublished) + count(Counter::DeliveryStray) == 0 {
            return Ok(());
        }
        let share = match expected {
            0 => String::new(),
            // Rounds down, so that only all is all.
            _ => {
                let thousandths = u128::from(received) * 100_000 / u128::from(expected);
                format!(" ({} %)", thousandths as f64 / 1000.0)
            }
        };
        let (received, all) = (human_count(received), human_count(expected));
        let missing = expected.saturating_sub(count(Counter::DeliveryReceived));
        let mut parts = vec![
            format!("{received} of {all} expected{share}"),
            format!("{} missing", human_count(missing)),
            self.told(Counter::DeliveryDuplicated, "twice"),
            self.told(Counter::DeliveryStray, "stray"),
        ];
        parts.extend(self.if_any(Counter::DeliveryLate, "late"));
        parts.extend(self.if_any(Counter::DeliveryUnordered, "out of order"));
        self.page.line("delivery", &parts.join(" · "))
    }

    fn heartbeat(&mut self) -> io::Result<()> {
        let mut cohorts = self.run.scenario.cohorts.iter();
        if cohorts.any(|cohort| cohort.heartbeat && cohort.is_healthy()) {
            let mut parts = vec![
                counted(self.count(Counter::PingsSent), "ping"),
                counted(self.count(Counter::PongsReceived), "pong"),
                self.told(Counter::PingsMissed, "missed"),
            ];
            parts.extend(self.if_any(Counter::PongsLate, "late"));
            parts.extend(self.if_any(Counter::PongsUnsolicited, "unsolicited"));
            self.page.line("heartbeat", &parts.join(" · "))?;
        }
        match self.if_any(Counter::ServerPings, "from the server") {
            Some(pings) => self.page.line("pings", &pings),
            None => Ok(()),
        }
    }

    fn gauge(&self, gauge: Gauge) -> Option<GaugeStats> {
        let mut rows = self.run.summary.select(gauge.name(), None, None);
        rows.find_map(|row| match row.value {
            Value::Gauge(stats) => Some(stats),
            _ => None,
        })
    }

    /// What the load cost the target in the measured time; nothing where its process is not known.
    fn target(&mut self) -> io::Result<()> {
        let mut parts = Vec::new();
        if let Some(cpu) = self.gauge(Gauge::TargetCpu) {
            parts.push(format!("CPU {:.0} % (peak {:.0} %)", cpu.mean, cpu.max));
        }
        if let Some(rss) = self.gauge(Gauge::TargetRss) {
            parts.push(size(rss.max));
        }
        if let Some(open) = self.gauge(Gauge::TargetDescriptors) {
            parts.push(counted(open.max as u64, "descriptor"));
        }
        match parts.is_empty() {
            true => Ok(()),
            false => self.page.line("server", &parts.join(" · ")),
        }
    }

    fn generator(&mut self) -> io::Result<()> {
        let workers = self.run.facts.workers;
        let mut parts = vec![counted(workers as u64, "worker")];
        if let Some(cpu) = self.gauge(Gauge::GeneratorCpu) {
            let facts = &self.run.facts;
            let limit = match facts.cores {
                Some(cores) if cores < workers as f64 => format!(" of {:.0} %", facts.cpu_limit()),
                _ => String::new(),
            };
            let (mean, peak) = (cpu.mean, cpu.max);
            parts.push(format!("CPU {mean:.0} % (peak {peak:.0} %){limit}"));
        }
        if let Some(rss) = self.gauge(Gauge::GeneratorRss) {
            parts.push(size(rss.max));
        }
        if let Some(each) = self.gauge(Gauge::BytesPerConnection) {
            parts.push(format!("{} a connection", size(each.last)));
        }
        self.page.line("generator", &parts.join(" · "))
    }

    /// Writes how each process of a run in parts fared.
    fn processes(&mut self) -> io::Result<()> {
        if self.run.parts.is_empty() {
            return Ok(());
        }
        let (table, more) = processes::table(&self.run.parts, Detail::Short, MAX_PARTS);
        self.page.table(&table)?;
        match more {
            0 => Ok(()),
            more => self.page.aside(&format!(
                "and {}, see run.json",
                counted(more as u64, "more part")
            )),
        }
    }

    fn times(&mut self) -> io::Result<()> {
        if let Some(times) = times::table(&self.view) {
            self.page.table(&times)?;
        }
        if times::has_thin_percentile(&self.view) {
            self.page
                .aside("An empty cell has too few samples behind it.")?;
        }
        if let Some(left_out) = self.left_out() {
            self.page.aside(&left_out)?;
        }
        let has_messages = !times::messages(&self.view).is_empty();
        if has_messages && self.count(Counter::MessagesUncertain) > 0 {
            self.page.aside(match self.view.total(Counter::MessagesDuplicated.name()) {
                0 => "Answers without a stamp were lost: times of messages and gaps may be too long.",
                _ => "More answers without a stamp came than were due: times of messages may be too short.",
            })?;
        }
        match self.why_latency_differs() {
            Some(why) => self.page.aside(why),
            None => Ok(()),
        }
    }

    /// Names the cohorts whose numbers are in no line and no table above.
    fn left_out(&self) -> Option<String> {
        let cohorts = self.run.scenario.cohorts.iter();
        let bad = cohorts.filter(|cohort| !cohort.is_healthy());
        let names: Vec<&str> = bad.map(|cohort| cohort.name.as_str()).collect();
        (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!("Clients that do wrong on purpose are left out: {names}.")
        })
    }

    /// Explains why latency exceeds service time, if it is more than 1 ms and more than half of the service time
    /// longer.
    fn why_latency_differs(&self) -> Option<&'static str> {
        let p99 = |name: String| self.view.histogram(&name)?.percentile(99.0);
        let waited = |message: &&str| {
            let latency = p99(metric::latency(message))?;
            let service = p99(metric::service(message))?;
            let more = latency.saturating_sub(service);
            (more > 1_000_000 && more > service / 2).then_some(())
        };
        let messages = times::messages(&self.view);
        messages.iter().find_map(waited).map(|()| {
            "Latency counts from when a message was due, service time from when it was sent: \
             the difference is time spent waiting to be sent."
        })
    }

    fn parts(&mut self) -> io::Result<()> {
        let (run, view) = (self.run, &self.view);
        let tables = [
            tables::stages(run, view),
            tables::cohorts(run, view),
            tables::news(run, view),
        ];
        let mut tables = tables.iter().flatten();
        tables.try_for_each(|table| self.page.table(table))
    }

    fn warnings(&mut self) -> io::Result<()> {
        let warnings = &self.run.verdict.warnings;
        if warnings.is_empty() {
            return Ok(());
        }
        writeln!(self.page.out)?;
        let shown = &warnings[..warnings.len().min(MAX_SHOWN)];
        for (place, warning) in shown.iter().enumerate() {
            // If several warnings in a row have the same hint, shows it once, below the last of them.
            let next = shown.get(place + 1).and_then(|next| next.hint.as_deref());
            let hint = warning.hint.as_deref().filter(|hint| next != Some(*hint));
            self.page
                .note("warning", Style::doubtful, &warning.text, hint)?;
        }
        self.more(warnings.len(), "more warning")
    }

    fn more(&mut self, all: usize, noun: &str) -> io::Result<()> {
        match all.checked_sub(MAX_SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => {
                let more = counted(more as u64, noun);
                self.page.line("", &format!("and {more}, see run.json"))
            }
        }
    }

    /// A counter: those of connections cover all cohorts, the others the cohorts that gates look at.
    fn count(&self, counter: Counter) -> u64 {
        match counter.name() {
            name if name.starts_with("connections.") => self.view.all().count(name),
            name => self.view.count(name),
        }
    }

    fn told(&self, counter: Counter, word: &str) -> String {
        format!("{} {word}", human_count(self.count(counter)))
    }

    fn if_any(&self, counter: Counter, word: &str) -> Option<String> {
        (self.count(counter) > 0).then(|| self.told(counter, word))
    }

    fn with_rate(&self, counter: Counter, word: &str) -> String {
        let told = self.told(counter, word);
        let seconds = self.run.summary.measured_seconds;
        if seconds <= 0.0 {
            return told;
        }
        let rate = self.count(counter) as f64 / seconds;
        match rate {
            100.0.. => format!("{told} ({}/s)", human_count(rate.round() as u64)),
            _ => format!("{told} ({rate:.1}/s)"),
        }
    }
}
