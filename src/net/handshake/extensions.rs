//! What the server agreed to of an offer of permessage-deflate (RFC 7692 section 7.1). Bytes in, a result out.

use std::fmt;

use crate::scenario::{Bits, Offer, Parameters};

/// The widest window, which holds where nothing is said.
const WIDEST: u8 = 15;

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Whether the server forgets each message before the next one.
    pub(crate) server_forgets: bool,
    /// Whether we must.
    pub(crate) client_forgets: bool,
    /// The logarithm of the server's window, 8 to 15.
    pub(crate) server_bits: u8,
    /// The logarithm of ours. With 8 nothing can be compressed here.
    pub(crate) client_bits: u8,
}

/// As an answer would say it.
impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Offer::NAME)?;
        for (is_said, name) in [
            (self.server_forgets, "server_no_context_takeover"),
            (self.client_forgets, "client_no_context_takeover"),
        ] {
            if is_said {
                write!(f, "; {name}")?;
            }
        }
        for (bits, name) in [
            (self.server_bits, "server_max_window_bits"),
            (self.client_bits, "client_max_window_bits"),
        ] {
            if bits < WIDEST {
                write!(f, "; {name}={bits}")?;
            }
        }
        Ok(())
    }
}

/// Reads the values of `Sec-WebSocket-Extensions` in an answer to this offer; `None` if the server agreed to nothing.
///
/// # Errors
/// What is wrong with them.
pub(super) fn agreed<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    offer: Option<&Offer>,
) -> Result<Option<Agreed>, String> {
    let mut found = None;
    for value in values {
        let text = std::str::from_utf8(value).map_err(|_| "not a text".to_owned())?;
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let name = one.split(';').next().unwrap_or_default().trim();
            let Some(offer) = offer.filter(|_| name == Offer::NAME) else {
                return Err("it was not offered".to_owned());
            };
            if found.replace(answer(one, &offer.parameters)?).is_some() {
                return Err("two answers to one offer".to_owned());
            }
        }
    }
    Ok(found)
}

fn answer(text: &str, offered: &Parameters) -> Result<Agreed, String> {
    let answered = Parameters::read(text)?;
    let wrong = |what: &str| Err(what.to_owned());
    if offered.server_no_context && !answered.server_no_context {
        return wrong("`server_no_context_takeover` was asked for, and is missing");
    }
    let server_bits = match (offered.server_bits, answered.server_bits) {
        (Some(asked), Some(bits)) if bits > asked => {
            return wrong("`server_max_window_bits` is more than was asked for");
        }
        (Some(_), None) => return wrong("`server_max_window_bits` was asked for, and is missing"),
        (_, bits) => bits.unwrap_or(WIDEST),
    };
    let client_bits = match (offered.client_bits, answered.client_bits) {
        (None, Some(_)) => return wrong("`client_max_window_bits` was not offered"),
        (_, Some(Bits::Any)) => return wrong("`client_max_window_bits` has no value"),
        (Some(Bits::Number(most)), Some(Bits::Number(bits))) if bits > most => {
            return wrong("`client_max_window_bits` is more than was offered");
        }
        (_, Some(Bits::Number(bits))) => bits,
        (Some(Bits::Number(most)), None) => most,
        (Some(Bits::Any) | None, None) => WIDEST,
    };
    Ok(Agreed {
        server_forgets: answered.server_no_context,
        client_forgets: answered.client_no_context || offered.client_no_context,
        server_bits,
        client_bits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(offer: &str, answer: &[&str]) -> Result<Option<Agreed>, String> {
        let offer: Option<Offer> = (!offer.is_empty()).then(|| offer.parse().unwrap());
        agreed(answer.iter().map(|text| text.as_bytes()), offer.as_ref())
    }

    const CHROME: &str = "permessage-deflate; client_max_window_bits";

    #[test]
    fn what_real_servers_answer_is_agreed_on() {
        let plain = Agreed {
            server_forgets: false,
            client_forgets: false,
            server_bits: 15,
            client_bits: 15,
        };
        for (answer, agreed) in [
            // websockets, ws, hypercorn.
            (
                "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
                Agreed {
                    server_bits: 12,
                    client_bits: 12,
                    ..plain
                },
            ),
            ("permessage-deflate", plain),
            ("permessage-deflate;client_max_window_bits=15", plain),
            (
                "permessage-deflate; server_no_context_takeover;client_no_context_takeover",
                Agreed {
                    server_forgets: true,
                    client_forgets: true,
                    ..plain
                },
            ),
            (
                "permessage-deflate; client_max_window_bits=\"8\"",
                Agreed {
                    client_bits: 8,
                    ..plain
                },
            ),
        ] {
            assert_eq!(read(CHROME, &[answer]), Ok(Some(agreed)), "{answer}");
        }
        let narrow = Agreed {
            server_forgets: true,
            client_bits: 9,
            ..plain
        };
        assert_eq!(
            narrow.to_string(),
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=9"
        );
        assert_eq!(plain.to_string(), "permessage-deflate");
        assert_eq!(read(CHROME, &[]), Ok(None));
        assert_eq!(read(CHROME, &["", " "]), Ok(None));
        let limits = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11; client_no_context_takeover";
        let kept = "permessage-deflate; server_no_context_takeover; server_max_window_bits=9";
        let agreed = Agreed {
            server_forgets: true,
            client_forgets: true,
            server_bits: 9,
            client_bits: 11,
        };
        assert_eq!(read(limits, &[kept]), Ok(Some(agreed)));
    }

    #[test]
    fn an_answer_that_does_not_fit_the_offer_is_refused() {
        let limits = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11";
        for (offer, answer, why) in [
            ("", "permessage-deflate", "it was not offered"),
            (CHROME, "x-webkit-deflate-frame", "it was not offered"),
            (
                CHROME,
                "permessage-deflate, permessage-deflate",
                "two answers to one offer",
            ),
            (
                CHROME,
                "permessage-deflate; bogus=1",
                "the parameter `bogus` is not known",
            ),
            (
                CHROME,
                "permessage-deflate; client_max_window_bits",
                "`client_max_window_bits` has no value",
            ),
            (
                CHROME,
                "permessage-deflate; server_max_window_bits=7",
                "`server_max_window_bits` cannot have the value \"7\"",
            ),
            (
                "permessage-deflate",
                "permessage-deflate; client_max_window_bits=12",
                "`client_max_window_bits` was not offered",
            ),
            (
                limits,
                "permessage-deflate; server_max_window_bits=10",
                "`server_no_context_takeover` was asked for, and is missing",
            ),
            (
                limits,
                "permessage-deflate; server_no_context_takeover",
                "`server_max_window_bits` was asked for, and is missing",
            ),
            (
                limits,
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
                "`server_max_window_bits` is more than was asked for",
            ),
            (
                limits,
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=12",
                "`client_max_window_bits` is more than was offered",
            ),
        ] {
            assert_eq!(read(offer, &[answer]), Err(why.to_owned()), "{answer}");
        }
        assert_eq!(
            read(CHROME, &["permessage-deflate", "permessage-deflate"]),
            Err("two answers to one offer".to_owned())
        );
    }
}
