//! What `probe` tells of servers and proxies on the way, and that the scenario it writes gets there.

use serde_json::{Value, json};

use super::common::own::Own;
use super::common::{Ended, Reception, Running};
use super::http2::{haproxy, nghttpx, nginx};

/// The findings of a probe, as JSON.
#[track_caller]
fn found(url: &str) -> Value {
    found_with(url, &["--insecure"])
}

#[track_caller]
fn found_with(url: &str, options: &[&str]) -> Value {
    let arguments = ["probe", url, "--for", "2s", "--json"];
    let folder = tempfile::tempdir().unwrap();
    let ended = Running::call(folder, &[&arguments, options].concat(), &[]).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn what_nginx_offers_under_tls_is_told() {
    let (behind, own) = (Reception::open(), Own::new());
    let settings = "ssl_session_cache off; ssl_session_tickets off;
        ssl_verify_client optional_no_ca; add_header Via \"1.0 one, 1.1 two\" always;";
    for (settings, resumes, asks, via) in [
        (settings, false, "not_needed", json!(["1.0 one", "1.1 two"])),
        ("", true, "not_asked", json!([])),
    ] {
        let nginx = own.nginx(&behind, settings).start();
        let found = found(&format!("wss://{}/", nginx.address()));
        let tls = &found["tls"];
        assert_eq!(tls["version"], "TLS 1.3");
        assert_eq!(tls["alpn"], "http/1.1");
        assert_eq!(tls["resumes"], resumes);
        assert_eq!(tls["client_certificate"], asks);
        assert_eq!(tls["certificate"]["names"], json!(["localhost"]));
        assert_eq!(found["handshake"]["via"], via);
        let scenario = found["scenario"].as_str().unwrap();
        assert_eq!(
            scenario.contains("\n# tls.certificate = "),
            asks == "not_needed"
        );
    }
}

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn what_haproxy_offers_over_http2_is_told_and_can_be_taken() {
    let behind = Reception::open();
    let haproxy = haproxy(&behind);
    let found = found(&format!("wss://{}/", haproxy.addresses()[1]));
    let offered = json!({ "websockets": { "max_streams": 100 } });
    assert_eq!(found["offers"]["http2"], offered);
    assert_eq!(found["tls"]["other"]["spoken"]["version"], "TLS 1.2");
    let scenario = found["scenario"].as_str().unwrap();
    Ended::passes(scenario);
    let taken = scenario
        .replace("# http = ", "http = ")
        .replace("# streams", "streams");
    assert_ne!(scenario, taken);
    Ended::passes(&taken);
}

#[test]
#[ignore = "needs nghttpx; run by scripts/test"]
fn a_probe_over_http2_in_the_clear_writes_a_scenario_of_it() {
    let behind = Reception::open();
    let nghttpx = nghttpx(behind.address());
    let found = found_with(&format!("ws://{}/", nghttpx.address()), &["--http2", "10"]);
    let offered = json!({ "websockets": { "max_streams": 100 } });
    assert_eq!(found["offers"]["http2"], offered);
    assert_eq!(found["pings"]["answered"], 20);
    Ended::passes(found["scenario"].as_str().unwrap());
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn a_probe_of_http2_without_websockets_says_so() {
    let nginx = nginx();
    let url = format!("ws://{}/", nginx.address());
    let arguments = ["probe", &url, "--http2", "10"];
    let ended = Running::call(tempfile::tempdir().unwrap(), &arguments, &[]).end();
    assert_eq!(ended.code, 4, "{}", ended.stdout);
    for said in [
        "HTTP/2 without SETTINGS_ENABLE_CONNECT_PROTOCOL",
        "hint: this server has no RFC 8441",
    ] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
