//! The options for reaching a server, such as headers and certificates, shared by `run`, `check` and `probe`.

use std::path::PathBuf;

use super::error::CliError;

/// How a server is reached, besides its address.
#[derive(Debug, clap::Args)]
pub(super) struct Access {
    /// Header to send as well, like "Authorization: Bearer …"; may be given several times
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// Offer this subprotocol; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) subprotocol: Vec<String>,
    /// PEM file with the only certificates to trust
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust any certificate
    #[arg(long, conflicts_with = "ca")]
    pub(super) insecure: bool,
}

impl Access {
    /// Parses the names and values of the headers. Done here because clap would print a value that it refuses.
    pub(super) fn headers(&self) -> Result<Vec<(String, String)>, CliError> {
        let headers: Vec<_> =
            (self.header.iter().map(|text| header(text))).collect::<Result<_, _>>()?;
        for (index, (name, _)) in headers.iter().enumerate() {
            let mut before = headers[..index].iter();
            if before.any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(CliError::HeaderTwice(name.clone()));
            }
        }
        Ok(headers)
    }

    /// The path of the certificate file, made absolute.
    pub(super) fn ca(&self) -> Result<Option<PathBuf>, CliError> {
        let ca = self.ca.as_ref().map(std::path::absolute).transpose();
        ca.map_err(|source| CliError::System {
            doing: "find the working directory",
            source,
        })
    }

    /// The options as they were typed, for the report. Leaves out header values, which may be secrets.
    pub(super) fn shown(&self) -> impl Iterator<Item = String> {
        let headers = self.header.iter();
        let names = headers.map(|text| text.split_once(':').map_or("", |(name, _)| name.trim()));
        let headers = names.map(|name| format!("--header \"{name}: …\""));
        let subprotocols = self.subprotocol.iter();
        let subprotocols = subprotocols.map(|name| format!("--subprotocol {name}"));
        let ca = self.ca.iter().map(|ca| format!("--ca {}", ca.display()));
        let insecure = self.insecure.then(|| "--insecure".to_owned());
        headers.chain(subprotocols).chain(ca).chain(insecure)
    }
}

fn header(text: &str) -> Result<(String, String), CliError> {
    let (name, value) = text.split_once(':').ok_or(CliError::Header)?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
