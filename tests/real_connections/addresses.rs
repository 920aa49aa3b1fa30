//! Unix sockets, redirects and `Retry-After` of nginx.

use crate::common::peer::{Peer, Setup};
use crate::common::run::run;
use crate::common::{Reception, Script, Server};

fn load(connections: u32, more: &str) -> String {
    format!(
        "[load]\nconnections = {connections}\nramp_up = \"0s\"\nduration = \"500ms\"\nramp_down = \"0s\"\n{more}"
    )
}

fn nginx(behind: impl ToString) -> Peer {
    let setup = Setup::of("nginx-addresses.conf");
    setup.place("behind", behind).start()
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn no_dial_is_lost_to_the_full_queue_of_a_unix_socket() {
    let server = Server::start(Script::default());
    let peer = nginx(server.address());
    let text = format!(
        "name = \"x\"\n[target]\nurl = \"ws://chat.example.org/\"\nunix = \"{}\"\n{}[[message]]\nname = \"m\"\nrate = \"10/s\"\n",
        peer.folder().join("chat.sock").display(),
        load(200, "")
    );
    let run = run(&text, &[]);
    run.assert_passed();
    assert_eq!(run.report.count("connections.opened"), 200);
    assert_eq!(run.report.count("connections.lost"), 0);
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn a_redirect_of_nginx_is_followed_without_credentials() {
    let behind = Reception::open();
    let peer = nginx(behind.address());
    let text = format!(
        "name = \"x\"\n[target]\nurl = \"ws://{}/moved\"\nredirects = 1\nheaders = {{ Authorization = \"Bearer s3cret\" }}\n{}",
        peer.address(),
        load(3, "")
    );
    let run = run(&text, &[]);
    run.assert_passed();
    assert_eq!(run.report.count("handshake.redirects"), 3);
    for visit in behind.visits() {
        assert_eq!(visit.header("x-authorization"), None);
    }
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn a_busy_nginx_is_left_alone_for_as_long_as_it_asks() {
    let peer = nginx("127.0.0.1:1");
    let reconnect = "reconnect = { initial = \"20ms\", max = \"20ms\", jitter = \"none\", retry_after = true }\n";
    let text = format!(
        "name = \"x\"\ntarget.url = \"ws://{}/busy\"\n{}",
        peer.address(),
        load(2, reconnect)
    );
    let run = run(&text, &[]);
    assert_eq!(run.report.count("connections.attempted"), 2);
    assert_eq!(run.report.count("reconnects.deferred"), 2);
}
