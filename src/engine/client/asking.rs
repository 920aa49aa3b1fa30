//! The part of the set-up that comes before the dial: requests of HTTP.

use super::Client;
use crate::engine::dial::{Connector, Shown};
use crate::engine::play::Ask;
use crate::http::Cookies;
use crate::measure::{By, Fitting};
use crate::metric::{Cause, Side};
use crate::net::Failure;

impl Client {
    /// Plays the requests that the set-up begins with, if there are any. Returns the cookies of their answers.
    ///
    /// # Errors
    /// The step that failed, and why.
    pub(super) async fn ask(&mut self, connector: &impl Connector) -> Result<Cookies, Failure> {
        let shared = self.shared.clone();
        let (cohort, connection) = (self.opening.cohort, self.opening.connection);
        let client = shared.plan.client(cohort, connection);
        let once = client.once();
        let mut cookies = once.map_or_else(Cookies::default, |once| once.cookies.clone());
        if !client.program().begins_with_http() {
            return Ok(cookies);
        }
        let facts = || shared.facts.borrow_mut();
        self.play.begin(client, shared.clock.now(), &mut facts());
        shared.book(cohort);
        let mut rendered = Vec::new();
        loop {
            if let Some(Ask::Fail { cause, detail, .. }) = self.play.ask() {
                return Err(Failure::new(cause, detail));
            }
            let now = shared.clock.now();
            let Some((due, http)) = self.play.request(client, now, &mut facts()) else {
                return Ok(cookies);
            };
            self.play.write(client, &due, None, None, &mut rendered);
            self.play.sent(client, &due, now, &mut facts());
            let by = By::Slot(due.slot);
            connector.show(&Shown {
                from: Side::Local,
                by,
                fit: Fitting::Right,
                text: &http.shown(&rendered),
                saved: self.play.saved(),
            });
            let of = (cohort, connection);
            let dialer = connector.dialer();
            let asked = dialer.ask(of, http, &rendered, &mut cookies, &shared).await;
            let now = shared.clock.now();
            let answer = asked.as_ref().map_err(String::clone);
            let wrong = self
                .play
                .answered(client, (&due, &rendered), answer, now, &mut facts());
            shared.book(cohort);
            let text = match &asked {
                Ok(answer) => answer.shown(),
                Err(why) => why.clone().into_bytes(),
            };
            connector.show(&Shown {
                from: Side::Peer,
                by,
                fit: match wrong {
                    Some(_) => Fitting::Wrong,
                    None => Fitting::Right,
                },
                text: &text,
                saved: self.play.saved(),
            });
        }
    }

    /// No connection was opened: a set-up that has begun will not be done.
    pub(super) fn undo(&mut self, failure: &Failure) {
        let cohort = self.opening.cohort;
        let client = (self.shared.plan).client(cohort, self.opening.connection);
        let is_over = failure.cause == Cause::Abandoned;
        (self.play).undo(client, is_over, &mut self.shared.facts.borrow_mut());
        self.shared.book(cohort);
    }
}
