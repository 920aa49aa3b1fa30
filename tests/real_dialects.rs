//! Holds the dialects to servers from other projects, each by its scenario in `tests/targets/dialects`: the counts must
//! match the server's exactly, and who is refused is counted with the reason.

mod common;

use std::fs;
use std::path::Path;

use common::real::{RealCounts, RealServer, Target};
use common::run::{Run, run, trusted};
use serde_json::json;
use wsbench::scenario::Dialect;

/// How many connections a server is asked with, unless its test says what it can.
const CONNECTIONS: u64 = 1000;

/// The run of a scenario against a new server, and that server.
struct Trial {
    run: Run,
    server: RealServer,
}

impl Trial {
    /// Runs a scenario with each of these texts replaced; each must occur in it.
    fn of(target: Target, name: &str, changes: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/dialects");
        let mut scenario = fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap();
        for (from, to) in changes {
            assert!(scenario.contains(from), "no `{from}` in {name}");
            scenario = scenario.replace(from, to);
        }
        let (run, server) = trusted(|| {
            let server = RealServer::start(target);
            // Keeps the path of the scenario.
            let (_, path) = scenario.split_once("127.0.0.1:3000/").unwrap();
            let path = path.split('"').next().unwrap();
            let url = format!("{}{path}", server.url());
            (run(&scenario, &["--url", &url]), server)
        });
        Self { run, server }
    }

    /// The same, for a run that all connections come to the end of.
    fn passed(target: Target, name: &str, changes: &[(&str, &str)]) -> Self {
        let trial = Self::of(target, name, changes);
        trial.run.assert_passed();
        let errors = &trial.run.report.json["errors"];
        assert_eq!(errors, &json!([]), "connections ended or failed");
        trial
    }

    /// A count of the whole run.
    fn total(&self, name: &str) -> u64 {
        self.run.report.count(name)
    }

    /// All answers to messages, be they late.
    fn answers(&self) -> u64 {
        self.total("messages.answered") + self.total("messages.late")
    }

    /// All messages with a stamp that members heard, however they are judged.
    fn deliveries(&self) -> u64 {
        let all = ["received", "late", "duplicated", "stray", "unsure"];
        all.map(|name| self.total(&format!("delivery.{name}")))
            .iter()
            .sum()
    }

    /// The server's counts when all connections of the run have ended.
    fn counts(&self) -> RealCounts {
        let opened = self.total("connections.opened");
        self.server.counts_when_closed(opened)
    }

    /// Checks that all set-ups failed, each with a reason that has this text.
    #[track_caller]
    fn assert_refused(&self, reason: &str) {
        let attempted = self.total("connections.attempted");
        assert_eq!(self.total("setup.failed"), attempted);
        assert_eq!(self.total("setup.ready"), 0);
        assert_eq!(self.run.report.errors()["setup_failed"], attempted);
        let example = self.run.report.examples("setup_failed");
        assert!(example.contains(reason), "{example}");
    }
}

/// A dialect names the versions that these tests and those of the recordings run with.
#[test]
fn what_a_dialect_was_tried_with_is_what_is_installed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (npm, pypi) = (read("node/package.json"), read("python/requirements.txt"));
    for dialect in Dialect::ALL {
        let tried = dialect.tried();
        assert!(!tried.is_empty(), "{}", dialect.name);
        for tried in tried {
            let mut words = tried.rsplit(' ');
            let [version, name, registry] = [(); 3].map(|()| words.next().unwrap());
            let is_installed = match registry {
                "npm" => npm.contains(&format!("\"{name}\": \"{version}\"")),
                "PyPI" => pypi.contains(&format!("{name}=={version}\n")),
                registry => registry == "Debian",
            };
            assert!(is_installed, "{tried}");
        }
    }
}

/// Members of rooms of 20 hear each other; `server` counts who joined, what was said, and what it pushed.
fn rooms_keep_the_same_books(trial: &Trial) {
    let connections = CONNECTIONS;
    assert_eq!(trial.total("connections.lost"), 0);
    let counts = trial.counts();
    let seen = ["opened", "joined", "said", "pushed"].map(|name| counts.number(name));
    let said = trial.total("delivery.published");
    assert_eq!(seen, [connections, connections, said, trial.deliveries()]);
    assert_eq!(trial.total("setup.ready"), connections);
    assert_heard_by_all(trial, 10 * connections);
}

/// Checks that everybody heard everything, be it late; `at_least` so much, since who was in a room for whole seconds is
/// counted.
#[track_caller]
fn assert_heard_by_all(trial: &Trial, at_least: u64) {
    let [received, late, expected] =
        ["received", "late", "expected"].map(|name| trial.total(&format!("delivery.{name}")));
    assert_eq!(received + late, expected, "{late} of them late");
    assert!(expected >= at_least, "{expected} is below {at_least}");
}

fn socket_io_rooms(target: Target) -> Trial {
    let trial = Trial::passed(target, "socket.io", &[]);
    rooms_keep_the_same_books(&trial);
    let published = trial.total("delivery.published");
    assert_eq!(published, 2 * CONNECTIONS, "each spoke twice");
    assert_eq!(2 * trial.answers(), published);
    trial
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn socket_io_hears_all_that_is_said_in_a_room() {
    let trial = socket_io_rooms(Target::SocketIoRooms);
    // Who joins is answered, and who asks.
    assert_eq!(trial.counts().number("answered"), 2 * CONNECTIONS);
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn python_socketio_hears_all_that_is_said_in_a_room() {
    socket_io_rooms(Target::PythonSocketIoRooms);
}

fn socket_io_refuses(target: Target) {
    let trial = Trial::of(target, "socket.io-refused", &[]);
    trial.assert_refused("`connect`: it has no `/sid`");
    let counts = trial.server.counts();
    assert_eq!(counts.number("refused"), trial.total("setup.failed"));
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn socket_io_refuses_who_has_no_token() {
    socket_io_refuses(Target::SocketIo);
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn python_socketio_refuses_who_has_no_token() {
    socket_io_refuses(Target::PythonSocketIo);
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn socket_io_closes_who_does_not_answer_its_pings() {
    Trial::of(Target::SocketIo, "socket.io-mute", &[])
        .run
        .assert_passed();
}

/// With fewer clients than the others: of 1,000 on two busy cores it closed 347 that were lively, since it read their pongs
/// more than a second late, and of 200 still one.
#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn python_socketio_closes_who_does_not_answer_its_pings() {
    let fewer = [("connections = 500", "connections = 50")];
    Trial::of(Target::PythonSocketIo, "socket.io-mute", &fewer)
        .run
        .assert_passed();
}

/// Subscriptions: two of each client. The server pushes the first value of each before its client is ready, and what an
/// `[[on]]` takes after that; a query is answered by one value and an end.
fn graphql_subscribes(target: Target, connections: u64) -> (Trial, RealCounts) {
    let number = format!("connections = {connections}");
    let change = [("connections = 1000", number.as_str())];
    let trial = Trial::passed(target, "graphql-transport-ws", &change);
    let counts = trial.counts();
    assert_eq!(trial.total("setup.ready"), connections);
    assert_eq!(trial.total("messages.answered"), connections);
    assert!(
        trial.total("pushes.received") >= 2 * connections,
        "a value each second"
    );
    assert_eq!(counts.number("joined"), counts.number("completed"));
    (trial, counts)
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn graphql_ws_subscribes_and_ends_by_id() {
    let (trial, counts) = graphql_subscribes(Target::GraphqlWs, CONNECTIONS);
    let queries = trial.total("messages.answered");
    assert_eq!(counts.number("joined"), 2 * CONNECTIONS + queries);
    // Each end of a query is a push for wsbench, and each answer to one a push for the server.
    assert_eq!(
        counts.number("pushed"),
        2 * CONNECTIONS + trial.total("pushes.received")
    );
}

/// With fewer clients than the others: of 1,000 on two busy cores 404 waited for more than five seconds for an answer. On
/// its own it served 1,000.
#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn strawberry_subscribes_and_ends_by_id() {
    let connections = 300;
    let (trial, counts) = graphql_subscribes(Target::Strawberry, connections);
    let queries = trial.total("messages.answered");
    assert_eq!(counts.number("joined"), 2 * connections);
    let pushed = 2 * connections + trial.total("pushes.received") - queries;
    assert_eq!(counts.number("pushed"), pushed);
}

fn graphql_closes(target: Target) -> Trial {
    let trial = Trial::of(target, "graphql-refused", &[]);
    for code in [4400, 4401, 4403, 4408, 4409, 4429] {
        let name = format!("closes.{code}.peer");
        assert_eq!(trial.total(&name), 167, "{name}");
    }
    // Who is refused before its set-up is done was never ready.
    assert_eq!(trial.total("setup.lost"), 167);
    trial
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn graphql_ws_closes_who_breaks_the_protocol() {
    let trial = graphql_closes(Target::GraphqlWs);
    let closes = trial.counts().closes();
    let own = closes.iter().filter(|(code, _)| code.starts_with('4'));
    assert_eq!(own.map(|(_, count)| count).sum::<u64>(), 6 * 167);
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn strawberry_closes_who_breaks_the_protocol() {
    graphql_closes(Target::Strawberry);
}

fn answers_out_of_order(target: Target) {
    let trial = Trial::passed(target, "jsonrpc", &[]);
    let counts = trial.counts();
    let (sent, unknown) = (trial.total("messages.sent"), 2 * CONNECTIONS);
    assert_eq!(trial.total("messages.answered"), sent);
    let seen = ["said", "answered"].map(|name| counts.number(name));
    assert_eq!(seen, [sent - unknown; 2]);
    assert!(sent - unknown >= 8 * CONNECTIONS);
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn rpc_websockets_answers_out_of_order() {
    answers_out_of_order(Target::RpcWebsockets);
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn jayson_answers_out_of_order() {
    answers_out_of_order(Target::Jayson);
}

#[test]
#[ignore = "needs the Ruby target; run by scripts/test"]
fn actioncable_hears_all_that_is_said_in_a_room() {
    let trial = Trial::passed(Target::ActionCable, "actioncable", &[]);
    rooms_keep_the_same_books(&trial);
}

#[test]
#[ignore = "needs the Ruby target; run by scripts/test"]
fn actioncable_rejects_a_subscription() {
    let trial = Trial::of(Target::ActionCable, "actioncable-refused", &[]);
    trial.assert_refused("`subscribe`: `/type` is not");
    assert_eq!(
        trial.counts().number("refused"),
        trial.total("setup.failed")
    );
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn ocpp_calls_and_is_called() {
    let trial = Trial::passed(Target::Ocpp, "ocpp", &[]);
    let counts = trial.counts();
    let unknown = CONNECTIONS;
    let said = trial.total("messages.answered") - unknown;
    let seen = ["joined", "said", "asked", "answered"].map(|name| counts.number(name));
    assert_eq!(seen, [CONNECTIONS, said, CONNECTIONS, CONNECTIONS]);
    assert_eq!(trial.total("pushes.received"), CONNECTIONS);
}

/// What RabbitMQ counts of all queues that are bound to topics.
const DELIVERED: &str = "rabbitmq_global_messages_delivered_total{protocol=\"amqp091\",queue_type=\"rabbit_classic_queue\"}";
const RECEIVED: &str = "rabbitmq_global_messages_received_total{protocol=\"amqp091\"}";

/// Checks that RabbitMQ took all that was sent, and gave out all that was heard.
fn rabbitmq_keeps_the_same_books(trial: &Trial) {
    let opened = trial.total("connections.opened");
    let counts = trial
        .server
        .counts_when(|counts| counts.number("rabbitmq_connections_closed_total") == opened);
    assert_eq!(counts.number("rabbitmq_connections_opened_total"), opened);
    assert_eq!(counts.number(RECEIVED), trial.total("delivery.published"));
    assert_eq!(counts.number(DELIVERED), trial.deliveries());
    assert_heard_by_all(trial, 10 * opened);
}

#[test]
#[ignore = "needs the RabbitMQ target; run by scripts/test"]
fn rabbitmq_delivers_all_that_is_sent_to_a_topic() {
    let trial = Trial::passed(Target::RabbitMq, "stomp", &[]);
    rabbitmq_keeps_the_same_books(&trial);
    let sent = [trial.total("messages.sent"), trial.answers()];
    assert_eq!(
        sent,
        [2 * CONNECTIONS, CONNECTIONS],
        "half of it with a receipt"
    );
}

/// With fewer clients than STOMP: on two busy cores 8 of 1,000 heard no PINGRESP in time, and 103 connections took nothing
/// for a while. On its own it served 1,000.
#[test]
#[ignore = "needs the RabbitMQ target; run by scripts/test"]
fn rabbitmq_delivers_all_that_is_published_over_mqtt() {
    let trial = Trial::passed(Target::RabbitMqMqtt, "mqtt", &[]);
    rabbitmq_keeps_the_same_books(&trial);
    let answered = trial.answers();
    let [acknowledged, others] = [300, 2 * 300];
    assert_eq!(
        answered,
        acknowledged + others,
        "half of it with QoS 1, and each came and went"
    );
}

#[test]
#[ignore = "needs the RabbitMQ target; run by scripts/test"]
fn rabbitmq_refuses_a_wrong_password_over_mqtt() {
    let trial = Trial::of(Target::RabbitMqMqtt, "mqtt-refused", &[]);
    // It sends no CONNACK to who is refused.
    assert_eq!(
        trial.total("setup.lost"),
        trial.total("connections.attempted")
    );
    let example = trial.run.report.examples("closed_by_peer");
    assert!(example.contains("unauthenticated"), "{example}");
}

#[test]
#[ignore = "needs the RabbitMQ target; run by scripts/test"]
fn rabbitmq_refuses_a_wrong_password() {
    let trial = Trial::of(Target::RabbitMq, "stomp-refused", &[]);
    trial.assert_refused("`connect`: it does not begin with");
}

/// The judge of fan-out: it speaks no protocol, and its counts are those of a server that many use.
#[test]
#[ignore = "needs the nginx target; run by scripts/test"]
fn nchan_delivers_everything_to_everybody() {
    let trial = Trial::passed(Target::Nchan, "nchan", &[]);
    let counts = trial.server.counts();
    let published = trial.total("delivery.published");
    assert_eq!(counts.number("total published messages"), published);
    assert_heard_by_all(&trial, 20 * CONNECTIONS);
    assert_eq!(trial.total("messages.received"), trial.deliveries());
}
