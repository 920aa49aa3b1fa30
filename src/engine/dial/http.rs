//! Opens the connections of clients that make no upgrade: those that ask by HTTP.

use std::rc::Rc;
use std::sync::Arc;

use super::{Connected, Connector, Dialer, Wanted};
use crate::engine::shared::Shared;
use crate::metric::{Counter, Timer};
use crate::net::{Dialling, Failure, HttpTransport, Link, Linked, Steps};

/// Opens connections of clients that ask by HTTP.
#[derive(Clone)]
pub(in crate::engine) struct HttpDialer {
    pub(in crate::engine) dialer: Arc<Dialer>,
    pub(in crate::engine) shared: Rc<Shared>,
}

impl HttpDialer {
    async fn link(&self, cohort: usize, connection: u32) -> Result<(Link, Steps), Failure> {
        let opened = self.dialer.link(cohort, connection, &self.shared);
        let Linked {
            link,
            mut steps,
            dialled,
            opened,
            ..
        } = opened.await?;
        steps.add(Timer::HandshakeTotal, opened.saturating_since(dialled));
        Ok((link, steps))
    }

    /// Opens another connection beneath a client, as planned.
    async fn renew(self, cohort: usize, connection: u32) -> Result<Link, Failure> {
        let (link, steps) = self.link(cohort, connection).await?;
        self.shared.whole(cohort, |cells| {
            cells.count(Counter::ConnectionsRenewed);
            steps.iter().for_each(|(step, took)| cells.time(step, took));
        });
        Ok(link)
    }
}

impl Connector for HttpDialer {
    type Transport = HttpTransport<Box<dyn Fn() -> Dialling>>;

    fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    async fn connect(
        &self,
        wanted: Wanted<'_>,
        shared: &Shared,
    ) -> Result<Connected<Self::Transport>, Failure> {
        let Wanted {
            cohort, connection, ..
        } = wanted;
        let keeps = shared.plan.cohort(cohort).keep_alive;
        let (link, steps) = self.link(cohort, connection).await?;
        let origin = self.dialer.origin(cohort, connection);
        let cookies = wanted.cookies.clone();
        let again = self.clone();
        let dial = move || -> Dialling { Box::pin(again.clone().renew(cohort, connection)) };
        Ok(Connected {
            transport: HttpTransport::new(link, (origin, cookies), Box::new(dial), keeps),
            steps,
            head: Vec::new(),
        })
    }
}
