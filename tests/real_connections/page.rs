//! The examples of `docs/connections.md` that need a server or a balancer of others. The rest is tried by `tests/around`.

use super::common::own::Own;
use super::common::page::{example, opens};
use super::common::peer::Setup;
use super::common::real::{RealServer, Target};
use super::common::{Reception, Visit};
use super::http2;

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn the_example_of_a_load_balancer_is_believed() {
    let (own, behind) = (Own::new(), Reception::open());
    let haproxy = Setup::of("haproxy-announced.cfg")
        .file("server.pem", format!("{}{}", own.certificate, own.key))
        .place("behind", behind.address())
        .start();
    let address = haproxy.address().to_string();
    let folder = tempfile::tempdir().unwrap();
    opens(
        folder,
        &example("proxy_protocol = "),
        &[("10.0.0.7:8080", &address)],
    );
    let claims = |visit: &Visit| visit.header("x-forwarded-for");
    let claimed: Vec<_> = behind.visits().iter().filter_map(claims).collect();
    assert_eq!(claimed.len(), 4);
    assert!(
        claimed.iter().all(|one| one.starts_with("203.0.113.")),
        "{claimed:?}"
    );
}

#[test]
#[ignore = "needs Node; run by scripts/test"]
fn the_example_that_requires_compression_is_agreed_to() {
    let server = RealServer::start(Target::NodeDeflate("true"));
    let folder = tempfile::tempdir().unwrap();
    let changes = [("wss://chat.example.org/", &*server.url())];
    opens(folder, &example("required = true"), &changes);
}

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn the_example_of_http2_is_spoken_under_tls() {
    let behind = Reception::open();
    let haproxy = http2::haproxy(&behind);
    let secure = format!("wss://{}/", haproxy.addresses()[1]);
    let folder = tempfile::tempdir().unwrap();
    let changes = [
        ("wss://chat.example.org/", &*secure),
        ("http = \"2\"", "insecure = true\nhttp = \"2\""),
    ];
    opens(folder, &example("http = \"2\" "), &changes);
    assert_eq!(behind.visits().len(), 500);
}
