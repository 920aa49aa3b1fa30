//! Follows redirects of the upgrade request.

use std::sync::{Arc, PoisonError};

use super::{Dialer, Wanted};
use crate::metric::{Cause, Counter, Timer};
use crate::net::{
    Dial, Failure, NotOpened, Opened, Progress, Redirect, Way, address, is_same_origin,
    remove_credentials,
};
use crate::scenario::WebOrigin;
use crate::time::{Clock, unix_seconds};
use crate::units::{Timestamp, counted};

/// The most servers that redirects of one run may lead to, beside those of the scenario.
const MAX_SERVERS: usize = 64;

impl Dialer {
    /// Follows the redirect of an answer, and those that follow, as often as the cohort does. The steps of a connection that
    /// is opened are those of its last dial, but for the total, which began at `begun`. Has no time limit of its own.
    ///
    /// # Errors
    /// The answer that is no redirect, or that may not be followed.
    pub(super) async fn follow(
        &self,
        mut failed: NotOpened,
        wanted: Wanted<'_>,
        dial: Dial,
        (clock, begun): (&dyn Clock, Timestamp),
        progress: &mut Progress,
    ) -> Result<Opened, NotOpened> {
        let (first, _) = self.destinations[wanted.cohort].of(wanted.connection);
        let most = self.redirects[wanted.cohort];
        let mut said = self.said(wanted)?;
        let mut cookies = wanted.cookies.clone();
        let mut asked = first.origin.clone();
        for _ in 0..most {
            let Some(redirect) = redirected(&failed) else {
                return Err(failed);
            };
            for cookie in &redirect.cookies {
                cookies.set(address(&asked, &said.resource), cookie, unix_seconds());
            }
            let next = match redirect.address(&asked, &said.resource) {
                Ok(next) => next,
                Err(why) => {
                    failed.failure.detail += &format!("; not followed: {why}");
                    return Err(failed);
                }
            };
            let mut origin = next.origin();
            if is_same_origin(&origin, &first.origin) {
                // It may be dialled by a Unix socket.
                origin = first.origin.clone();
            }
            if !is_same_origin(&origin, &asked) {
                remove_credentials(&mut said.headers);
            }
            said.resource.clone_from(&next.resource);
            let way = self.found(wanted.cohort, &origin)?;
            progress.counts.push(Counter::HandshakeRedirects);
            let request = self.request(&origin, said.clone(), &cookies);
            let compression = self.compression[wanted.cohort].as_ref();
            match way.open(&request, compression, dial, clock, progress).await {
                Ok(mut opened) => {
                    let total = clock.now().saturating_since(begun);
                    opened.steps.set(Timer::HandshakeTotal, total);
                    return Ok(opened);
                }
                Err(another) => failed = another,
            }
            asked = origin;
        }
        if redirected(&failed).is_some() {
            failed.failure.detail +=
                &format!("; not followed after {}", counted(u64::from(most), "other"));
        }
        Err(failed)
    }

    /// The way of a cohort to a server, which a redirect may lead to for the first time.
    fn found(&self, cohort: usize, origin: &WebOrigin) -> Result<Arc<Way>, Failure> {
        let access = self.access[cohort];
        let is_it = |way: &&(WebOrigin, usize, Arc<Way>)| (&way.0, way.1) == (origin, access);
        if let Some((_, _, way)) = self.ways.iter().find(is_it) {
            return Ok(way.clone());
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, way)) = found.iter().find(is_it) {
            return Ok(way.clone());
        }
        let wrong = |why: String| Failure::new(Cause::HttpStatus, format!("a redirect: {why}"));
        if found.len() >= MAX_SERVERS {
            return Err(wrong(format!(
                "it leads to more than {MAX_SERVERS} servers"
            )));
        }
        let way = Way::new(
            origin,
            &self.accesses[access],
            &self.names,
            self.resumes[access],
        );
        let way = Arc::new(way.map_err(|error| wrong(error.to_string()))?);
        found.push((origin.clone(), access, way.clone()));
        Ok(way)
    }
}

/// Where an answer leads; `None` if it is no redirect.
fn redirected(failed: &NotOpened) -> Option<Redirect> {
    Redirect::read(failed.failure.cause, &failed.answer)
}
