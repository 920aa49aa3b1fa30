//! The examples of `docs/connections.md` get to their servers, once their addresses are those of servers here.

use std::fs;

use tempfile::TempDir;

use super::common::own::Own;
use super::common::page::{examples, opens};
use super::common::{Proxy, Reception};
use super::secure::Front;
use super::server::Serve;
use super::unix::door;

/// What the examples say that need a server or a balancer of others: `tests/real_connections` runs them.
const ELSEWHERE: [&str; 3] = ["proxy_protocol = ", "required = true", "http = \"2\""];

#[test]
fn each_example_of_the_page_gets_to_its_server() {
    let (server, other, proxy) = (Reception::open(), Reception::open(), Proxy::open());
    let (url, other) = (server.url("127.0.0.1"), other.url("127.0.0.1"));
    let named = format!("ws://chat.example.org:{}/", server.address().port());
    let built_in = Serve::start(&[]);
    let front = Front::of(&built_in);
    let secure = format!("wss://{}/", front.address);
    let (tunnel, password) = (
        format!("http://{}", proxy.address),
        format!("http://me:${{PASSWORD}}@{}", proxy.address),
    );
    let to_plain = ("wss://chat.example.org/", url.as_str());
    let to_secure = ("wss://chat.example.org/", secure.as_str());
    let trusts = ("[target.tls]\n", "[target.tls]\ninsecure = true\n");
    // Each is known by what it says, and the others need no more than their server.
    let known = [
        (
            "weight = 3",
            vec![
                ("ws://a.example.org/", url.as_str()),
                ("ws://b.example.org/", &other),
            ],
        ),
        ("unix = ", vec![("/run/chat.sock", "a.sock")]),
        (
            "resolve = ",
            vec![
                ("wss://chat.example.org/", named.as_str()),
                ("\"10.0.0.7\", \"10.0.0.8\"", "\"127.0.0.1\""),
            ],
        ),
        ("by-nginx", vec![to_plain, ("ws://10.0.0.7:8080/", &other)]),
        (
            "http://me:",
            vec![to_plain, ("http://me:${PASSWORD}@proxy:3128", &password)],
        ),
        ("socks5://", vec![("socks5://127.0.0.1:1080", &tunnel)]),
        (
            "ca = \"ca.pem\"",
            vec![("wss://chat.internal:8443/", &secure)],
        ),
        (
            "identities = ",
            vec![("wss://devices.example.org/", &secure), trusts],
        ),
        ("resumption = ", vec![to_secure, trusts]),
    ];
    let mut left = 0;
    for example in examples() {
        if ELSEWHERE.iter().any(|says| example.contains(says)) {
            left += 1;
            continue;
        }
        let found = known.iter().find(|(says, _)| example.contains(says));
        let (says, changes) = found.cloned().unwrap_or_else(|| ("", vec![to_plain]));
        let folder = match says {
            "unix = " => door(server.address()),
            "ca = \"ca.pem\"" => front.folder(),
            "identities = " => identities(),
            _ => tempfile::tempdir().unwrap(),
        };
        opens(folder, &example, &changes);
    }
    assert_eq!(left, ELSEWHERE.len());
}

/// A folder with the certificates of three clients, and of a stranger.
fn identities() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, texts: &[&str]| {
        fs::write(folder.path().join(name), texts.concat()).unwrap();
    };
    fs::create_dir(folder.path().join("clients")).unwrap();
    for name in ["a", "b", "c"] {
        let own = Own::of(name, |_| {});
        write(
            &format!("clients/{name}.pem"),
            &[&own.certificate, &own.key],
        );
    }
    let stranger = Own::of("stranger", |_| {});
    write("stranger.pem", &[&stranger.certificate]);
    write("stranger.key", &[&stranger.key]);
    folder
}
