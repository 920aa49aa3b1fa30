//! TLS that others end: nginx, HAProxy, and the server of OpenSSL.

mod causes;
mod keys;
mod resumption;

use super::common::own::Own;
use super::common::peer::{Peer, Setup};
use super::common::{Reception, Running};

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn each_version_of_tls_is_spoken_with_nginx() {
    let (behind, own) = (Reception::open(), Own::new());
    let nginx = own.nginx(&behind, "").start();
    let scenario = format!(
        r#"
        name = "nginx"
        [target]
        url = "wss://{at}/"
        ca = "ca.pem"
        tls = {{ server_name = "localhost" }}
        [load]
        ramp_up = "200ms"
        duration = "1s"
        ramp_down = "0s"
        [[cohort]]
        name = "new"
        connections = 25
        target = {{ url = "wss://{at}/TLSv1.3", tls = {{ versions = ["1.3"] }} }}
        [[cohort]]
        name = "old"
        connections = 25
        target = {{ url = "wss://{at}/TLSv1.2", tls = {{ versions = ["1.2"] }} }}
        [[message]]
        name = "long"
        rate = "20/s"
        payload = {{ size = "20KiB" }}
        [gates]
        pass = ["count(tls.full) == 50", "count(messages.echoed) >= 500"]
        "#,
        at = nginx.address()
    );
    let ended = Running::start_in(own.folder(), &scenario, &["--quiet"], &[]).end();
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    let visits = behind.visits();
    assert_eq!(visits.len(), 50);
    for visit in visits {
        let protocol = visit.header("x-protocol").unwrap();
        assert_eq!(visit.resource, format!("/{protocol}"));
    }
}
