//! What a server wants to know before it lets a client in: the options of `run`, `check` and `probe` alike.

use std::path::PathBuf;

use super::error::CliError;

/// How a server is reached, besides its address.
#[derive(Debug, clap::Args)]
pub(super) struct Access {
    /// Send this header too, like "Authorization: Bearer …"; may be given several times
    #[arg(long, value_name = "HEADER", value_parser = parse_header)]
    pub(super) header: Vec<(String, String)>,
    /// Offer this subprotocol; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) subprotocol: Vec<String>,
    /// Trust only the certificates in this PEM file
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust any certificate
    #[arg(long, conflicts_with = "ca")]
    pub(super) insecure: bool,
}

impl Access {
    /// The file of certificates, from the root.
    pub(super) fn ca(&self) -> Result<Option<PathBuf>, CliError> {
        let ca = self.ca.as_ref().map(std::path::absolute).transpose();
        ca.map_err(|source| CliError::System {
            doing: "find the working directory",
            source,
        })
    }

    /// As it was typed, for the report; without the values of headers, which may be secrets.
    pub(super) fn shown(&self) -> impl Iterator<Item = String> {
        let headers = self.header.iter();
        let headers = headers.map(|(name, _)| format!("--header \"{name}: …\""));
        let subprotocols = self.subprotocol.iter();
        let subprotocols = subprotocols.map(|name| format!("--subprotocol {name}"));
        let ca = self.ca.iter().map(|ca| format!("--ca {}", ca.display()));
        let insecure = self.insecure.then(|| "--insecure".to_owned());
        headers.chain(subprotocols).chain(ca).chain(insecure)
    }
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = (text.split_once(':'))
        .ok_or("write a name, a colon and a value, like \"Authorization: Bearer …\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
