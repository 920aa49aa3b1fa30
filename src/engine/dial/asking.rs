//! Requests of HTTP on connections of their own: before a WebSocket is opened, or once for the run.

use super::{Dialer, timed_out};
use crate::engine::shared::Shared;
use crate::http::{Address, Answer, Cookies};
use crate::metric::Counter;
use crate::net::{Asked, Dial, Failure, Progress, address};
use crate::scenario::{Http, WebOrigin};
use crate::time::{Clock, unix_seconds};
use crate::units::{Nanos, format_duration};

impl Dialer {
    /// Sends a request whose payload was rendered, within its `timeout`, and returns the answer. Keeps its cookies, and
    /// sends those that were kept.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(in crate::engine) async fn ask(
        &self,
        (cohort, connection): (usize, u32),
        http: &Http,
        rendered: &[u8],
        cookies: &mut Cookies,
        shared: &Shared,
    ) -> Result<Answer, String> {
        let (to, turn) = self.destinations[cohort].of(connection);
        let (origin, turn) = match &http.origin {
            Some(other) => (other, connection),
            None => (&to.origin, turn.before),
        };
        let way = self.way(cohort, origin);
        let address = address(origin, http.target(rendered));
        let request = written(http, rendered, origin, cookies)?;
        let dial = Dial {
            number: connection,
            turn,
            ..Dial::default()
        };
        let mut progress = Progress::default();
        let clock = &*shared.clock;
        let asked = tokio::select! {
            biased;
            asked = way.ask(&request, dial, clock, &mut progress) => Ok(asked),
            lost = shared.attend(Nanos::from(http.timeout)) => Err(lost),
        };
        shared.looked_up(&way.take_look_ups());
        shared.counted(cohort, &progress.counts);
        let Asked { answer, bytes } = asked.map_err(|lost| too_late(http, &progress, lost))?;
        shared.whole(cohort, |cells| {
            cells.add(Counter::BytesSent, bytes.0);
            cells.add(Counter::BytesReceived, bytes.1);
        });
        answered(answer, address, cookies)
    }

    /// The same for a request that is sent once for the run, before there are workers.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(in crate::engine) async fn ask_once(
        &self,
        cohort: usize,
        http: &Http,
        rendered: &[u8],
        cookies: &mut Cookies,
        clock: &dyn Clock,
    ) -> Result<Answer, String> {
        let first = self.destinations[cohort].at(0);
        let origin = http.origin.as_ref().unwrap_or(&first.origin);
        let way = self.way(cohort, origin);
        let address = address(origin, http.target(rendered));
        let request = written(http, rendered, origin, cookies)?;
        let (dial, mut progress) = (Dial::default(), Progress::default());
        let asked = way.ask(&request, dial, clock, &mut progress);
        let asked = tokio::time::timeout(http.timeout, asked).await;
        let asked = asked.map_err(|_| too_late(http, &progress, Nanos::ZERO))?;
        answered(asked.answer, address, cookies)
    }
}

/// A request whose payload was rendered, with the cookies that go to its server.
fn written(
    http: &Http,
    rendered: &[u8],
    origin: &WebOrigin,
    cookies: &Cookies,
) -> Result<Vec<u8>, String> {
    let mut request = Vec::new();
    let kept = cookies.header(address(origin, http.target(rendered)), unix_seconds());
    http.write(rendered, &origin.authority(), kept, false, &mut request)
        .map_err(|error| error.to_string())?;
    Ok(request)
}

/// Keeps the cookies of an answer, if there is one.
fn answered(
    answer: Result<Answer, Failure>,
    address: Address<'_>,
    cookies: &mut Cookies,
) -> Result<Answer, String> {
    let answer = answer.map_err(|Failure { cause, detail, .. }| format!("{cause}: {detail}"))?;
    cookies.take(address, &answer, unix_seconds());
    Ok(answer)
}

fn too_late(http: &Http, progress: &Progress, lost: Nanos) -> String {
    let within = format_duration(http.timeout);
    let waited = timed_out(progress, lost).detail;
    format!("no answer came within {within}: {waited}")
}
