//! Offers of permessage-deflate, and their parameters (RFC 7692 section 7.1).

use std::fmt;

/// An offer of permessage-deflate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    text: String,
    /// What it asks for, or promises.
    pub parameters: Parameters,
}

/// The parameters of an offer or of its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The server forgets each message.
    pub server_no_context: bool,
    /// The client forgets each message.
    pub client_no_context: bool,
    /// The most bits of the server's window, 8 to 15.
    pub server_bits: Option<u8>,
    /// The most bits of the client's window. In an offer it may come without a number: then the answer may name one.
    pub client_bits: Option<Bits>,
}

/// The value of `client_max_window_bits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// 8 to 15.
    Number(u8),
    /// No value: any.
    Any,
}

impl Parameters {
    /// Reads the parameters behind the name of the extension.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        for parameter in text.split(';').skip(1) {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name.trim(), Some(unquoted(value.trim()))),
                None => (parameter.trim(), None),
            };
            let (is_twice, is_right) = match name {
                "server_no_context_takeover" => (
                    std::mem::replace(&mut read.server_no_context, true),
                    value.is_none(),
                ),
                "client_no_context_takeover" => (
                    std::mem::replace(&mut read.client_no_context, true),
                    value.is_none(),
                ),
                "server_max_window_bits" => {
                    let bits = value.and_then(bits);
                    (
                        std::mem::replace(&mut read.server_bits, bits).is_some(),
                        bits.is_some(),
                    )
                }
                "client_max_window_bits" => {
                    let bits = match value {
                        None => Some(Bits::Any),
                        Some(value) => bits(value).map(Bits::Number),
                    };
                    (
                        std::mem::replace(&mut read.client_bits, bits).is_some(),
                        bits.is_some(),
                    )
                }
                _ => return Err(format!("the parameter `{name}` is not known")),
            };
            if is_twice {
                return Err(format!("`{name}` stands there twice"));
            }
            if !is_right {
                let value = value.unwrap_or_default();
                return Err(format!("`{name}` cannot have the value \"{value}\""));
            }
        }
        Ok(read)
    }
}

impl Offer {
    /// The name of the extension.
    pub const NAME: &str = "permessage-deflate";
}

/// What Chrome and Node offer.
impl Default for Offer {
    fn default() -> Self {
        let parameters = Parameters {
            client_bits: Some(Bits::Any),
            ..Parameters::default()
        };
        Self {
            text: format!("{}; client_max_window_bits", Self::NAME),
            parameters,
        }
    }
}

impl std::str::FromStr for Offer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.split(';').next().unwrap_or_default().trim();
        if name != Self::NAME {
            return Err(format!("the extension is not {}", Self::NAME));
        }
        let parameters = Parameters::read(text)?;
        if parameters.client_bits == Some(Bits::Number(8)) {
            return Err("wsbench cannot compress with a window of 8 bits".to_owned());
        }
        Ok(Self {
            text: text.to_owned(),
            parameters,
        })
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The inside of a quoted string (RFC 9110 section 5.6.4), which must be a token here and so has nothing escaped.
fn unquoted(value: &str) -> &str {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    inner.unwrap_or(value)
}

/// RFC 7692 section 7.1.2: 8 to 15, without zeros before it.
fn bits(value: &str) -> Option<u8> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    value
        .parse()
        .ok()
        .filter(|bits| is_plain && (8..=15).contains(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_names_one_extension_and_known_parameters_once() {
        let all = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=\"10\"";
        let offer: Offer = all.parse().unwrap();
        assert_eq!(offer.to_string(), all);
        assert_eq!(
            offer.parameters,
            Parameters {
                server_no_context: true,
                client_no_context: true,
                server_bits: Some(9),
                client_bits: Some(Bits::Number(10)),
            }
        );
        let offered = |text: &str| {
            text.parse::<Offer>()
                .map(|offer| offer.parameters.client_bits)
        };
        assert_eq!(offered("permessage-deflate"), Ok(None));
        assert_eq!(
            offered("permessage-deflate;client_max_window_bits"),
            Ok(Some(Bits::Any))
        );
        for wrong in [
            "",
            "gzip",
            "Permessage-Deflate",
            "permessage-deflate;",
            "permessage-deflate; x",
            "permessage-deflate, permessage-deflate",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=09",
            "permessage-deflate; client_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
        ] {
            assert!(wrong.parse::<Offer>().is_err(), "{wrong}");
        }
    }
}
