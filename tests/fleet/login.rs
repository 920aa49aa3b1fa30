//! Whole runs by way of NATS servers that want to know who asks, and whom nobody on the way can read.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, IsCa};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use wsbench::cluster::{Permissions, Role};

use super::common::nats::{Nats, Version};
use super::common::own::Own;
use super::common::{Ended, Running, Script, Server};
use super::setting::{LONGEST, assert_code, scenario};

/// What a process is told of the NATS server by its environment.
type Environment<'a> = Vec<(&'a str, &'a str)>;

fn call(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    Running::call(folder, arguments, environment)
        .within(LONGEST)
        .end()
}

/// Plays a run of two agents, by what each role is told of the NATS server.
fn run_with(coordinator: &Environment<'_>, agent: &Environment<'_>) {
    let server = Server::start(Script::default());
    let agents = ["one", "two"].map(|name| {
        let agent_of = [
            "agent",
            "--name",
            name,
            "--workers",
            "1",
            "--once",
            "--keep",
            ".",
        ];
        Running::call(tempfile::tempdir().unwrap(), &agent_of, agent).within(LONGEST)
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), scenario(&server.url(), 2)).unwrap();
    let run = ["run", "test.toml", "--out", "report", "--agents", "2"];
    let led = Running::call(folder, &run, coordinator)
        .within(LONGEST)
        .end();
    assert_code(&led, 0);
    assert!(led.report().count("messages.sent") > 300);
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
}

/// A NATS server that speaks TLS, as `wsbench cluster auth` prints it, and the folder of its keys and certificates. `kind`
/// says whether its certificate may sign others.
fn encrypted(version: Version, kind: IsCa) -> (Nats, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let nats = Nats::configured(version, |address| {
        let own = Own::of(&address.ip().to_string(), |own| own.is_ca = kind);
        fs::write(at("cert.pem"), &own.certificate).unwrap();
        fs::write(at("key.pem"), &own.key).unwrap();
        fs::write(at("stranger.pem"), Own::new().certificate).unwrap();
        let listen = address.to_string();
        let (certificate, key) = (at("cert.pem"), at("key.pem"));
        let auth = [
            "cluster",
            "auth",
            "--keys",
            &at("."),
            "--listen",
            &listen,
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
        ];
        let printed = call(&auth, &[]);
        assert_code(&printed, 0);
        printed.stdout
    });
    (nats, folder)
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn a_run_by_tls_and_keys_is_a_run() {
    Version::each(|version| {
        let (nats, folder) = encrypted(version, IsCa::NoCa);
        let at = |name: &str| folder.path().join(name).display().to_string();
        let (url, ca) = (nats.url().replace("nats://", "tls://"), at("cert.pem"));
        let keys = [at("coordinator.nk"), at("agent.nk")];
        let told = |key| vec![("NATS_URL", &*url), ("NATS_CA", &*ca), ("NATS_NKEY", key)];
        run_with(&told(&keys[0]), &told(&keys[1]));
        // What was said can be read by nobody who does not know whom to trust, and no key helps without it.
        let stranger = at("stranger.pem");
        let doctor = ["cluster", "doctor"];
        for roots in [vec![], vec![("NATS_CA", &*stranger)]] {
            let told = [roots, vec![("NATS_URL", &*url), ("NATS_NKEY", &keys[0])]].concat();
            let refused = call(&doctor, &told);
            assert_code(&refused, 2);
            assert!(
                refused
                    .stderr
                    .contains("failed to trust the NATS server at tls://")
                    && refused.stderr.contains("--nats-ca"),
                "{}",
                refused.stderr
            );
        }
        // The key of one role opens nothing of the other.
        let told = [
            ("NATS_URL", &*url),
            ("NATS_CA", &*ca),
            ("NATS_NKEY", &keys[1]),
        ];
        let refused = call(
            &["run", "echo", "--agents", "1", "--url", "ws://127.0.0.1:9/"],
            &told,
        );
        assert_code(&refused, 2);
        assert!(
            refused
                .stderr
                .contains("the NATS server does not permit it"),
            "{}",
            refused.stderr
        );
    });
}

/// `openssl req -x509` makes a certificate that may sign others, and is a server's own all the same.
#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn what_is_wrong_with_tls_is_said_in_words() {
    Version::each(|version| {
        let (nats, folder) = encrypted(version, IsCa::Ca(BasicConstraints::Unconstrained));
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("junk.pem"), "not a certificate\n").unwrap();
        let plain = Nats::start(version);
        let [url, other] = [&nats, &plain].map(|nats| nats.url().replace("nats://", "tls://"));
        let (ca, key) = (at("cert.pem"), at("coordinator.nk"));
        let ls = |url: &str, ca: &str, code: i32| {
            let ls = [
                "cluster",
                "ls",
                "--nats",
                url,
                "--nats-ca",
                ca,
                "--nkey",
                &key,
            ];
            let ended = call(&ls, &[]);
            assert_code(&ended, code);
            ended.stderr
        };
        ls(&url, &ca, 0);
        let said = ls(&url, &at("nosuch.pem"), 2);
        assert!(
            said.contains("use ") && said.contains("nosuch.pem: ") && said.contains("No such file"),
            "{said}"
        );
        let said = ls(&url, &at("junk.pem"), 2);
        assert!(
            said.contains("junk.pem: no certificate in it\nhint: "),
            "{said}"
        );
        let said = ls(&url, &at("stranger.pem"), 2);
        assert!(
            said.contains("its certificate: it is self-signed"),
            "{said}"
        );
        let said = ls(&other, &ca, 2);
        assert!(
            said.contains("it speaks no TLS there\nhint: ") && said.contains(&plain.url()),
            "{said}"
        );
    });
}

/// A token as `nsc` makes it: what somebody may do, signed by who says so.
fn token(claims: Value, signer: &KeyPair) -> String {
    let part = |value: Value| BASE64.encode(value.to_string());
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let text = format!("{}.{}", part(header), part(claims));
    let signature = signer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", BASE64.encode(signature))
}

fn claims(of: &KeyPair, by: &KeyPair, name: &str, nats: Value) -> Value {
    json!({
        "jti": name, "iat": 1_700_000_000, "iss": by.public_key(), "name": name, "sub": of.public_key(), "nats": nats,
    })
}

/// The configuration of a server that knows an operator, and with it one account.
fn operated(operator: &KeyPair, account: &KeyPair) -> String {
    let of_operator = json!({ "type": "operator", "version": 2 });
    let of_operator = token(
        claims(operator, operator, "operator", of_operator),
        operator,
    );
    let limits =
        "subs data payload imports exports conn leaf mem_storage disk_storage streams consumer";
    let limits = limits.split(' ');
    let mut limits: Map<String, Value> = limits.map(|name| (name.to_owned(), json!(-1))).collect();
    limits.insert("wildcards".to_owned(), json!(true));
    let of_account = |limits: &Map<String, Value>| {
        json!({
            "limits": limits, "default_permissions": { "pub": {}, "sub": {} }, "type": "account", "version": 2,
        })
    };
    let said = of_account(&limits);
    let said = token(claims(account, operator, "WSBENCH", said), operator);
    // The server's own, which has no log.
    let system = KeyPair::new_account();
    limits.retain(|name, _| {
        !["mem_storage", "disk_storage", "streams", "consumer"].contains(&&**name)
    });
    let own = token(
        claims(&system, operator, "SYS", of_account(&limits)),
        operator,
    );
    format!(
        "jetstream {{ store_dir: nats-store }}\noperator: {of_operator}\nresolver: MEMORY\nsystem_account: {system}\n\
         resolver_preload: {{ {}: {said}, {system}: {own} }}\n",
        account.public_key(),
        system = system.public_key()
    )
}

/// The file of credentials of a role.
fn credentials(role: Role, account: &KeyPair, folder: &Path) -> String {
    let Permissions {
        publish,
        subscribe,
        replies,
    } = role.permissions();
    let user = KeyPair::new_user();
    let mut nats = json!({
        "pub": { "allow": publish }, "sub": { "allow": subscribe },
        "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2,
    });
    if replies {
        nats["resp"] = json!({ "max": 1, "ttl": 120_000_000_000_u64 });
    }
    let token = token(claims(&user, account, &role.to_string(), nats), account);
    let file = folder.join(format!("{role}.creds"));
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    );
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn a_run_with_credentials_of_an_operator_is_a_run() {
    Version::each(|version| {
        let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
        let configuration = |_: SocketAddr| operated(&operator, &account);
        let nats = Nats::configured(version, configuration);
        let folder = tempfile::tempdir().unwrap();
        let [coordinator, agent] =
            [Role::Coordinator, Role::Agent].map(|role| credentials(role, &account, folder.path()));
        let url = nats.url();
        let told = |file| vec![("NATS_URL", &*url), ("NATS_CREDS", file)];
        run_with(&told(&coordinator), &told(&agent));
        for (role, file) in [("coordinator", &coordinator), ("agent", &agent)] {
            let doctor = ["cluster", "doctor", "--role", role, "--creds", file];
            let said = call(&doctor, &[("NATS_URL", &url)]);
            assert_code(&said, 0);
            assert!(
                !said.stdout.contains("does not tell the roles apart"),
                "{}",
                said.stdout
            );
        }
        // Somebody of another account is not let in.
        let stranger = credentials(Role::Agent, &KeyPair::new_account(), folder.path());
        let refused = call(
            &["cluster", "ls", "--creds", &stranger],
            &[("NATS_URL", &url)],
        );
        assert_code(&refused, 2);
        assert!(
            refused.stderr.contains("failed to log in at"),
            "{}",
            refused.stderr
        );
        fs::write(&stranger, "no token\n").unwrap();
        let refused = call(
            &["cluster", "ls", "--creds", &stranger],
            &[("NATS_URL", &url)],
        );
        assert_code(&refused, 2);
        assert!(
            refused.stderr.contains("nsc generate creds"),
            "{}",
            refused.stderr
        );
    });
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn a_run_with_a_user_and_a_password_is_a_run() {
    let nats = Nats::configured(Version::PyPi, |_| {
        "jetstream { store_dir: nats-store }\nauthorization { users = [{ user: \"a@b\", password: \"p:q\" }] }"
            .to_owned()
    });
    let url = nats.url_of("a%40b:p%3Aq");
    let told = vec![("NATS_URL", &*url)];
    run_with(&told, &told);
    let nobody = nats.url();
    let refused = call(&["cluster", "ls"], &[("NATS_URL", &nobody)]);
    assert_code(&refused, 2);
    assert!(
        refused.stderr.contains("failed to log in at"),
        "{}",
        refused.stderr
    );
}
