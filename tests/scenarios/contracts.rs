//! Faults, paths, processes and contracts of a scenario: each way to write them, and its meaning.
//! Refused scenarios are in `tests/scenarios/invalid`.

use std::time::Duration;

use strum::VariantArray as _;

use wsbench::scenario::{
    self, Activity, Between, Cohort, Contract, Defect, Direction, End, FaultKind, Jitter, Origin,
    Outside, Overrides, PathFaultKind, Process, PromiseKind, Reconnect, RoomDefect, Scenario,
    ServerRooms, Signal, Source,
};
use wsbench::units::ByteSize;

const EMBEDDED: &str = "target.url = \"embedded\"\n";

fn parse(text: &str) -> Scenario {
    let outside = Outside {
        env: &|_| None,
        read: &|_| unreachable!("no file is named"),
        list: &Outside::no_folder,
    };
    let source = Source {
        name: "x.toml".into(),
        text: format!("name = \"x\"\n{text}"),
    };
    scenario::parse(&source, &Overrides::default(), &outside)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// One cohort with these keys; `rest` is the rest of the file.
fn cohort(keys: &str, rest: &str) -> Cohort {
    let text = format!("{EMBEDDED}{rest}\n[[cohort]]\nname = \"a\"\nconnections = 1\n{keys}");
    parse(&text).cohorts.remove(0)
}

fn contract(keys: &str) -> Contract {
    cohort(keys, "").contract.expect("there is a contract")
}

fn seconds(seconds: &[u64]) -> Vec<Duration> {
    seconds.iter().copied().map(Duration::from_secs).collect()
}

fn between(lo: u64, hi: u64) -> Between {
    let (lo, hi) = (Duration::from_millis(lo), Duration::from_millis(hi));
    Between { lo, hi }
}

#[test]
fn one_fault_or_a_list_and_each_with_its_start() {
    let one = cohort("fault = { kind = \"no_pong\" }", "").faults;
    assert_eq!(one[0].kind, FaultKind::NoPong);
    assert_eq!(one[0].after, Duration::ZERO);
    let two = cohort(
        "fault = [{ kind = \"no_pong\" }, { kind = \"never_close\", after = \"5s\" }]",
        "",
    )
    .faults;
    assert_eq!(two[1].kind, FaultKind::NeverClose);
    assert_eq!(two[1].after, Duration::from_secs(5));
    assert!(cohort("fault = []", "").faults.is_empty());
    let tables = "[[cohort.fault]]\nkind = \"hold\"\n[[cohort.fault]]\nkind = \"close\"";
    assert_eq!(cohort(tables, "").faults.len(), 2);
}

#[test]
fn a_sweep_is_even_and_meets_both_ends() {
    let sweep = |keys: &str| {
        let keys = format!("fault = {{ kind = \"late_pong\", delay = {keys} }}");
        match cohort(&keys, "").faults.remove(0).kind {
            FaultKind::LatePong { delay } => delay,
            other => panic!("{other:?}"),
        }
    };
    let four = sweep("{ from = \"1s\", to = \"4s\", levels = 4 }");
    assert_eq!(four.levels, seconds(&[1, 2, 3, 4]));
    assert_eq!(four.at(5), Duration::from_secs(2), "connections take turns");
    let default = sweep("{ from = \"100ms\", to = \"1600ms\" }").levels;
    assert_eq!(default.len(), 16);
    assert_eq!(default[15], Duration::from_millis(1600));
    assert_eq!(sweep("\"2s\"").levels, seconds(&[2]));
}

#[test]
fn the_activity_matrix_sends_once_a_second_if_nothing_else_is_said() {
    let only = |keys: &str| {
        let keys = format!("fault = {{ kind = \"only\", {keys} }}");
        cohort(&keys, "").faults.remove(0).kind
    };
    let FaultKind::Only { frame, every } = only("frame = \"empty_text\"") else {
        panic!("not only");
    };
    assert_eq!((frame, every.levels), (Activity::EmptyText, seconds(&[1])));
    let FaultKind::Only { every, .. } =
        only("frame = \"byte\", every = { from = \"1s\", to = \"3s\", levels = 3 }")
    else {
        panic!("not only");
    };
    assert_eq!(every.levels, seconds(&[1, 2, 3]));
}

#[test]
fn close_codes_are_one_or_several_and_zero_is_none() {
    let codes = |keys: &str| cohort(&format!("fault = {{ kind = \"close\"{keys} }}"), "").faults;
    let close = |codes: &[Option<u16>]| FaultKind::Close {
        codes: codes.to_vec(),
    };
    assert_eq!(codes("")[0].kind, close(&[Some(1000)]));
    assert_eq!(codes(", code = 3000")[0].kind, close(&[Some(3000)]));
    assert_eq!(
        codes(", code = [1000, 0]")[0].kind,
        close(&[Some(1000), None])
    );
}

#[test]
fn a_cohort_reconnects_in_its_own_way() {
    let above = "load.reconnect = { initial = \"1s\" }";
    let backoff = |initial, max, jitter| Reconnect::Backoff {
        initial: Duration::from_secs(initial),
        max: Duration::from_secs(max),
        jitter,
        retry_after: false,
    };
    assert_eq!(cohort("", above).reconnect, backoff(1, 30, Jitter::Full));
    assert_eq!(
        cohort("reconnect = \"none\"", above).reconnect,
        Reconnect::None
    );
    let first = "reconnect = { initial = \"5s\", max = \"5s\", jitter = \"first\" }";
    assert_eq!(cohort(first, above).reconnect, backoff(5, 5, Jitter::First));
    let at_once = "reconnect = { initial = \"0s\", jitter = \"none\" }";
    assert_eq!(
        cohort(at_once, above).reconnect,
        backoff(0, 0, Jitter::None)
    );
    // `on_dead` of the heartbeat follows the cohort's own `reconnect`, too.
    let keys = "reconnect = {}\nheartbeat = { on_dead = \"reconnect\" }";
    assert!(cohort(keys, "").heartbeat.is_some());
}

#[test]
fn the_keys_of_a_path_are_short_or_whole_or_several() {
    let path = |keys: &str| {
        let text = format!("{EMBEDDED}load.connections = 1\n[path]\n{keys}");
        parse(&text).path.expect("there is a path").faults
    };
    let delay = |by, jitter| PathFaultKind::Delay {
        by: Duration::from_millis(by),
        jitter: Duration::from_millis(jitter),
    };
    let short = path("delay = \"150ms\"\njitter = \"20ms\"");
    assert_eq!(short.len(), 1);
    assert_eq!((short[0].kind, short[0].after), (delay(150, 20), None));
    assert_eq!(path("jitter = \"20ms\"")[0].kind, delay(0, 20));
    let table = path("delay = { by = \"1s\", after = \"0s\", for = \"2s\", cohorts = [\"main\"] }");
    assert_eq!(table[0].kind, delay(1000, 0));
    assert_eq!(table[0].after, Some(Duration::ZERO));
    assert_eq!(table[0].lasts, Some(Duration::from_secs(2)));
    assert!(table[0].concerns("main") && !table[0].concerns("other"));
    let several = path("throttle = [\"10KiB\", { rate = \"1KiB\", after = \"1s\" }]");
    let rates: Vec<_> = several.iter().map(|fault| fault.kind).collect();
    assert_eq!(
        rates,
        [10 << 10, 1 << 10].map(|bytes| PathFaultKind::Throttle(ByteSize(bytes)))
    );
}

#[test]
fn what_happens_on_the_path_stands_in_the_order_of_the_file() {
    let text = format!(
        "{EMBEDDED}load.connections = 1\n[path]\n\
        reset = {{ after = \"9s\" }}\n\
        drop = {{ direction = \"to_server\", after = \"5s\", for = \"3s\" }}\n\
        half_close = {{ direction = \"to_client\", after = \"6s\" }}\n\
        freeze = [{{ after = \"1s\", for = \"1s\" }}, {{ after = \"3s\" }}]"
    );
    let path = parse(&text).path.unwrap();
    let kinds: Vec<_> = path.faults.iter().map(|fault| fault.kind).collect();
    assert_eq!(
        kinds,
        [
            PathFaultKind::Reset,
            PathFaultKind::Drop(Direction::ToServer),
            PathFaultKind::HalfClose(Direction::ToClient),
            PathFaultKind::Freeze,
            PathFaultKind::Freeze,
        ]
    );
}

#[test]
fn a_target_is_started_or_known_by_its_number() {
    let target = |keys: &str| {
        let url = "url = \"ws://localhost:8080/\"";
        parse(&format!("load.connections = 1\n[target]\n{url}\n{keys}")).target
    };
    let command = target("command = [\"node\", \"server.js\"]");
    let words = ["node", "server.js"].map(str::to_owned).into();
    assert_eq!(command.process, Process::Command(words));
    let pid = target("pid = 4711\nfault = { kind = \"sigterm\", after = \"5s\" }");
    assert_eq!(pid.process, Process::Pid(4711));
    assert_eq!(pid.faults[0].kind, Signal::Terminate);
    assert_eq!(pid.faults[0].after, Duration::from_secs(5));
    assert_eq!(target("").process, Process::Unknown);
}

#[test]
fn freezes_are_repeated_with_room_between_them() {
    let every = |lasts: &str, rest: &str| {
        let fault = format!("{{ kind = \"sigstop\", for = \"{lasts}\", repeat = 2{rest} }}");
        let text = format!("{EMBEDDED}target.fault = [{fault}]\nload.connections = 1");
        parse(&text).target.faults.remove(0).every
    };
    assert_eq!(every("3s", ""), Duration::from_secs(6));
    assert_eq!(every("500ms", ""), Duration::from_millis(1500));
    assert_eq!(every("3s", ", every = \"8s\""), Duration::from_secs(8));
}

#[test]
fn the_built_in_server_has_a_heartbeat_and_may_be_guilty() {
    let heartbeat = |keys: &str| {
        let text = format!("{EMBEDDED}load.connections = 1\ntarget.heartbeat = {keys}");
        parse(&text).target.embedded_heartbeat.unwrap()
    };
    let default = heartbeat("{}");
    assert_eq!(default.interval, Duration::from_secs(10));
    assert_eq!(
        (default.timeout, default.defect),
        (Duration::from_secs(5), None)
    );
    let guilty = heartbeat("{ interval = \"1s\", defect = \"kills_after_stall\" }");
    assert_eq!(guilty.defect, Some(Defect::KillsAfterStall));
}

#[test]
fn the_built_in_server_may_have_rooms() {
    let rooms = |keys: &str| {
        let text = format!("{EMBEDDED}load.connections = 1\ntarget.rooms = {keys}");
        parse(&text).target.embedded_rooms
    };
    assert_eq!(rooms("false"), None);
    assert_eq!(rooms("true"), Some(ServerRooms::default()));
    assert_eq!(rooms("{}"), Some(ServerRooms::default()));
    let given = rooms("{ tick = \"20/s\", login = true, defect = \"leaks_room\" }").unwrap();
    assert_eq!(given.tick.map(|tick| tick.hertz()), Some(20.0));
    assert!(given.login && given.defect == Some(RoomDefect::LeaksRoom));
}

#[test]
fn each_promise_has_its_key() {
    // Not all of these promises can be kept together.
    let lines = "closed = 3
        closed_per_stall = 2
        alive_for = \"1s\"
        closed_between = [\"1s\", \"2s\"]
        code = [1011, 1005]
        ends_with = \"close_frame\"
        tcp_end_between = [\"0s\", \"1s\"]
        reaped_between = [\"1s\", \"2s\"]
        released_within = \"1s\"
        effective_timeout = [\"1s\", \"2s\"]
        pong_within = \"1s\"
        pings_between = [\"1s\", \"2s\"]
        max_ping_sync = 0.3
        close_answered_within = \"1s\"
        close_code_echoed = true
        silent_after_close = true
        detected_between = [\"1s\", \"2s\"]
        recovers_within = \"1s\"
        back_within = { p90 = \"1s\" }
        max_rss_growth = \"1MiB\"
        max_descriptor_growth = 0";
    let around = "target.heartbeat = {}\n[target.fault]\nkind = \"sigstop\"\nfor = \"1s\"";
    let read = |line: &str| {
        let keys = format!(
            "reconnect = {{}}
            heartbeat = {{}}
            fault = {{ kind = \"late_pong\", delay = {{ from = \"1s\", to = \"2s\" }} }}
            [cohort.contract]
            from = \"fault\"
            {line}"
        );
        let cohort = format!("[[cohort]]\nname = \"a\"\nconnections = 10\n{keys}");
        let scenario = parse(&format!("{EMBEDDED}{around}\n{cohort}"));
        let contract = scenario.cohorts[0].contract.as_ref();
        contract.expect("there is one").promises[0].clone()
    };
    let promises: Vec<_> = lines
        .lines()
        .map(|line| (line.trim(), read(line)))
        .collect();
    assert_eq!(promises.len(), PromiseKind::VARIANTS.len());
    for (kind, (line, promise)) in PromiseKind::VARIANTS.iter().zip(&promises) {
        assert_eq!(promise.kind, *kind, "{line}");
        assert!(line.starts_with(kind.key()), "{line}");
        assert!(promise.to_string().starts_with(kind.key()), "{promise}");
    }
    let all: Vec<_> = promises.into_iter().map(|(_, promise)| promise).collect();
    assert!(all.contains(&PromiseKind::Code.of(vec![1011, 1005])));
    assert!(all.contains(&PromiseKind::MaxPingSync.of(0.3)));
}

#[test]
fn the_short_forms_of_a_promise_say_the_same() {
    let short = contract("contract = { tcp_end_within = \"1s\", code = 1011 }");
    let long = contract("contract = { tcp_end_between = [\"0s\", \"1s\"], code = [1011] }");
    let sorted = |contract: Contract| {
        let mut promises = contract.promises;
        promises.sort_by_key(|promise| promise.kind.key());
        promises
    };
    assert_eq!(sorted(short), sorted(long));
}

#[test]
fn times_begin_with_what_the_clients_do_wrong() {
    let pings = "target.heartbeat = { interval = \"1s\", timeout = \"1s\" }";
    let from = |keys: &str| {
        let keys = format!("{keys}\n[cohort.contract]\nclosed = 0");
        cohort(&keys, pings).contract.unwrap().from
    };
    assert_eq!(from(""), Origin::Open);
    assert_eq!(from("fault = { kind = \"wrong_pong\" }"), Origin::Ping);
    let both = "fault = [{ kind = \"never_close\" }, { kind = \"no_pong\" }]";
    assert_eq!(from(both), Origin::Ping);
    assert_eq!(from("fault = { kind = \"close\" }"), Origin::Close);
    assert_eq!(from("fault = { kind = \"stop_reading\" }"), Origin::Fault);
    let given = "contract = { from = \"last_byte\", closed = 0 }";
    assert_eq!(contract(given).from, Origin::LastByte);
}

#[test]
fn what_the_server_does_with_its_sockets_is_seen_through_the_path_too() {
    let keys = "[cohort.contract]\nreleased_within = \"1s\"";
    let contract = cohort(keys, "path.delay = \"50ms\"").contract.unwrap();
    let within = PromiseKind::ReleasedWithin.of(Duration::from_secs(1));
    assert_eq!(contract.promises, [within]);
}

#[test]
fn a_preset_promises_clients_that_do_not_read_only_what_they_see() {
    let contract = contract(
        "fault = { kind = \"stop_reading\" }\ncontract = { preset = \"cowboy\", idle_timeout = \"5s\" }",
    );
    let kinds: Vec<_> = contract.promises.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [PromiseKind::ClosedBetween]);
}

#[test]
fn a_preset_fills_in_what_the_contract_does_not_say() {
    let contract = contract(
        "contract = { preset = \"websockets\", interval = \"1s\", timeout = \"1s\", code = 1001, closed = 1 }",
    );
    let shown = contract.preset.as_deref().unwrap();
    assert!(shown.starts_with("websockets (interval 1s"), "{shown}");
    assert_eq!(contract.from, Origin::Ping);
    assert!(
        contract
            .promises
            .contains(&PromiseKind::Code.of(vec![1001]))
    );
    assert!(contract.promises.contains(&PromiseKind::Closed.of(1)));
    let close = PromiseKind::EndsWith.of(vec![End::CloseFrame]);
    assert!(contract.promises.contains(&close));
    let mut keys: Vec<&str> = contract
        .promises
        .iter()
        .map(|promise| promise.kind.key())
        .collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "no promise twice");
}

#[test]
fn the_contract_above_is_for_the_healthy() {
    let above = "contract = { closed = 0 }";
    // Beside one that it is for: a contract that concerns nobody is refused.
    let promises = |keys: &str| {
        let text = format!(
            "{EMBEDDED}{above}\n[[cohort]]\nname = \"a\"\nconnections = 2\n{keys}\n[[cohort]]\nname = \"b\"\nconnections = 1"
        );
        let contract = parse(&text).cohorts.remove(0).contract;
        contract.map(|contract| contract.promises)
    };
    assert_eq!(promises(""), Some(vec![PromiseKind::Closed.of(0)]));
    assert_eq!(promises("fault = { kind = \"no_pong\" }"), None);
    assert_eq!(promises("contract = \"off\""), None);
    // A cohort's contract replaces the shared one as a whole, and does not merge with it.
    let own = promises("contract = { closed_between = [\"1s\", \"2s\"] }");
    assert_eq!(
        own,
        Some(vec![PromiseKind::ClosedBetween.of(between(1000, 2000))])
    );
    let text = format!("{EMBEDDED}load.connections = 1\n{above}");
    let main = parse(&text).cohorts.remove(0);
    assert_eq!(main.contract.unwrap().promises, [PromiseKind::Closed.of(0)]);
}

#[test]
fn an_address_is_on_this_machine_by_its_name() {
    for (url, expected) in [
        ("ws://localhost/", true),
        ("ws://LOCALHOST./", true),
        ("ws://a.localhost:80/", true),
        ("ws://127.8.8.8/", true),
        ("ws://[::1]/", true),
        ("ws://[::ffff:127.0.0.1]/", true),
        ("ws://localhost.example.org/", false),
        ("ws://10.0.0.1/", false),
    ] {
        let text = format!("target.url = \"{url}\"\nload.connections = 1");
        assert_eq!(parse(&text).target.url.is_local(), expected, "{url}");
    }
}
