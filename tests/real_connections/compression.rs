//! permessage-deflate with others: `ws` of Node, `websockets` of Python, aiohttp, uvicorn and hypercorn, the last over HTTP/2
//! too. Bytes come back equal, whatever their length and however they are compressed; together some 10,000 for each value
//! of `send`.

use super::asgi;
use super::common::real::{RealServer, Target};
use super::common::run::{run, trusted};
use super::http2;

/// A run of four seconds in which each cohort sends in its own way; `more` are keys of the compression of all.
#[track_caller]
fn all_ways(target: Target, more: &str) {
    let server = RealServer::start(target);
    all_ways_to(&server.url(), "", more);
}

/// The same to the server at this address, with these keys of the target.
#[track_caller]
fn all_ways_to(url: &str, target: &str, more: &str) {
    let cohorts = ["prepared", "each", "keep", "plain"].map(|send| {
        format!(
            "[[cohort]]\nname = \"{send}\"\nconnections = 4\ntarget.compression = {{ send = \"{send}\" }}\n"
        )
    });
    let payloads = [
        ("none", "11/s", "{ size = \"0B\" }"),
        ("one", "11/s", "{ size = \"1B\" }"),
        ("short", "11/s", "{ size = \"63B\" }"),
        ("filler", "11/s", "{ size = \"200B\" }"),
        ("json", "11/s", "{ size = \"1KiB\", like = \"json\" }"),
        ("random", "11/s", "{ size = \"5KiB\", like = \"random\" }"),
        ("binary", "11/s", "{ hex = \"00 ff 00 ff 00 ff 00 ff\" }"),
        ("long", "1/s", "{ size = \"1MiB\", like = \"json\" }"),
    ];
    let messages = payloads.map(|(name, rate, payload)| {
        let frame = if name == "binary" { "binary" } else { "text" };
        // To compress it for a narrow window takes long.
        let count = if name == "long" { "count = 1\n" } else { "" };
        format!(
            "[[message]]\nname = \"{name}\"\nrate = \"{rate}\"\nframe = \"{frame}\"\ntimeout = \"20s\"\n{count}payload = {payload}\n"
        )
    });
    // What differs in length stands in stored blocks.
    let varies = r#"
        [[message]]
        name = "varies"
        rate = "11/s"
        timeout = "20s"
        payload = { json = '{"who": "{{uuid}}", "n": {{n}}, "at": "{{stamp}}", "text": "to be or not to be, that is the question, and the answer is not known to those who ask it"}' }
        "#;
    let scenario = format!(
        r#"
        name = "compressed"
        [target]
        url = "{url}"
        {target}
        [target.compression]
        required = true
        {more}
        [load]
        duration = "4s"
        ramp_down = "0s"
        {cohorts}
        {messages}
        {varies}
        [gates]
        pass = [
            "count(connections.compressed) == 16",
            "ratio(messages.echoed / messages.sent) == 100%",
            "count(messages.mismatched) == 0",
            "count(compressed.sent{{cohort=prepared}}) > 100",
            "count(compressed.sent{{cohort=each}}) > 100",
            "count(compressed.sent{{cohort=keep}}) > 100",
            "ratio(compressed.received_wire / compressed.received_plain) < 80%",
        ]
        "#,
        cohorts = cohorts.concat(),
        messages = messages.concat(),
    );
    let (run, ()) = trusted(|| (run(&scenario, &[]), ()));
    run.assert_passed();
}

#[test]
#[ignore = "needs Node; run by scripts/test"]
fn ws_takes_and_sends_compressed_messages() {
    all_ways(Target::NodeDeflate("{\"threshold\":0}"), "");
}

#[test]
#[ignore = "needs Node; run by scripts/test"]
fn ws_keeps_no_context_if_it_is_asked_not_to() {
    let options =
        "{\"threshold\":0,\"serverNoContextTakeover\":true,\"clientNoContextTakeover\":true}";
    all_ways(Target::NodeDeflate(options), "");
    let offer =
        "offer = \"permessage-deflate; server_no_context_takeover; client_no_context_takeover\"";
    all_ways(Target::NodeDeflate("{\"threshold\":0}"), offer);
}

#[test]
#[ignore = "needs Node; run by scripts/test"]
fn ws_with_a_narrow_window_is_not_overrun() {
    let nine = "{\"threshold\":0,\"serverMaxWindowBits\":9,\"clientMaxWindowBits\":9}";
    all_ways(Target::NodeDeflate(nine), "");
    let ten = "{\"threshold\":0,\"clientMaxWindowBits\":10}";
    all_ways(Target::NodeDeflate(ten), "");
}

#[test]
#[ignore = "needs Python; run by scripts/test"]
fn websockets_takes_and_sends_compressed_messages() {
    all_ways(Target::Python, "");
}

#[test]
#[ignore = "needs Python; run by scripts/test"]
fn aiohttp_takes_and_sends_compressed_messages() {
    all_ways(Target::Aiohttp, "");
}

#[test]
#[ignore = "needs uvicorn; run by scripts/test"]
fn uvicorn_takes_and_sends_compressed_messages() {
    let uvicorn = asgi::uvicorn();
    all_ways_to(&format!("ws://{}/", uvicorn.address()), "", "");
}

/// What is compressed goes over streams as it goes over TCP.
const OVER_HTTP2: &str = "http = \"2\"\nstreams_per_connection = 4";

#[test]
#[ignore = "needs hypercorn; run by scripts/test"]
fn hypercorn_takes_and_sends_compressed_messages_over_both_versions_of_http() {
    let hypercorn = asgi::hypercorn();
    let url = format!("ws://{}/", hypercorn.address());
    all_ways_to(&url, "", "");
    all_ways_to(&url, OVER_HTTP2, "");
}

/// HTTP/2 to the proxy, HTTP/1.1 behind it: the extension is agreed on through both.
#[test]
#[ignore = "needs nghttpx and Node; run by scripts/test"]
fn ws_compresses_through_a_proxy_that_speaks_http2() {
    let server = RealServer::start(Target::NodeDeflate("{\"threshold\":0}"));
    let nghttpx = http2::nghttpx(server.address());
    all_ways_to(&format!("ws://{}/", nghttpx.address()), OVER_HTTP2, "");
}

#[test]
#[ignore = "needs Node; run by scripts/test"]
fn a_server_that_declines_where_it_may_not_is_told() {
    let server = RealServer::start(Target::Node);
    let scenario = format!(
        r#"
        name = "declined"
        [target]
        url = "{url}"
        compression = {{ required = true }}
        [load]
        connections = 4
        ramp_up = "0s"
        duration = "500ms"
        "#,
        url = server.url()
    );
    let run = run(&scenario, &[]);
    assert_eq!(run.report.errors(), [("no_extension", 4)].into());
}

/// What each server makes of compression that it must not take: it ends the connection, by a code of its own.
#[test]
#[ignore = "needs Node; run by scripts/test"]
fn ws_refuses_what_no_server_should_take() {
    let server = RealServer::start(Target::NodeDeflate("{\"threshold\":0}"));
    for (frame, code) in [("rsv1_ping", 1002), ("bad_deflate", 1007)] {
        let scenario = format!(
            r#"
            name = "{frame}"
            [target]
            url = "{url}"
            compression = true
            [load]
            duration = "1s"
            [[cohort]]
            name = "bad"
            connections = 4
            heartbeat = "off"
            fault = {{ kind = "illegal_frame", frame = "{frame}", after = "100ms" }}
            [gates]
            pass = ["count(closes.{code}.peer{{cohort=bad}}) == 4"]
            "#,
            url = server.url(),
        );
        run(&scenario, &[]).assert_passed();
    }
}
