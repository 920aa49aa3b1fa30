//! The numbers of a run so far as text for Prometheus, which reads them when it wants to. Nothing is lost when it does not:
//! counts and times only grow.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::MetricType;

use super::about::About;
use super::facts::{Fact, Totals, Value};
use super::hub::{Output, Second, SendError};
use crate::metric::Exported;
use crate::report::{Families, Point};

/// Adds up the seconds for an [`Exposition`].
pub struct Prometheus(Exposition);

/// What Prometheus reads. Clones are the same one.
#[derive(Clone)]
pub struct Exposition {
    about: Arc<About>,
    totals: Arc<Mutex<Totals>>,
    is_read: Arc<AtomicBool>,
}

impl Prometheus {
    /// The numbers of this run, and what reads them.
    pub fn new(about: &About) -> (Self, Exposition) {
        let exposition = Exposition {
            about: Arc::new(about.clone()),
            totals: Arc::new(Mutex::new(Totals::new(about.cohorts.len()))),
            is_read: Arc::default(),
        };
        (Self(exposition.clone()), exposition)
    }
}

impl Output for Prometheus {
    fn send(&mut self, second: &Second) -> Result<(), SendError> {
        self.0.lock().add(&second.interval);
        Ok(())
    }

    fn reached_nobody(&self) -> Option<String> {
        let is_read = self.0.is_read.load(Ordering::Relaxed);
        (!is_read).then(|| "nobody has read its page".to_owned())
    }
}

impl Exposition {
    /// The type of the text, for HTTP.
    pub const TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    fn lock(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers so far.
    ///
    /// # Errors
    /// Never, as far as is known: the library that writes the text can fail by its types.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        self.is_read.store(true, Ordering::Relaxed);
        let mut families = Families::default();
        for fact in self.lock().facts() {
            self.add(&fact, &mut families);
        }
        let own = [
            ("scenario", self.about.scenario.as_str()),
            ("run", self.about.run.as_str()),
        ];
        families.text(own.into_iter().chain(self.about.labels.iter()))
    }

    fn add(&self, fact: &Fact<'_>, families: &mut Families) {
        let Exported {
            name,
            labels,
            help,
            scale,
            ..
        } = fact.exported();
        let cohort = fact.cohort.and_then(|index| self.about.cohorts.get(index));
        let labels = (cohort.map(|cohort| ("cohort", cohort.clone())))
            .into_iter()
            .chain(labels);
        let (kind, point) = match fact.value {
            Value::Count(count) => (MetricType::Counter, Point::Count(count)),
            Value::Level(level) => (MetricType::Gauge, Point::Value(level * scale)),
            Value::Times(times) => (MetricType::Histogram, Point::of_times(times, scale)),
        };
        families.put(name, &help, kind, labels, point);
    }
}
