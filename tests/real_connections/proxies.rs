//! Proxies that others wrote: what each answers, and a thousand connections through it. And servers behind load balancers,
//! which are told by the PROXY protocol whom a connection stands for.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::common::address;
use super::common::own::Own;
use super::common::peer::{Peer, Setup};
use super::common::{Ended, Reception, Running};

/// What the proxies read: passwords, and what is forbidden. Some of them read it as another user.
struct Rules(TempDir);

impl Rules {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // openssl passwd -1 -salt wsbench s3cret
        let passwords = "me:$1$wsbench$iLVTMEYNmGytQIauArhNp1\n";
        fs::write(folder.path().join("passwords"), passwords).unwrap();
        fs::write(folder.path().join("forbidden"), "forbidden.example\n").unwrap();
        Self(folder)
    }

    fn of(&self, setup: Setup) -> Setup {
        setup.place("secrets", self.0.path().display())
    }
}

/// squid: the first port is for all, the second for those with a password, the third for all under TLS.
fn squid(own: &Own, rules: &Rules) -> Peer {
    rules.of(own.server(Setup::of("squid.conf"))).start()
}

fn tinyproxy(rules: &Rules, settings: &str) -> Peer {
    let setup = rules.of(Setup::of("tinyproxy.conf"));
    setup.place("settings", settings).start()
}

fn microsocks(options: &str) -> Peer {
    Setup::command(&format!("microsocks -i @host@ -p @port@ {options}")).start()
}

/// Runs a scenario of some clients with these lines in `[target]`.
fn run(folder: TempDir, target: &str, clients: u32, rest: &str) -> Ended {
    let scenario = format!(
        r#"
        name = "proxies"
        [load]
        connections = {clients}
        ramp_up = "{ramp_up}ms"
        duration = "500ms"
        ramp_down = "0s"
        [[message]]
        name = "echo"
        rate = "5/s"
        {rest}
        [target]
        {target}
        "#,
        ramp_up = clients
    );
    Running::start_in(folder, &scenario, &[], &[]).end()
}

/// A thousand connections through a proxy to the built-in server, each with its tunnel and its echoes.
#[track_caller]
fn carries_a_thousand(proxy: &str) {
    let target = format!("url = \"embedded\"\nproxy = \"{proxy}\"");
    let gates = r#"
        [gates]
        pass = [
            "count(connections.opened) == 1000",
            "count(connections.failed) == 0",
            "count(messages.timed_out) == 0",
            "count(messages.echoed) >= 1000",
        ]"#;
    let ended = run(tempfile::tempdir().unwrap(), &target, 1000, gates);
    assert_eq!(ended.code, 0, "{proxy}: {} {}", ended.stdout, ended.stderr);
    let report = ended.report();
    let rows = report.rows("totals", "handshake.proxy");
    assert_eq!(rows[0]["count"], 1000, "{proxy}");
}

/// No connection opens through a proxy, for this cause, which is told so.
#[track_caller]
fn refuses(proxy: &str, server: &str, cause: &str, said: &str) {
    let target = format!("url = \"{server}\"\nproxy = {proxy}");
    let ended = run(tempfile::tempdir().unwrap(), &target, 2, "");
    assert_eq!(ended.code, 4, "{proxy}: {} {}", ended.stdout, ended.stderr);
    let count = ended.report().count(&format!("errors.{cause}"));
    let shown = Vec::from_iter(ended.stdout.split_whitespace()).join(" ");
    assert_eq!(count, 2, "{proxy} {cause}: {shown}");
    assert!(shown.contains(said), "{proxy}: no `{said}` in {shown}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("wr0ng"),
        "{shown}"
    );
}

/// An address on which nothing listens.
fn nobody() -> String {
    format!("ws://{}/", address::free())
}

fn quoted(scheme: &str, at: SocketAddr) -> String {
    format!("\"{scheme}{at}\"")
}

#[test]
#[ignore = "needs squid; run by scripts/test"]
fn squid_is_gone_through_and_tells_why_it_refuses() {
    let (own, rules) = (Own::new(), Rules::new());
    let squid = squid(&own, &rules);
    let [open, guarded, _] = squid.addresses() else {
        panic!("it has three ports");
    };
    carries_a_thousand(&format!("http://{open}"));
    carries_a_thousand(&format!("http://me:s3cret@{guarded}"));
    let wants = "407 Proxy Authentication Required, Basic realm=\"wsbench\"";
    refuses(&quoted("http://", *guarded), &nobody(), "proxy_auth", wants);
    let wrong = quoted("http://me:wr0ng@", *guarded);
    refuses(&wrong, &nobody(), "proxy_auth", wants);
    let said = "503 Service Unavailable, ERR_CONNECT_FAIL 111";
    refuses(&quoted("http://", *open), &nobody(), "proxy_refused", said);
    let forbidden = "ws://forbidden.example/";
    let said = "403 Forbidden, ERR_ACCESS_DENIED";
    refuses(&quoted("http://", *open), forbidden, "proxy_refused", said);
    let unknown = "ws://nobody.invalid/";
    let said = "500 Internal Server Error, ERR_CANNOT_FORWARD";
    refuses(&quoted("http://", *open), unknown, "proxy_refused", said);
}

#[test]
#[ignore = "needs squid and stunnel; run by scripts/test"]
fn tls_is_spoken_with_the_proxy_and_through_it() {
    let (own, rules, behind) = (Own::new(), Rules::new(), Reception::secure());
    let squid = squid(&own, &rules);
    let stunnel = own.server(Setup::of("stunnel.conf"));
    let stunnel = stunnel.place("behind", squid.address()).start();
    for at in [squid.addresses()[2], stunnel.address()] {
        let folder = own.folder();
        fs::write(folder.path().join("server.pem"), behind.certificate()).unwrap();
        let target = format!(
            r#"
            url = "{}"
            ca = "server.pem"
            proxy = {{ url = "https://{at}", ca = "ca.pem", server_name = "localhost" }}
            "#,
            behind.url("localhost")
        );
        let gates =
            "[gates]\npass = [\"count(connections.opened) == 50\", \"count(tls.full) == 50\"]";
        let ended = run(folder, &target, 50, gates);
        assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
        refuses(
            &quoted("https://", at),
            &nobody(),
            "proxy_unreachable",
            "tls_untrusted: ",
        );
    }
    assert_eq!(behind.visits().len(), 100);
}

#[test]
#[ignore = "needs tinyproxy; run by scripts/test"]
fn tinyproxy_is_gone_through_and_tells_why_it_refuses() {
    let rules = Rules::new();
    let (open, guarded) = (
        tinyproxy(&rules, ""),
        tinyproxy(&rules, "BasicAuth me s3cret"),
    );
    carries_a_thousand(&format!("http://{}", open.address()));
    let guarded = guarded.address();
    carries_a_thousand(&format!("http://me:s3cret@{guarded}"));
    let proxy = quoted("http://", guarded);
    refuses(
        &proxy,
        &nobody(),
        "proxy_auth",
        "407 Proxy Authentication Required",
    );
    // It answers 401 where it means 407.
    let proxy = quoted("http://me:wr0ng@", guarded);
    refuses(&proxy, &nobody(), "proxy_auth", "401 Unauthorized");
    let proxy = quoted("http://", open.address());
    refuses(&proxy, &nobody(), "proxy_refused", "500 Unable to connect");
    refuses(
        &proxy,
        "ws://nobody.invalid/",
        "proxy_refused",
        "500 Unable to connect",
    );
    refuses(
        &proxy,
        "ws://forbidden.example/",
        "proxy_refused",
        "403 Filtered",
    );
}

#[test]
#[ignore = "needs microsocks; run by scripts/test"]
fn microsocks_is_gone_through_and_tells_why_it_refuses() {
    let (open, guarded) = (microsocks(""), microsocks("-u me -P s3cret"));
    carries_a_thousand(&format!("socks5://{}", open.address()));
    let guarded = guarded.address();
    carries_a_thousand(&format!("socks5h://me:s3cret@{guarded}"));
    refuses(
        &quoted("socks5h://", guarded),
        &nobody(),
        "proxy_auth",
        "method ff",
    );
    let wrong = quoted("socks5h://me:wr0ng@", guarded);
    refuses(&wrong, &nobody(), "proxy_auth", "status 02");
    let open = quoted("socks5h://", open.address());
    refuses(
        &open,
        &nobody(),
        "proxy_refused",
        "reply 05, connection refused",
    );
    // Its other failures are all the same to it.
    refuses(&open, "ws://nobody.invalid/", "proxy_refused", "reply 01");
}

#[test]
#[ignore = "needs dante; run by scripts/test"]
fn dante_is_gone_through_and_tells_why_it_refuses() {
    let blocked = address::free();
    let dante = Setup::of("danted.conf").place("blocked", blocked.port());
    let dante = dante.start();
    carries_a_thousand(&format!("socks5://{}", dante.address()));
    let proxy = quoted("socks5h://", dante.address());
    refuses(&proxy, &nobody(), "proxy_refused", "reply 05");
    let against_its_rules = format!("ws://{blocked}/");
    refuses(&proxy, &against_its_rules, "proxy_refused", "reply 02");
    refuses(&proxy, "ws://nobody.invalid/", "proxy_refused", "reply 04");
    // A port of SOCKS5 is none of HTTP.
    refuses(
        &quoted("http://", dante.address()),
        &nobody(),
        "proxy_garbage",
        "",
    );
}

#[test]
#[ignore = "needs microsocks; run by scripts/test"]
fn a_proxy_that_is_not_there_is_unreachable() {
    let nobody_there = address::free();
    for scheme in ["http://", "https://", "socks5://", "socks5h://"] {
        let proxy = quoted(scheme, nobody_there);
        refuses(
            &proxy,
            "ws://127.0.0.1:9/",
            "proxy_unreachable",
            "refused: ",
        );
    }
    refuses(
        "\"http://nobody.invalid:3128\"",
        "ws://127.0.0.1:9/",
        "proxy_unreachable",
        "dns: ",
    );
}

/// 256 clients are as many addresses to the server behind a load balancer, with both versions, under TLS and without.
#[track_caller]
fn announces(balancer: &Peer, own: &Own, behind: &Reception) {
    for (version, url) in [
        (1, format!("ws://{}/", balancer.addresses()[0])),
        (2, format!("wss://{}/", balancer.addresses()[1])),
    ] {
        let before = behind.visits().len();
        let secure = match url.starts_with("wss") {
            true => "tls = { ca = \"ca.pem\", server_name = \"localhost\" }",
            false => "",
        };
        let announced = format!(
            "url = \"{url}\"\n{secure}\nproxy_protocol = {{ version = {version}, source = \"203.0.113.0/24\" }}"
        );
        let gates = "[gates]\npass = [\"count(connections.opened) == 256\"]";
        let ended = run(own.folder(), &announced, 256, gates);
        assert_eq!(ended.code, 0, "{url}: {} {}", ended.stdout, ended.stderr);
        let visits = behind.visits();
        let seen = visits[before..]
            .iter()
            .map(|visit| visit.header("x-forwarded-for"));
        let seen: BTreeSet<String> = seen.flatten().collect();
        let all = (0..256).map(|last| format!("203.0.113.{last}")).collect();
        assert_eq!(seen, all, "{url}");
    }
}

/// No connection opens, and the hint asks this.
#[track_caller]
fn asks(target: &str, own: &Own, question: &str) {
    let ended = run(own.folder(), target, 2, "");
    assert_eq!(ended.code, 4, "{target}: {}", ended.stdout);
    let shown = Vec::from_iter(ended.stdout.split_whitespace()).join(" ");
    assert!(shown.contains(question), "{target}: {shown}");
}

const EXPECTS: &str = "does it expect the PROXY protocol? then write `proxy_protocol`";
const EXPECTS_NONE: &str =
    "does it expect the PROXY protocol? leave out `proxy_protocol` where it does not";

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn haproxy_believes_what_it_is_told_of_clients() {
    let (own, behind) = (Own::new(), Reception::open());
    let haproxy = Setup::of("haproxy-announced.cfg")
        .file("server.pem", format!("{}{}", own.certificate, own.key))
        .place("behind", behind.address())
        .start();
    announces(&haproxy, &own, &behind);
    let [plain, secure] = haproxy.addresses() else {
        panic!("it has two ports");
    };
    asks(&format!("url = \"ws://{plain}/\""), &own, EXPECTS);
    asks(&format!("url = \"wss://{secure}/\""), &own, EXPECTS);
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn nginx_believes_what_it_is_told_of_clients() {
    let (own, behind) = (Own::new(), Reception::open());
    let setup = own.server(Setup::of("nginx-announced.conf"));
    let nginx = setup.place("behind", behind.address()).start();
    announces(&nginx, &own, &behind);
    let [plain, _, open] = nginx.addresses() else {
        panic!("it has three ports");
    };
    asks(&format!("url = \"ws://{plain}/\""), &own, EXPECTS);
    for version in [1, 2] {
        let target = format!(
            "url = \"ws://{open}/\"\nproxy_protocol = {{ version = {version}, source = \"real\" }}"
        );
        asks(&target, &own, EXPECTS_NONE);
    }
}
