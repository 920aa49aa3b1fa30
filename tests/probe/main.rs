//! Tests `wsbench probe` as a program: its findings about servers with known behaviour, and its failures.
//! Checks facts only, never how long something took on this machine.

#[path = "../common/mod.rs"]
mod common;

mod conformance;
mod failures;
mod http2;
mod offers;
mod serving;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use wsbench::scenario::{self, Outside, Overrides, Source};

use common::{Act, Echo, Ended, Pong, Reception, Running, Script, Server, When, raw};
use serving::{Reaper, echoes, floods, pongs_empty, serves, serves_first};

fn probe(arguments: &[&str]) -> Ended {
    let arguments = [&["probe"], arguments].concat();
    Running::call(tempfile::tempdir().unwrap(), &arguments, &[]).end()
}

/// The findings of a probe, as JSON.
#[track_caller]
fn found(url: &str, watch: &str) -> Value {
    let ended = probe(&[url, "--json", "--for", watch]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    serde_json::from_str(&ended.stdout).unwrap()
}

/// How one trial ended; null if the server did not end it.
fn fate<'a>(found: &'a Value, doing: &str) -> &'a Value {
    let trials = found["activity"].as_array().unwrap();
    let trial = trials.iter().find(|trial| trial["doing"] == doing);
    let trial = trial.unwrap_or_else(|| panic!("no {doing}: {trials:?}"));
    assert_eq!(trial["failed"], Value::Null);
    &trial["ending"]
}

#[track_caller]
fn parses(text: &str) {
    let source = Source {
        name: "probed".to_owned(),
        text: text.to_owned(),
    };
    let outside = Outside {
        env: &|_| None,
        read: &|path| fs::read(path),
        list: &Outside::no_folder,
    };
    if let Err(problems) = scenario::parse(&source, &Overrides::default(), &outside) {
        panic!("{problems}\n{text}");
    }
}

#[test]
fn a_correct_echo_server_is_described_in_words_and_gets_a_scenario() {
    let script = Script {
        ping_every: Some(Duration::from_millis(200)),
        ..Script::default()
    };
    let server = Server::start(script);
    let ended = probe(&[&server.url(), "--for", "1s"]);
    let next = "then type: wsbench run FILE\n";
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.ends_with(next), "{}", ended.stderr);
    for fact in [
        "at most 22 connections",
        "HTTP/1.1 101 Switching Protocols",
        "text and binary come back the same",
        "20 of 20 answered with the same payload",
        "10 of 10 sent at once answered, the last one too",
        "between two fragments of a message: answered after",
        "pings every ",
        "payload \"1\"",
        "a silent client was not ended within ",
        "our Close 1000 is answered by Close 1000",
        "\noffers     no compression\n",
        "\nin all     15 connections\n",
    ] {
        assert!(ended.stdout.contains(fact), "{fact}\n\n{}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches(" alive after ").count(), 5);
    let at = ended.stdout.find("# Written by").unwrap();
    parses(&ended.stdout[at..]);
    for entry in server.log().entries() {
        let shown = format!("{entry:?}");
        assert!(!shown.contains("Violation"), "{shown}");
    }
}

#[test]
fn a_server_that_greets_as_a_dialect_does_gets_a_scenario_in_it() {
    let greeting = raw::text("0{\"sid\":\"a\",\"pingInterval\":25000}");
    let server = Server::start(Script::act(When::Open, Act::Send(greeting)));
    let url = server.url() + "?EIO=4&transport=websocket";
    let ended = probe(&[&url, "--for", "1s"]);
    let fact = "speaks     socket.io, by its greeting: write `dialect = \"socket.io\"`";
    assert!(ended.stdout.contains(fact), "{}", ended.stdout);
    let at = ended.stdout.find("# Written by").unwrap();
    let scenario = &ended.stdout[at..];
    parses(scenario);
    for line in [
        &format!("url = \"{}\"", server.url()),
        "dialect = \"socket.io\"",
        "  \"count(setup.failed) == 0\",",
    ] {
        assert!(
            scenario.lines().any(|found| found == line),
            "{line}\n\n{scenario}"
        );
    }
}

#[test]
fn a_server_that_closes_mute_clients_is_found_out() {
    let server = Reaper::start(Some(1011));
    let found = found(&server.url(), "2s");
    assert_eq!(*fate(&found, "answer_pings"), Value::Null);
    for doing in ["nothing", "unsolicited_pongs", "pings", "texts"] {
        let close = &fate(&found, doing)["how"]["close"];
        assert_eq!(close["code"], 1011, "{doing}");
        assert_eq!(close["reason"], "silent", "{doing}");
        assert_eq!(fate(&found, doing)["tcp"]["reset"], false, "{doing}");
    }
    assert_eq!(found["idle"]["silent"]["since"], "ping");
    assert_eq!(found["idle"]["answering"], Value::Null);
    assert_eq!(found["quiet"]["payload"], "are you there");
    let scenario = found["scenario"].as_str().unwrap();
    for line in [
        "closed = 0",
        "name = \"mute\"",
        "from = \"ping\"",
        "code = 1011",
    ] {
        assert!(scenario.contains(line), "{line}\n\n{scenario}");
    }
    parses(scenario);
}

#[test]
fn an_end_without_a_close_frame_is_told_as_such() {
    let server = Reaper::start(None);
    let found = found(&server.url(), "1s");
    assert_eq!(fate(&found, "nothing")["how"], "fin");
    let scenario = found["scenario"].as_str().unwrap();
    assert!(scenario.contains("ends_with = \"fin\""), "{scenario}");
    parses(scenario);
}

#[test]
fn an_end_that_comes_whatever_a_client_does_is_no_missed_pong() {
    let act = Script::act(When::After(Duration::from_secs(1)), Act::Reset);
    let server = Server::start(Script {
        ping_every: Some(Duration::from_millis(300)),
        ..act
    });
    let found = found(&server.url(), "3s");
    for doing in ["answer_pings", "nothing", "texts"] {
        assert_eq!(fate(&found, doing)["how"], "rst", "{doing}");
    }
    let scenario = found["scenario"].as_str().unwrap();
    assert!(scenario.contains("from = \"open\""), "{scenario}");
    for not_so in ["no_pong", "closed = 0"] {
        assert!(!scenario.contains(not_so), "{scenario}");
    }
    assert_eq!(found["idle"]["talkers_too"], true);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("probed.toml"), scenario).unwrap();
    let run = ["run", "probed.toml", "--duration", "3s"];
    let ended = Running::call(folder, &run, &[]).end();
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn what_no_connection_saw_is_not_known() {
    let (_runtime, url) = serves_first(1, echoes);
    let ended = probe(&[&url, "--for", "1s"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let unknown = "not known, no connection: nothing listens on that port";
    for question in ["pings      ", "by itself  ", "silent     ", "close      "] {
        let line = format!("\n{question}{unknown}");
        assert!(ended.stdout.contains(&line), "{line}\n\n{}", ended.stdout);
    }
    let watchers = "not opened: nothing listens on that port";
    assert_eq!(ended.stdout.matches(watchers).count(), 5);
    assert!(!ended.stdout.contains("was not ended"), "{}", ended.stdout);

    let (_runtime, url) = serves_first(1, echoes);
    let found = found(&url, "1s");
    for none in ["pings", "quiet", "idle", "close"] {
        assert_eq!(found[none], Value::Null, "{none}");
    }
    let asked = found["unknown"].as_array().unwrap().iter();
    let asked: Vec<_> = asked.map(|unknown| &unknown["question"]).collect();
    assert_eq!(asked, ["pings", "quiet", "idle", "close"]);
    parses(found["scenario"].as_str().unwrap());
}

#[test]
fn a_server_that_answers_nothing_is_told_as_such() {
    let server = Server::start(Script {
        echo: Echo::Never,
        pong: Pong::Never,
        text_every: Some(Duration::from_millis(100)),
        ..Script::default()
    });
    let found = found(&server.url(), "1s");
    assert_eq!(found["pings"]["answered"], 0);
    assert_eq!(found["quiet"]["pings"], 0);
    let unasked = &found["quiet"]["messages"];
    assert_eq!(unasked[0]["sample"], "1");
    assert_eq!(unasked[1]["sample"], "2");
    let scenario = found["scenario"].as_str().unwrap();
    assert!(!scenario.contains("[heartbeat]"), "{scenario}");
    assert!(!scenario.contains("[[message]]"), "{scenario}");
    parses(scenario);
}

/// The probe waits for the pong to each kind of ping once, and at most six seconds for all of them.
#[test]
fn a_server_whose_pongs_are_wrong_does_not_hold_a_probe() {
    let (_runtime, url) = serves(pongs_empty);
    let began = Instant::now();
    let found = found(&url, "1s");
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert!(found["pings"]["answered"].as_u64() >= Some(1));
    let unanswered = found["pings"]["unanswered_lengths"].as_array().unwrap();
    assert!((2..=3).contains(&unanswered.len()), "{unanswered:?}");
}

/// Dials, answers that do not come and the end of TCP are all within the time that was asked for.
#[test]
fn a_probe_ends_in_the_time_that_it_was_given_whatever_the_server_does() {
    let silent = Script {
        echo: Echo::Never,
        pong: Pong::Never,
        on_close: common::OnClose::Never,
        ..Script::default()
    };
    let unanswered = Script::handshake(common::Handshake::Silent);
    for script in [silent, unanswered] {
        let server = Server::start(script);
        let began = Instant::now();
        probe(&[&server.url(), "--for", "2s"]);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

#[test]
fn what_the_probe_says_and_a_server_passes_on_is_not_the_servers() {
    let server = common::Broadcast::start(|_| 1);
    let found = found(&server.url(), "1s");
    assert_eq!(found["quiet"]["messages"].as_array().unwrap().len(), 0);
    assert!(found["quiet"]["own_messages"].as_u64() > Some(0));
}

#[test]
fn a_code_that_must_not_be_sent_is_told_and_what_is_written_can_be_run() {
    let close = common::frame::Frame::close(Some(1006), "").encode();
    let act = Act::Send(close);
    let server = Server::start(Script::act(When::Quiet(Duration::from_millis(500)), act));
    let ended = probe(&[&server.url(), "--for", "2s"]);
    let fact = "Close 1006: the code 1006 must not be sent (section 7.4)";
    assert!(ended.stdout.contains(fact), "{}", ended.stdout);
    let at = ended.stdout.find("# Written by").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("probed.toml"), &ended.stdout[at..]).unwrap();
    let run = Running::call(folder, &["run", "probed.toml"], &[]).end();
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
}

#[test]
fn an_answer_of_http_after_the_close_is_told_as_such() {
    let on_close = common::OnClose::AnswerAnd(b"HTTP/1.1 200 OK\r\n\r\n");
    let server = Server::start(Script::on_close(on_close));
    let ended = probe(&[&server.url(), "--for", "1s"]);
    let fact = "it sent an answer of HTTP where only frames may come";
    assert!(ended.stdout.contains(fact), "{}", ended.stdout);
    assert!(!ended.stdout.contains("reserved bit"), "{}", ended.stdout);
}

#[test]
fn a_first_word_keeps_a_client_and_stands_in_the_scenario() {
    let server = serving::Doorman::start("open sesame");
    let without = probe(&[&server.url(), "--for", "2s"]);
    let fact = "first word it kept no client";
    assert!(without.stdout.contains(fact), "{}", without.stdout);
    let with = ["--for", "2s", "--first", "open sesame", "--out", "new.toml"];
    let with = probe(&[&[server.url().as_str()], &with[..]].concat());
    assert_eq!(with.code, 0, "{}", with.stderr);
    assert_eq!(with.stdout.matches(" alive after ").count(), 5);
    let text = fs::read_to_string(with.folder().join("new.toml")).unwrap();
    assert!(text.contains("send = { text = \"open sesame\" }"), "{text}");
    Ended::passes(&text);
}

#[test]
fn one_file_serves_with_tls_and_without() {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["probe", &server.url(), "--for", "1s", "--out", "one.toml"];
    let probed = Running::call(folder, &arguments, &[]).end();
    assert_eq!(probed.code, 0, "{}", probed.stderr);
    let secure = Reception::secure();
    let folder = probed.into_folder();
    fs::write(folder.path().join("ca.pem"), secure.certificate()).unwrap();
    let url = secure.url("localhost");
    let run = ["run", "one.toml", "--url", &url, "--ca", "ca.pem"];
    let ended = Running::call(folder, &run, &[]).end();
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), secure.certificate()).unwrap();
    let arguments = [
        "probe", &url, "--for", "2s", "--ca", "ca.pem", "--out", "one.toml",
    ];
    let probed = Running::call(folder, &arguments, &[]).end();
    assert_eq!(probed.code, 0, "{}", probed.stderr);
    let plain = Reception::open();
    let run = ["run", "one.toml", "--url", &plain.url("localhost")];
    let ended = Running::call(probed.into_folder(), &run, &[]).end();
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn a_server_that_never_stops_talking_does_not_hold_a_probe() {
    let (_runtime, url) = serves(floods);
    let began = Instant::now();
    let found = found(&url, "200ms");
    assert!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(found["idle"]["silent"], Value::Null);
}

#[test]
fn a_server_under_tls_is_probed_like_any_other() {
    let server = Reception::secure();
    let url = server.url("localhost");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), server.certificate()).unwrap();
    let arguments = ["probe", &url, "--for", "3s", "--json", "--ca", "ca.pem"];
    let ended = Running::call(folder, &arguments, &[]).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(found["handshake"]["dns_ns"].is_u64());
    let addresses = found["handshake"]["addresses"].as_array().unwrap();
    assert!(addresses.contains(&found["handshake"]["address"]));
    let tls = &found["tls"];
    assert_eq!(tls["version"], "TLS 1.3");
    assert_eq!(tls["cipher"], "TLS13_AES_256_GCM_SHA384");
    assert_eq!(tls["alpn"], Value::Null);
    assert_eq!(
        tls["certificate"]["names"],
        serde_json::json!(["localhost", "127.0.0.1"])
    );
    assert_eq!(tls["resumes"], true);
    assert_eq!(tls["other"]["spoken"]["version"], "TLS 1.2");
    assert_eq!(tls["other"]["spoken"]["resumes"], true);
    assert_eq!(tls["client_certificate"], "not_asked");
    assert_eq!(found["offers"]["compression"], "declined");
    assert_eq!(found["offers"]["http2"], "not_spoken");
    assert_eq!(found["connections"], 19);
    assert_eq!(found["pings"]["answered"], 20);
    assert_eq!(*fate(&found, "nothing"), Value::Null);
    parses(found["scenario"].as_str().unwrap());
}

#[test]
fn the_scenario_goes_into_a_new_file_without_the_secrets_of_headers() {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let arguments = [
        "probe",
        &url,
        "--for",
        "1s",
        "--header",
        "X-Token: s3cret",
        "--out",
        "new.toml",
    ];
    let ended = Running::call(folder, &arguments, &[]).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("wrote new.toml"), "{}", ended.stderr);
    let text = fs::read_to_string(ended.folder().join("new.toml")).unwrap();
    assert!(!text.contains("s3cret") && !ended.stdout.contains("s3cret"));
    assert!(text.contains("\"X-Token\" = \"${X_TOKEN}\""), "{text}");

    let there = tempfile::tempdir().unwrap();
    fs::write(there.path().join("new.toml"), text).unwrap();
    let check = ["check", "new.toml"];
    let ended = Running::call(there, &check, &[("X_TOKEN", "other")]).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn a_file_that_is_there_is_not_written_over_and_nothing_is_dialled() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.toml"), "mine").unwrap();
    let arguments = ["probe", "ws://127.0.0.1:9/", "--out", "mine.toml"];
    let ended = Running::call(folder, &arguments, &[]).end();
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("it is there already"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read(ended.folder().join("mine.toml")).unwrap(), b"mine");
}
