//! Tomcat, which looks every ten seconds.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use super::case::Case;
use super::common::peer::{Peer, Setup};
use super::package::Package;

pub(super) fn tomcat() -> (Peer, String) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/tomcat");
    let command = "java -XX:TieredStopAtLevel=1 -Xmx128m -Dcatalina.home=/usr/share/tomcat10 -Dcatalina.base=@folder@ \
        -Djava.io.tmpdir=@folder@ -Dport=@port@ -Dapp=@own@/app -Didle=2000 \
        -cp /usr/share/tomcat10/bin/bootstrap.jar:/usr/share/tomcat10/bin/tomcat-juli.jar \
        org.apache.catalina.startup.Bootstrap -config @own@/server.xml start";
    let peer = Setup::command(command).place("own", own.display()).start();
    add_endpoint(peer.address());
    let address = peer.address().to_string();
    (peer, address)
}

/// Asks for the page that adds the endpoint.
fn add_endpoint(address: SocketAddr) {
    let mut socket = TcpStream::connect(address).unwrap();
    let request = "GET /echo.jsp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

pub(super) const TOMCAT: Case = Case {
    preset: "tomcat",
    settings: "idle_timeout = \"2s\"",
    mistaken: "idle_timeout = \"1s\", process_period = \"500ms\"",
    package: Package::Debian("tomcat10-common"),
    resource: "echo",
    seconds: 14,
    ..Case::ECHO
};

#[test]
#[ignore = "needs Tomcat; run by scripts/test"]
fn it_looks_every_ten_seconds() {
    TOMCAT.prove(tomcat);
}
