//! The examples of `docs/prometheus`: what they ask for is there, and Prometheus takes them as they are.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::asking::{Exporter, ask, escaped, target, until};
use super::common::process::{self, Leashed};
use super::common::{Handshake, Pong, Reception, Script, Server, address};

/// The folder of the examples.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/prometheus");

/// The expressions of the rules and the panels: each with the file that it is from.
fn expressions() -> Vec<(&'static str, String)> {
    let rules = fs::read_to_string(Path::new(EXAMPLES).join("alerts.yml")).unwrap();
    let rules = rules.lines().filter_map(|line| {
        let expression = line.trim().strip_prefix("expr: ")?;
        Some(("alerts.yml", expression.to_owned()))
    });
    let dashboard = fs::read_to_string(Path::new(EXAMPLES).join("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let shown = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let shown = shown.map(|target| target["expr"].as_str().unwrap().to_owned());
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    // label_values(METRIC, LABEL)
    let asked = variables.filter_map(|variable| {
        let call = variable["query"].as_str()?.strip_prefix("label_values(")?;
        let (metric, _) = call.rsplit_once(',')?;
        Some(metric.to_owned())
    });
    let all = shown.chain(asked).map(|text| {
        let text = text.replace("$job", "websocket").replace("$instance", ".*");
        ("dashboard.json", text.replace("$__rate_interval", "1m"))
    });
    rules.chain(all).collect()
}

/// The metrics that a text names: words that begin as all of a probe do, and `up`.
fn metrics_of(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named = words.filter(|word| word.starts_with("probe_") || *word == "up");
    named.map(str::to_owned).collect()
}

#[test]
fn the_examples_ask_for_metrics_that_there_are() {
    let (well, ill) = (
        Reception::secure(),
        Server::start(Script::handshake(Handshake::Refuse)),
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), well.certificate()).unwrap();
    let url = well.url("localhost");
    let exporter = Exporter::start_in(
        folder,
        &["--ca", "ca.pem", "--allow", &url, "--allow", &ill.url()],
        &[],
    );
    let texts = [
        exporter.probe(&target(&url), 20).1,
        exporter.probe(&target(&ill.url()), 20).1,
    ];
    let told: BTreeSet<String> = texts.iter().flat_map(|text| metrics_of(text)).collect();
    // The one that Prometheus makes by itself.
    let known: BTreeSet<String> = told.iter().cloned().chain(["up".to_owned()]).collect();
    let mut asked = BTreeSet::new();
    for (file, expression) in expressions() {
        let metrics = metrics_of(&expression);
        assert!(!metrics.is_empty(), "{file}: {expression}");
        for metric in metrics {
            assert!(
                known.contains(&metric),
                "{file}: no {metric}: {expression}\n{texts:?}"
            );
            asked.insert(metric);
        }
    }
    assert!(asked.len() >= 6, "{asked:?}");
    // The page has a line for each.
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/exporter.md")).unwrap();
    for metric in &told {
        assert!(
            page.contains(&format!("| `{metric}")),
            "no line of docs/exporter.md on {metric}"
        );
    }
}

/// Has a file pass this check of promtool.
fn promtool(what: &[&str], file: &Path) {
    let output = process::command("promtool")
        .args(what)
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("promtool: {error}\nhint: run `scripts/test`"));
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

#[test]
#[ignore = "needs Prometheus; run by scripts/test"]
fn prometheus_probes_by_the_examples_as_they_are() {
    let examples = Path::new(EXAMPLES);
    promtool(&["check", "config"], &examples.join("scrape.yml"));

    let (well, ill) = (
        Reception::secure(),
        Server::start(Script::pong(Pong::Never)),
    );
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let own = tempfile::tempdir().unwrap();
    fs::write(own.path().join("ca.pem"), well.certificate()).unwrap();
    let url = well.url("localhost");
    let exporter = Exporter::start_in(
        own,
        &["--ca", "ca.pem", "--allow", &url, "--allow", &ill.url()],
        &[],
    );
    // The example, but for who is probed, how often, and where the exporter is.
    let config = fs::read_to_string(examples.join("scrape.yml")).unwrap();
    let changes = [
        ("wss://example.com/feed", url.clone()),
        ("wss://example.com/chat", ill.url()),
        ("127.0.0.1:9769", format!("127.0.0.1:{}", exporter.port)),
        ("scrape_interval: 30s", "scrape_interval: 2s".to_owned()),
        ("scrape_timeout: 10s", "scrape_timeout: 2s".to_owned()),
    ];
    let config = changes.iter().fold(config, |config, (example, ours)| {
        assert!(config.contains(example), "{example}");
        config.replace(example, ours)
    });
    fs::write(place("scrape.yml"), config).unwrap();
    fs::copy(examples.join("alerts.yml"), place("alerts.yml")).unwrap();
    let port = address::free_at(Ipv4Addr::LOCALHOST).port();
    let log = fs::File::create(place("prometheus.log")).unwrap();
    let child = process::command("prometheus")
        .arg(format!("--config.file={}", place("scrape.yml").display()))
        .arg(format!("--storage.tsdb.path={}", place("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    let _prometheus =
        Leashed(child.unwrap_or_else(|error| panic!("{error}\nhint: run `scripts/test`")));
    let query = |text: &str| -> Option<Value> {
        let path = format!("/api/v1/query?query={}", escaped(text));
        let (_, body) = ask(port, &format!("GET {path} HTTP/1.0\r\n"))?;
        serde_json::from_str(&body).ok()
    };
    let number = |text: &str| -> Option<f64> {
        let answer = query(text)?;
        answer["data"]["result"][0]["value"][1]
            .as_str()?
            .parse()
            .ok()
    };
    let of = |metric: &str, url: &str| format!("{metric}{{job=\"websocket\",instance=\"{url}\"}}");
    until("both are probed", || {
        let well = number(&of("probe_success", &url))?;
        let ill = number(&of("probe_success", &ill.url()))?;
        (well == 1.0 && ill == 0.0).then_some(())
    });
    assert!(number(&of("probe_websocket_ping_seconds", &url)) > Some(0.0));
    let missed = format!(
        "probe_websocket_failed{{instance=\"{}\",cause=\"missed_pong\"}}",
        ill.url()
    );
    assert_eq!(number(&missed), Some(1.0));
    // Each expression can be evaluated; those of panels have data.
    for (file, expression) in expressions() {
        until(&expression, || {
            let answer = query(&expression)?;
            assert_eq!(
                answer["status"], "success",
                "{file}: {expression}: {answer}"
            );
            let found = answer["data"]["result"].as_array().unwrap().len();
            (file == "alerts.yml" || found > 0).then_some(())
        });
    }
}

#[test]
#[ignore = "needs Prometheus; run by scripts/test"]
fn each_rule_of_the_examples_fires_for_whom_it_is_meant() {
    let examples = Path::new(EXAMPLES);
    promtool(&["check", "rules"], &examples.join("alerts.yml"));
    promtool(&["test", "rules"], &examples.join("alerts_test.yml"));
    let read = |name| fs::read_to_string(examples.join(name)).unwrap();
    let (rules, tests) = (read("alerts.yml"), read("alerts_test.yml"));
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let untold: Vec<&str> = alerts.filter(|name| !tests.contains(name)).collect();
    assert!(untold.is_empty(), "without a test: {untold:?}");
}
