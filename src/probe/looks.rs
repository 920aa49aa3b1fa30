//! Looks at what a server offers on the way to a WebSocket, with a connection for each look.

use super::failure::reason;
use super::offers::{CompressionOffer, Http2Offer, Offers};
use super::opener::{Failed, Opener};
use super::talk::Talk;
use super::tls::{ClientCertificate, OtherVersion, TlsOffer};
use crate::metric::Cause;
use crate::net::{RawConnection, TlsAgreed};
use crate::scenario::{Compression, HttpVersion, Identities, Sharing, TlsVersion};
use crate::time::unix_seconds;

/// The most connections that all looks together take.
pub(super) const LOOKS: usize = 5;

/// What the server offers; `max_streams` is what the first connection has learned of HTTP/2, if it was one of that.
pub(super) async fn offers(opener: &Opener, max_streams: Option<u32>) -> Offers {
    Offers {
        compression: compression(opener).await,
        http2: match max_streams {
            Some(known) => Some(Http2Offer::WebSockets {
                max_streams: limit(Some(known)),
            }),
            None => http2(opener).await,
        },
    }
}

async fn compression(opener: &Opener) -> CompressionOffer {
    let mut target = opener.target.clone();
    target.access.compression = Some(Compression::default());
    match opener.open_to(&target).await {
        Ok(connection) => {
            let agreed = connection.compression;
            leave(opener, connection).await;
            agreed.map_or(CompressionOffer::Declined, CompressionOffer::from)
        }
        Err(failed) => CompressionOffer::Refused(reason(&failed)),
    }
}

/// Asks for HTTP/2 by ALPN. In the clear nothing would tell a server of HTTP/1.1 what it is asked for.
async fn http2(opener: &Opener) -> Option<Http2Offer> {
    if !opener.dialer().url().secure {
        return None;
    }
    let mut target = opener.target.clone();
    target.access.http = HttpVersion::Two(Sharing::of(1));
    Some(match opener.open_to(&target).await {
        Ok(connection) => {
            let max_streams = limit(connection.max_streams);
            leave(opener, connection).await;
            Http2Offer::WebSockets { max_streams }
        }
        Err(failed) => match failed.cause {
            Cause::H2NoWebsocket => Http2Offer::NoWebSockets {
                max_streams: limit(failed.max_streams),
            },
            Cause::TlsAlpn => Http2Offer::NotSpoken,
            _ => Http2Offer::Unknown(reason(&failed)),
        },
    })
}

/// The most streams; `None` for any number.
fn limit(max_streams: Option<u32>) -> Option<u32> {
    max_streams.filter(|most| *most < u32::MAX)
}

/// What TLS was agreed on with the first connection, whether another one resumes its session, and what the server makes of
/// the other version.
pub(super) async fn tls(opener: &Opener, agreed: TlsAgreed) -> TlsOffer {
    let certificate = match (
        opener.dialer().asks_for_certificate(),
        &opener.target.access.tls,
    ) {
        (false, _) => ClientCertificate::NotAsked,
        (true, tls) if tls.identities == Identities::None => ClientCertificate::NotNeeded,
        (true, _) => ClientCertificate::Shown,
    };
    let mut offer = TlsOffer::new(agreed, certificate, unix_seconds());
    if let Ok(again) = opener.open().await {
        offer.resumes = again.agreed().map(|agreed| agreed.is_resumed);
        leave(opener, again).await;
    }
    let (other, version) = match offer.version.as_str() {
        "TLS 1.2" => (TlsVersion::V13, "TLS 1.3"),
        _ => (TlsVersion::V12, "TLS 1.2"),
    };
    offer.other = Some(match speaks(opener, other).await {
        Ok((cipher, resumes)) => OtherVersion::Spoken {
            version: version.to_owned(),
            cipher,
            resumes,
        },
        Err(Failed {
            cause: Cause::TlsVersion,
            ..
        }) => OtherVersion::NotSpoken {
            version: version.to_owned(),
        },
        Err(failed) => OtherVersion::Unknown {
            version: version.to_owned(),
            failed: reason(&failed),
        },
    });
    offer
}

/// The cipher that is agreed on with a client that speaks this version alone, and whether it resumes its session.
async fn speaks(opener: &Opener, version: TlsVersion) -> Result<(String, Option<bool>), Failed> {
    let mut target = opener.target.clone();
    target.access.tls.versions = vec![version];
    let dialer = opener.another(&target)?;
    let first = opener.open_by(&dialer, &target).await?;
    let cipher = first.agreed().map(|agreed| agreed.cipher);
    leave(opener, first).await;
    let mut resumes = None;
    if let Ok(again) = opener.open_by(&dialer, &target).await {
        resumes = again.agreed().map(|agreed| agreed.is_resumed);
        leave(opener, again).await;
    }
    Ok((cipher.unwrap_or_default(), resumes))
}

async fn leave(opener: &Opener, connection: RawConnection) {
    Talk::new(connection, false, opener.over()).leave().await;
}
