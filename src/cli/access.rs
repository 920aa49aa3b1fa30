//! The options for reaching a server, such as headers and certificates, shared by `run`, `check` and `probe`.

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::scenario::{AccessOption, Scenario};

/// How a server is reached, besides its address.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Access {
    /// Header to send as well, like "Authorization: Bearer …"; may be given several times
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// Offer this subprotocol; may be given several times
    #[arg(long, value_name = "NAME")]
    subprotocol: Vec<String>,
    /// PEM file with the only certificates to trust
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust any certificate
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,
    /// Public key that the server may have, as for curl: sha256//…; may be given several times
    #[arg(long, value_name = "PIN")]
    pin: Vec<String>,
    /// PEM file with the certificate of the clients
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// PEM file with the key of the clients, if it is not in that of --certificate
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Proxy to go through, like http://proxy:3128 or socks5h://proxy:1080; or "environment"
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Append the secrets of all TLS sessions to this file, to decrypt what is captured meanwhile
    #[arg(long, value_name = "FILE")]
    key_log: Option<PathBuf>,
    /// Offer compression of messages (permessage-deflate)
    #[arg(long)]
    compression: bool,
    /// Address for a name, like chat.org=10.0.0.7; may be given several times
    #[arg(long, value_name = "HOST=IP", value_parser = pinned)]
    resolve: Vec<(String, String)>,
    /// Open WebSockets as streams of HTTP/2, so many on a TCP connection
    #[arg(long, value_name = "STREAMS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    http2: Option<u32>,
}

impl Access {
    /// What was given, each with its value.
    pub(super) fn options(&self) -> Result<Vec<AccessOption>, CliError> {
        use AccessOption as Is;
        let mut options = self.headers()?;
        options.extend(list(&self.subprotocol).map(Is::Subprotocols));
        options.extend(path(&self.ca)?.map(Is::Ca));
        options.extend(self.insecure.then_some(Is::Insecure));
        options.extend(list(&self.pin).map(Is::Pins));
        options.extend(path(&self.certificate)?.map(Is::Certificate));
        options.extend(path(&self.key)?.map(Is::Key));
        options.extend(self.proxy.clone().map(Is::Proxy));
        options.extend(self.compression.then_some(Is::Compression));
        let names = Some(self.resolve.clone()).filter(|names| !names.is_empty());
        options.extend(names.map(Is::Resolve));
        options.extend(self.http2.map(Is::Http2));
        Ok(options)
    }

    /// Parses the names and values of the headers. Done here because clap would print a value that it refuses.
    fn headers(&self) -> Result<Vec<AccessOption>, CliError> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for text in &self.header {
            let (name, value) = text.split_once(':').ok_or(CliError::Header)?;
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            let mut before = headers.iter();
            if before.any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
                return Err(CliError::HeaderTwice(name));
            }
            headers.push((name, value));
        }
        let headers = headers.into_iter();
        Ok(headers
            .map(|(name, value)| AccessOption::Header(name, value))
            .collect())
    }

    /// Does to a scenario what none of its keys can say. Returns the options for it, as they were typed.
    pub(super) fn finish(&self, scenario: &mut Scenario) -> Result<Option<String>, CliError> {
        let Some(path) = path(&self.key_log)? else {
            return Ok(None);
        };
        if !scenario.may_speak_tls() {
            return Err(CliError::NoKeys);
        }
        scenario.log_keys(&path);
        Ok(Some(format!("--key-log {}", path.display())))
    }
}

fn pinned(text: &str) -> Result<(String, String), &'static str> {
    let pair = text.split_once('=');
    let pair = pair.filter(|(name, address)| !name.is_empty() && !address.is_empty());
    let (name, address) = pair.ok_or("write HOST=ADDRESS, like chat.example.org=10.0.0.7")?;
    Ok((name.trim().to_owned(), address.trim().to_owned()))
}

fn list(texts: &[String]) -> Option<Vec<String>> {
    (!texts.is_empty()).then(|| texts.to_vec())
}

/// The path of a file, made absolute: a path in a scenario would be relative to the scenario file.
fn path(given: &Option<PathBuf>) -> Result<Option<PathBuf>, CliError> {
    let path = given.as_deref().map(std::path::absolute::<&Path>);
    path.transpose().map_err(|source| CliError::System {
        doing: "find the working directory",
        source,
    })
}
