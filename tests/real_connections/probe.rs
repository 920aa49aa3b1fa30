//! What `probe` tells of servers and proxies on the way.

use serde_json::{Value, json};

use super::common::own::Own;
use super::common::{Reception, Running};

/// The findings of a probe, as JSON.
#[track_caller]
fn found(url: &str) -> Value {
    let arguments = ["probe", url, "--for", "100ms", "--json", "--insecure"];
    let ended = Running::call(tempfile::tempdir().unwrap(), &arguments, &[]).end();
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
