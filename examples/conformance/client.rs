//! The client under test: wsbench's own handshake and frames.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;
use wsbench::net::Client;
use wsbench::scenario::{FrameKind, Outside, Overrides, Scenario, Source, Target, WsUrl, parse};

/// How long one connection may take.
const CASE: Duration = Duration::from_secs(120);

/// How clients reach a server.
pub(crate) struct Echo {
    url: WsUrl,
    target: Target,
}

impl Echo {
    /// Reaches the server at `address`; `keys` are further keys of `[target]`.
    ///
    /// # Errors
    /// When they are wrong.
    pub(crate) fn to(address: SocketAddr, keys: &str) -> Result<Self, String> {
        let text = format!(
            "name = \"conformance\"\n[target]\nurl = \"ws://{address}/\"\nmax_message = \"64MiB\"\n{keys}\n\
             [load]\nconnections = 1\n"
        );
        let name = "the client".to_owned();
        let outside = Outside {
            env: &|_| None,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
            list: &Outside::no_folder,
        };
        let parsed = parse(&Source { name, text }, &Overrides::default(), &outside);
        let Scenario { target, .. } = parsed.map_err(|problems| problems.to_string())?;
        let servers = target.url.servers().ok_or("the server has no address")?;
        let url = servers.first().clone();
        Ok(Self { url, target })
    }

    async fn open(&self, resource: &str) -> Result<Client, String> {
        let url = WsUrl {
            resource: resource.to_owned(),
            ..self.url.clone()
        };
        Client::open(&url, &self.target).await
    }

    /// Sends each message of the server back, to the end of the connection.
    ///
    /// # Errors
    /// When it does not open, or does not end.
    pub(crate) async fn echo(&self, resource: &str) -> Result<(), String> {
        let echoed = async {
            let mut client = self.open(resource).await?;
            while let Some((kind, message)) = client.next().await {
                client.send(kind, &message).await;
            }
            Ok(())
        };
        let echoed = timeout(CASE, echoed).await;
        echoed.unwrap_or_else(|_| Err(format!("{resource} has not ended within {CASE:?}")))
    }

    /// Returns the text that the server sends first.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn hear(&self, resource: &str) -> Result<String, String> {
        let heard = async {
            let mut client = self.open(resource).await?;
            let first = client.next().await;
            while client.next().await.is_some() {}
            match first {
                Some((FrameKind::Text, text)) => Ok(String::from_utf8_lossy(&text).into_owned()),
                _ => Err(format!("{resource} says nothing")),
            }
        };
        let heard = timeout(CASE, heard).await;
        heard.unwrap_or_else(|_| Err(format!("{resource} has not ended within {CASE:?}")))
    }
}
