//! Hands bodies to a server by HTTP, one after the other. Ends within [`PATIENCE`], whatever the server does.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::hub::SendError;
use crate::units::cut;

/// How long one body may take, from the look-up of the name to the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bodies from this length on are compressed, in bytes.
const LONG: usize = 4 << 10;
/// How much of an answer is read, in bytes.
const ANSWER: u64 = 4 << 10;
/// How much of an answer is told, in characters.
const TOLD: usize = 200;

/// A server that takes bodies.
pub(super) struct Post {
    agent: Agent,
    url: String,
    content_type: &'static str,
    headers: Vec<(String, String)>,
}

impl Post {
    /// Prepares to send to this address, with these headers. Connects to nobody.
    pub(super) fn new(
        url: String,
        content_type: &'static str,
        headers: Vec<(String, String)>,
    ) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            // What is written on the command line is where it goes.
            .proxy(None)
            .user_agent(concat!("wsbench/", env!("CARGO_PKG_VERSION")));
        let config = match url.starts_with("https:") {
            true => config.tls_config(trust()),
            false => config,
        };
        Self {
            agent: config.build().new_agent(),
            url,
            content_type,
            headers,
        }
    }

    /// Sends a body, and returns the beginning of the answer.
    ///
    /// # Errors
    /// When it is not taken: the server cannot be reached, takes too long, or answers another status than 200 to 299.
    pub(super) fn send(&self, body: &[u8]) -> Result<String, SendError> {
        let request = self.agent.post(&self.url).content_type(self.content_type);
        let request = (self.headers.iter()).fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let answer = match body.len() < LONG {
            true => request.send(body),
            false => request
                .header("content-encoding", "gzip")
                .send(zipped(body).map_err(SendError::lasting)?),
        };
        let mut answer = answer.map_err(|error| match error {
            ureq::Error::Timeout(_) => {
                SendError::passing(format_args!("no answer within {} s", PATIENCE.as_secs()))
            }
            ureq::Error::Io(error) => SendError::passing(error),
            error => SendError::passing(error),
        })?;
        let status = answer.status();
        let told = (answer
            .body_mut()
            .with_config()
            .limit(ANSWER)
            .lossy_utf8(true))
        .read_to_string();
        let told = told.unwrap_or_default();
        if status.is_success() {
            return Ok(told);
        }
        let why = match told.trim() {
            "" => format!("it answers {status}"),
            told => format!("it answers {status}: {}", self.masked(told)),
        };
        let may_pass = status.is_server_error() || status.as_u16() == 429;
        Err(SendError { why, may_pass })
    }

    /// What a server said, shortly, and without what was told to it in confidence.
    fn masked(&self, told: &str) -> String {
        let secrets = self.headers.iter().flat_map(|(_, value)| value.split(' '));
        let secrets = secrets.filter(|secret| secret.len() >= 4);
        let told = secrets.fold(told.to_owned(), |told, secret| told.replace(secret, "***"));
        cut(&told, TOLD)
    }
}

/// The certificates that this machine trusts.
fn trust() -> TlsConfig {
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<Certificate<'static>> = (roots.iter())
        .map(|root| Certificate::from_der(root).to_owned())
        .collect();
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

fn zipped(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(body)?;
    zipped.finish()
}
