//! Names: their addresses, the order of these, and when they are looked up.

use super::common::run::run;
use super::common::{Reception, Running, Script, Server};
use super::{Answering, refused, scenario};

#[test]
fn a_name_is_given_addresses_and_the_rest_of_the_address_stays() {
    let server = Reception::open();
    let port = server
        .url("127.0.0.1")
        .rsplit_once(':')
        .unwrap()
        .1
        .trim_end_matches('/')
        .to_owned();
    let target = format!("url = \"ws://Chat.example.invalid:{port}/x\"");
    let pinned = scenario(
        &format!("{target}\nresolve = {{ \"chat.example.invalid\" = \"127.0.0.1\" }}"),
        2,
    );
    run(&pinned, &[]).assert_passed();
    let host = server.visits().remove(0).header("host").unwrap();
    assert_eq!(host, format!("Chat.example.invalid:{port}"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.toml"), scenario(&target, 1)).unwrap();
    let option = [
        "run",
        "test.toml",
        "--quiet",
        "--out",
        "report",
        "--resolve",
        "chat.example.invalid=127.0.0.1",
    ];
    let ended = Running::call(folder, &option, &[]).end();
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert_eq!(server.visits().len(), 3);
}

#[test]
fn addresses_are_spread_or_the_first_is_dialled_and_the_next_where_it_refuses() {
    let server = Server::start(Script::default());
    let port = server.address().port();
    let with = |more: &str, addresses: &str| {
        let target = format!(
            "url = \"ws://h.invalid:{port}/\"\nresolve = {{ \"h.invalid\" = [{addresses}] }}\n{more}"
        );
        run(&scenario(&target, 4), &[])
    };
    // Nobody listens on 127.0.0.2.
    let both = "\"127.0.0.1\", \"127.0.0.2\"";
    let spread = with("", both);
    spread.assert_passed();
    assert_eq!(spread.report.count("connections.fallbacks"), 2);
    let first = with("addresses = \"first\"", both);
    first.assert_passed();
    assert_eq!(first.report.count("connections.fallbacks"), 0);
    let narrow = with("family = \"ipv4\"", "\"::1\", \"127.0.0.1\"");
    narrow.assert_passed();
    assert_eq!(narrow.report.count("connections.fallbacks"), 0);
    let only = with("device = \"lo\"", "\"127.0.0.1\"");
    only.assert_passed();
}

#[test]
fn names_are_looked_up_again_beside_the_dials() {
    let server = Server::start(Script::default());
    let port = server.address().port();
    let target = format!("url = \"ws://localhost:{port}/\"\nresolve_every = \"1s\"");
    let text = format!(
        "name = \"x\"\n[target]\n{target}\n[load]\nconnections = 1\nramp_up = \"0s\"\nduration = \"2500ms\"\nramp_down = \"0s\"\n"
    );
    let run = run(&text, &[]);
    run.assert_passed();
    let row = run.report.rows("metrics", "handshake.dns")[0].clone();
    assert_eq!(row["count"], 3, "{row}");
}

/// A key that was given with a wrong value is not missing, too.
#[test]
fn one_mistake_is_told_once() {
    let target = "url = \"ws://a/\"\nhttp = \"2\"\nstreams_per_connection = 0";
    let said = refused(&scenario(target, 1));
    assert!(said.contains("`0` is not from 1 to 100000"), "{said}");
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
}

#[test]
fn what_is_wrong_with_names_and_redirects_is_said_at_once() {
    for (more, what) in [
        (
            "url = \"ws://a/\"\nresolve = { \"b\" = \"127.0.0.1\" }",
            "is a name that nobody dials",
        ),
        (
            "url = \"ws://a/\"\nresolve = { \"10.0.0.1\" = \"127.0.0.1\" }",
            "is given addresses, and is no name",
        ),
        (
            "url = \"ws://a/\"\nresolve = { \"a\" = \"b\" }",
            "has an entry that is no IP address",
        ),
        (
            "url = \"ws://a/\"\nresolve = { \"a\" = [] }",
            "has no address",
        ),
        (
            "url = \"ws://a/\"\nfamily = \"ipv6\"\nresolve = { \"a\" = [\"127.0.0.1\"] }",
            "has no IPv6 address",
        ),
        (
            "url = \"ws://127.0.0.1/\"\nfamily = \"ipv6\"",
            "`target.family` is not that of 127.0.0.1, which is an IPv4 address",
        ),
        (
            "url = \"ws://a/\"\nfamily = \"ipv6\"\nproxy = \"http://127.0.0.1:3128\"",
            "`target.family` is not that of 127.0.0.1, which is an IPv4 address",
        ),
        (
            "url = \"ws://127.0.0.1/\"\nsource_addresses = [\"::1\"]",
            "`target.source_addresses` cannot dial 127.0.0.1: ::1 is an IPv6 address, and that is none",
        ),
        (
            "url = \"ws://a/\"\nsource_addresses = [\"127.0.0.1\"]\nresolve = { \"a\" = [\"::1\"] }",
            "`target.source_addresses` cannot dial a: 127.0.0.1 is an IPv4 address, and that is none",
        ),
        (
            "url = \"ws://127.0.0.1/\"\nresolve_every = \"30s\"",
            "is for names, and none is looked up here",
        ),
        (
            "url = \"ws://a/\"\nresolve_every = \"30ms\"",
            "is shorter than a second",
        ),
        (
            "url = \"ws://a/\"\ndevice = \"a-name-that-is-too-long\"",
            "is no name of a network device",
        ),
        (
            "url = \"ws://127.0.0.1/\"\ndevice = \"no-such-dev\"",
            "dial over `no-such-dev`",
        ),
        ("url = \"ws://a/\"\nredirects = 21", "is not from 0 to 20"),
        (
            "url = \"ws://a/\"\nredirects = 1\n[path]\nfreeze = { after = \"1s\" }",
            "around the relay of `[path]`",
        ),
    ] {
        let said = refused(&scenario(more, 1));
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn a_server_that_asks_for_time_gets_it_where_clients_heed_it() {
    for (heeds, fewest, most) in [(true, 2, 2), (false, 4, 100)] {
        let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
        let server = Answering::start(move |_| busy.to_owned());
        let text = format!(
            "name = \"x\"\ntarget.url = \"{}\"\n[load]\nconnections = 1\nramp_up = \"0s\"\nduration = \"1500ms\"\nramp_down = \"0s\"\n\
             reconnect = {{ initial = \"50ms\", max = \"50ms\", jitter = \"none\", retry_after = {heeds} }}\n",
            server.url()
        );
        let run = run(&text, &[]);
        let dials = server.heads().len();
        assert!((fewest..=most).contains(&dials), "{dials}");
        if heeds {
            assert_eq!(run.report.count("reconnects.deferred"), 2);
            // Gates look at these.
            let rows = run.report.rows("metrics", "reconnects.deferred");
            assert_eq!(rows[0]["count"], 2, "{rows:?}");
        }
    }
}
